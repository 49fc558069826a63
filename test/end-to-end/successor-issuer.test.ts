// Successors with an `iss` of their own: judged as the tokens of the issuer that they began with, verified by the gate's keys
// alone, and ended by every rule against the one or the other.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startApp, startEchoOrigin } from '../support/origin.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'
import { claimsOf, jwksOf, makeKey, signToken, type TestKey } from '../support/tokens.ts'

const GATE_ISSUER = 'https://gate.example.com'
const OTHER_ISSUER = 'https://other.example.com'

let world: World
let upstream: EchoOrigin
let ownKey: TestKey
let gate: Gateway

beforeEach(async () => {
  world = createWorld()
  upstream = await startEchoOrigin()
  ownKey = makeKey('EdDSA', 'own')
  writeFileSync(join(world.folder, 'signing.pem'), ownKey.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  gate = await startGateway(settings())
})

afterEach(async () => {
  await stopGateways()
  await upstream.close()
  world.remove()
})

/** Two issuers of one key set, the second one stricter; successors are from the gate. */
function settings({ issuer = `issuer: ${GATE_ISSUER}`, lifetime = '2m', more = '' } = {}): string {
  const key = world.signingKey()
  const strict = `
  - issuer: ${OTHER_ISSUER}
    audiences: [billing]
    tokenTypes: [at+jwt]
    requiredClaims: [tenant]
    maxLifetime: 5m
    clockTolerance: 0s
    keys: { jwksFile: ${world.folder}/jwks.json }`
  const refresh = `refresh: { window: 60s, lifetime: ${lifetime}, key: ${key}${issuer && `, ${issuer}`} }`
  return world
    .settings(upstream.url, `${refresh}\nlimits: { drainTimeout: 0s }\n${more}`)
    .replace(`{ jwksFile: ${world.folder}/jwks.json }\n`, (line) => `${line.trimEnd()}${strict}\n`)
}

const nowSeconds = () => Math.floor(Date.now() / 1000)
/** What a gate answers where Redis was not too late for it. */
const answerOf = (token: string, of: Gateway) =>
  eventually(async () => {
    const response = await of.request('/', { token })
    const reason = await reasonOf(response)
    expect(reason).not.toBe('revocation_stale')
    return { response, reason }
  })
const successorOf = async (token = world.due(), of = gate) => nextOf((await answerOf(token, of)).response) ?? ''
/** What only the holder of the gate's key could make: a successor with these claims. */
const forged = (claims: Record<string, unknown>, key = ownKey, header: Record<string, unknown> = {}) =>
  signToken(
    key,
    {
      ...{ iss: GATE_ISSUER, original_issuer: ISSUER, aud: 'orders', sub: 'alice', jti: 'forged' },
      ...{ iat: nowSeconds() - 10, exp: nowSeconds() + 100 },
      ...claims,
    },
    header,
  )
const verdictOf = async (token: string, of = gate) => {
  const { response, reason } = await answerOf(token, of)
  return response.status === 200 ? 'admitted' : reason
}

describe('a successor', () => {
  it('names the gate as its issuer, keeps the first one, and so does each one after it', async () => {
    const first = await successorOf()
    expect(claimsOf(first)).toMatchObject({ iss: GATE_ISSUER, original_issuer: ISSUER, sub: 'alice', aud: 'orders' })
    expect(await verdictOf(first)).toBe('admitted')
    await gate.reload(settings({ lifetime: '62s' }))
    const short = await successorOf(await successorOf())
    expect(claimsOf(short)).toMatchObject({ iss: GATE_ISSUER, original_issuer: ISSUER })
    expect(await verdictOf(short)).toBe('admitted')
  })

  it('is verified by others as a token of the gate', async () => {
    const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${gate.adminPort}/.well-known/jwks.json`))
    const { payload } = await jwtVerify(await successorOf(), keys, { issuer: GATE_ISSUER, audience: 'orders' })
    expect(payload.original_issuer).toBe(ISSUER)
  })

  it('counts as a token of the issuer that it began with', async () => {
    await verdictOf(await successorOf())
    expect(await gate.metric('sidegate_decisions_total', { decision: 'permit', issuer: ISSUER })).toBe(2)
    expect(await gate.metric('sidegate_refresh_total', { result: 'issued', issuer: ISSUER })).toBe(1)
    expect(await (await gate.admin('/metrics')).text()).not.toContain(GATE_ISSUER)
  })

  it('is judged by the policy of that issuer, and by no other', async () => {
    const strict = { original_issuer: OTHER_ISSUER, aud: 'billing', tenant: 'acme' }
    const typed = { typ: 'at+jwt' }
    expect(await verdictOf(forged(strict, ownKey, typed))).toBe('admitted')
    expect(await verdictOf(forged(strict))).toBe('type_mismatch')
    expect(await verdictOf(forged({ ...strict, aud: 'orders' }, ownKey, typed))).toBe('audience_mismatch')
    expect(await verdictOf(forged({ ...strict, tenant: undefined }, ownKey, typed))).toBe('claim_missing')
    expect(await verdictOf(forged({ ...strict, exp: nowSeconds() + 3600 }, ownKey, typed))).toBe('lifetime_too_long')
    expect(await verdictOf(forged({ ...strict, exp: nowSeconds() }, ownKey, typed))).toBe('token_expired')
    expect(await verdictOf(forged({ aud: 'billing' }))).toBe('audience_mismatch')
    expect(await verdictOf(forged({ exp: nowSeconds() - 2 }))).toBe('admitted')
  })

  it('needs no key of that issuer, and asks nobody for one', async () => {
    const asked: string[] = []
    let isSilent = false
    let waiting = 0
    const provider = await startApp((req, res) => {
      asked.push(req.url ?? '')
      if (isSilent) waiting++
      else res.writeHead(500).end()
    })
    const away = `{ jwksUri: ${provider.url.origin}/jwks }`
    const cut = await startGateway(settings().replaceAll(`{ jwksFile: ${world.folder}/jwks.json }`, away))
    expect(await verdictOf(world.due(), cut)).toBe('keys_unavailable')
    // The keys of both are fetched again after a second; while the provider owes those, no timer asks for more.
    isSilent = true
    await eventually(() => expect(waiting).toBe(2))
    const before = asked.length
    expect(await verdictOf(forged({}), cut)).toBe('admitted')
    expect(await verdictOf(forged({ original_issuer: provider.url.origin }), cut)).toBe('issuer_unknown')
    expect(asked.length).toBe(before)
    await provider.close()
  })

  it('is not known without the issuer that it began with', async () => {
    for (const original of [undefined, 'https://evil.example.com', GATE_ISSUER, '', 5, [ISSUER], { [ISSUER]: true }])
      expect(await verdictOf(forged({ original_issuer: original }))).toBe('issuer_unknown')
  })

  it('is not known on behalf of an issuer whose tokens are not refreshed', async () => {
    const successor = forged({ original_issuer: OTHER_ISSUER, aud: 'billing', tenant: 'acme' }, ownKey, {
      typ: 'at+jwt',
    })
    expect(await verdictOf(successor)).toBe('admitted')
    await gate.reload(settings().replace('audiences: [billing]', 'audiences: [billing]\n    refresh: false'))
    expect(await verdictOf(successor)).toBe('issuer_unknown')
  })

  it('is not known to a gate without the setting', async () => {
    const other = await startGateway(settings({ issuer: '' }))
    expect(await verdictOf(await successorOf(), other)).toBe('issuer_unknown')
  })

  it('of before the setting is admitted as before, and its successor is from the gate', async () => {
    await gate.reload(settings({ issuer: '', lifetime: '62s' }))
    const before = await successorOf()
    expect(claimsOf(before)).toMatchObject({ iss: ISSUER })
    expect(claimsOf(before)).not.toHaveProperty('original_issuer')
    await gate.reload(settings())
    expect(claimsOf(await successorOf(before))).toMatchObject({ iss: GATE_ISSUER, original_issuer: ISSUER })
  })
})

describe('the identity provider', () => {
  it('gains nothing by naming an original issuer', async () => {
    const token = world.due({ original_issuer: OTHER_ISSUER, tenant: 'acme' })
    expect(claimsOf(await successorOf(token))).toMatchObject({ original_issuer: ISSUER, aud: 'orders' })
    expect(await verdictOf(world.due({ original_issuer: OTHER_ISSUER, aud: 'billing' }))).toBe('audience_mismatch')
  })

  it('cannot sign as the gate', async () => {
    const claims = { iss: GATE_ISSUER, original_issuer: ISSUER }
    const key = world.issuerKey
    expect(await verdictOf(forged(claims, key))).toBe('algorithm_not_allowed')
    const sameAlgorithm = makeKey('EdDSA', 'EdDSA-of-the-provider')
    writeFileSync(join(world.folder, 'jwks.json'), jwksOf(key, sameAlgorithm))
    await gate.reload(settings())
    expect(await verdictOf(forged({ iss: ISSUER }, sameAlgorithm))).toBe('admitted')
    expect(await verdictOf(forged(claims, sameAlgorithm))).toBe('key_unknown')
    expect(await verdictOf(forged(claims, { ...sameAlgorithm, keyId: 'own' }))).toBe('signature_invalid')
    expect(await verdictOf(forged(claims, sameAlgorithm, { kid: undefined }))).not.toBe('admitted')
  })
})

describe('a rule', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const rules: Record<string, [rule: Record<string, unknown>, endsOthers: boolean]> = {
    'against its first issuer': [{ kind: 'issuer', value: ISSUER }, false],
    'against the issuer of successors': [{ kind: 'issuer', value: GATE_ISSUER }, true],
    'against its subject, of the first issuer': [{ kind: 'subject', value: 'alice', issuer: ISSUER }, false],
    'against its subject, of the issuer of successors': [
      { kind: 'subject', value: 'alice', issuer: GATE_ISSUER },
      true,
    ],
    'against its subject': [{ kind: 'subject', value: 'alice' }, true],
    'against its session, of the first issuer': [{ kind: 'session', value: 's-1', issuer: ISSUER }, false],
    'against its key': [{ kind: 'key', value: 'own' }, true],
  }
  const ways: Record<string, () => string> = {
    'in the memory of the gate': () => '',
    'in the local copy of the log': () => 'revocation: { redis: URL, list: local }\n',
    'looked up in Redis': () => 'revocation: { redis: URL, list: lookup, check: redis, timeout: 2s }\n',
  }
  for (const [way, more] of Object.entries(ways))
    for (const [name, [rule, endsOthers]] of Object.entries(rules)) {
      it(`${name}, ${way}, ends it`, async () => {
        await redis.command('FLUSHALL')
        const fleet = await startGateway(settings({ more: more().replace('URL', redis.url) }))
        await untilReady(fleet)
        const token = await successorOf(world.due({ sid: 's-1' }), fleet)
        const typed = { typ: 'at+jwt' }
        const other = forged({ original_issuer: OTHER_ISSUER, aud: 'billing', tenant: 'acme' }, ownKey, typed)
        expect([await verdictOf(token, fleet), await verdictOf(other, fleet)]).toEqual(['admitted', 'admitted'])
        await revoke(fleet, rule)
        expect(await verdictOf(token, fleet)).toBe('token_revoked')
        expect(await verdictOf(other, fleet)).toBe(endsOthers ? 'token_revoked' : 'admitted')
      })
    }

  it('against the token itself ends it, and no other', async () => {
    const [one, two] = [await successorOf(), await successorOf()]
    const body = new URLSearchParams({ token: one })
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    expect((await gate.admin('/oauth/revoke', { method: 'POST', headers, body })).status).toBe(200)
    expect([await verdictOf(one), await verdictOf(two)]).toEqual(['token_revoked', 'admitted'])
  })

  async function untilReady(of: Gateway): Promise<void> {
    while ((await of.admin('/readyz')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  async function revoke(of: Gateway, rule: Record<string, unknown>): Promise<void> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    await eventually(async () => {
      const response = await of.admin('/revocations', { method: 'POST', headers, body: JSON.stringify(rule) })
      expect(await response.text()).toContain('"effects"')
    })
  }
})

describe('for the operator', () => {
  const asked = async (...given: string[]) => {
    const config = join(world.folder, 'sidegate.yaml')
    writeFileSync(config, settings())
    return sidegate(given.map((part) => (part === 'CONFIG' ? config : part)))
  }

  it('explain says from whom a successor is, and on whose behalf', async () => {
    const { printed, exitCode } = await asked('explain', '-c', 'CONFIG', await successorOf())
    expect(exitCode).toBe(0)
    expect(printed).toContain(`iss           "${GATE_ISSUER}"`)
    expect(printed).toContain(`original_issuer ${JSON.stringify(ISSUER)}`)
    expect(printed.join('\n')).toContain(`EdDSA, key "own", issuer ${ISSUER}, a successor from ${GATE_ISSUER}`)
  })

  it('explain knows one that has expired', async () => {
    const { printed } = await asked(
      'explain',
      '-c',
      'CONFIG',
      forged({ exp: nowSeconds() - 60, iat: nowSeconds() - 90 }),
    )
    expect(printed.join('\n')).toMatch(/✓ Was it ours while it lasted\?\s+its signature is right \(EdDSA\)/)
  })

  it('inspect prints the claims as they are', async () => {
    const { printed } = await asked('token', 'inspect', '--json', await successorOf())
    expect(JSON.parse(printed.join('\n')).claims).toMatchObject({ iss: GATE_ISSUER, original_issuer: ISSUER })
  })

  it('the app sees the issuer in the header, as the token has it', async () => {
    await gate.request('/', { token: await successorOf() })
    const { rawHeaders = [] } = upstream.seen.at(-1) ?? {}
    expect(rawHeaders[rawHeaders.indexOf('x-auth-issuer') + 1]).toBe(GATE_ISSUER)
  })
})
