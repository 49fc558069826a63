// Key sets as real identity providers publish them, and rotations as they do them: whole gates, and no honest token refused.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createWorld, type Gateway, reasonOf, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { answerWith, type KeyServer, startKeyServer } from '../support/key-server.ts'
import { startApp } from '../support/origin.ts'
import { startRotatingProvider } from '../support/rotating-provider.ts'
import { sidegate } from '../support/shell.ts'
import { goodClaims, jwksOf, makeKey, part, publicJwk, signToken, type TestKey } from '../support/tokens.ts'

let world: World
let app: Awaited<ReturnType<typeof startApp>>
const closing: (() => unknown)[] = []
beforeEach(async () => {
  world = createWorld()
  app = await startApp((_req, res) => res.end('hello'))
  closing.push(world.remove, app.close)
})
afterEach(async () => {
  await stopGateways()
  for (const close of closing.splice(0)) await close()
})

const nowSeconds = () => Math.floor(Date.now() / 1000)
const answerOf = async (gate: Gateway, token: string) => {
  const answer = await gate.request('/', { token })
  return answer.status === 200 ? 200 : `${answer.status} ${await reasonOf(answer)}`
}
const junk = (issuer: string, kid: string) =>
  `${part({ alg: 'ES256', kid })}.${part(goodClaims({ iss: issuer }, nowSeconds()))}.${part('x'.repeat(64))}`

describe.each(['EdDSA', 'Ed25519', 'ES256', 'RS256'])('oidc-provider that signs with %s', (algorithm) => {
  // holds: junk-with-unknown-key-ids
  it('rotates its keys under load, and under junk, and no token is refused', async () => {
    const provider = await startRotatingProvider(algorithm)
    closing.push(provider.close)
    const { issuer } = provider
    const gate = await startGateway(
      world.settings(
        app.url,
        `
  - { issuer: "${issuer}", audiences: [orders], keys: { discovery: true } }
`,
      ),
    )
    const answers = new Map<unknown, number>()
    let isOver = false
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const answer = await answerOf(gate, await provider.issue())
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
      }
    })
    const reached = (count: number) => eventually(() => expect(answers.get(200) ?? 0).toBeGreaterThan(count), 10_000)
    await reached(20)
    let before = makeKey(algorithm, 'first')
    for (const name of ['second', 'third']) {
      expect(await answerOf(gate, junk(issuer, `junk-before-${name}`))).toBe('401 key_unknown')
      const next = makeKey(algorithm, name)
      provider.publish(next, before)
      await reached((answers.get(200) ?? 0) + 20)
      before = next
    }
    isOver = true
    await Promise.all(load)
    expect([...answers.keys()]).toEqual([200])
  })
})

/** An issuer whose key set is what `keys` answers. */
async function startProvider(
  keys: () => string,
  more = '',
): Promise<{ gate: Gateway; server: KeyServer; issuer: string }> {
  const server = await startKeyServer((res, req) => answerWith(keys())(res, req))
  closing.push(server.close)
  const issuer = server.origin
  const settings = `
  - { issuer: "${issuer}", audiences: [orders], keys: { jwksUri: "${server.url}" } }
log: { level: debug }
${more}`
  return { gate: await startGateway(world.settings(app.url, settings)), server, issuer }
}
const tokenOf = (issuer: string, key: TestKey, header: Record<string, unknown> = {}) =>
  signToken(key, goodClaims({ iss: issuer, jti: String(Math.random()) }, nowSeconds()), header)

describe('a key set', () => {
  it('of a Keycloak, with a key for encryption beside the one that signs, is read without a warning', async () => {
    const [signing, wrapping] = [makeKey('RS256', 'sig-key'), makeKey('RS256', 'enc-key')]
    const certificate = { x5c: ['MIICmzCCAYMCBgGV'], x5t: 'Gg', 'x5t#S256': 'Xy' }
    const set = JSON.stringify({
      keys: [
        publicJwk(wrapping, { alg: 'RSA-OAEP', use: 'enc', ...certificate }),
        publicJwk(signing, { alg: 'RS256', use: 'sig', ...certificate }),
      ],
    })
    const { gate, issuer, server } = await startProvider(() => set)
    expect(await answerOf(gate, tokenOf(issuer, signing))).toBe(200)
    expect(await answerOf(gate, tokenOf(issuer, wrapping))).toBe('401 key_unknown')
    expect(server.asked.length).toBeGreaterThan(1)
    const told = gate.lines.filter(({ msg }) => msg === 'Ignored a key of the issuer')
    expect(told).toEqual([expect.objectContaining({ level: 'debug', keyId: 'enc-key', why: 'its "use" is not "sig"' })])
  })

  it('with a key twice, and with two keys of one kid, admits the tokens of all', async () => {
    const [one, other] = [makeKey('ES256', 'same'), makeKey('ES256', 'same')]
    let set = JSON.stringify({ keys: [publicJwk(one), publicJwk(one)] })
    const { gate, issuer } = await startProvider(() => set)
    const remembered = tokenOf(issuer, one)
    expect(await answerOf(gate, remembered)).toBe(200)
    set = JSON.stringify({ keys: [publicJwk(one), publicJwk(other), publicJwk(makeKey('ES256', 'marker'))] })
    expect(await answerOf(gate, junk(issuer, 'has the set fetched'))).toBe('401 key_unknown')
    expect(await answerOf(gate, remembered)).toBe(200)
    expect(await answerOf(gate, tokenOf(issuer, one))).toBe(200)
    expect(await answerOf(gate, tokenOf(issuer, other))).toBe(200)
    expect(await answerOf(gate, tokenOf(issuer, makeKey('ES256', 'same')))).toBe('401 signature_invalid')
  })

  it('with members that are null, a byte order mark and six keys admits tokens without kid', async () => {
    const keys = Array.from({ length: 6 }, (_, i) => makeKey('ES256', `k${i}`))
    const jwks = keys.map((key, i) => publicJwk(key, i % 2 ? { use: null, alg: '' } : { key_ops: [], alg: null }))
    const { gate, issuer } = await startProvider(() => `\uFEFF${JSON.stringify({ keys: jwks })}`)
    for (const key of keys) expect(await answerOf(gate, tokenOf(issuer, key, { kid: undefined }))).toBe(200)
  })
})

describe('a key of the refresh with the kid of the provider', () => {
  it('has both tried, and a line in the log', async () => {
    const provider = makeKey('EdDSA', 'k1')
    const refresh = `refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey('k1')} }\n`
    const { gate, issuer } = await startProvider(() => jwksOf(provider), refresh)
    await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
    const due = signToken(
      provider,
      goodClaims(
        { iss: issuer, iat: nowSeconds() - 90, exp: nowSeconds() + 30, auth_time: nowSeconds() - 90 },
        nowSeconds(),
      ),
    )
    const answer = await gate.request('/', { token: due })
    expect(answer.status).toBe(200)
    const next = answer.headers.get('x-refreshed-token') ?? ''
    expect(await answerOf(gate, next)).toBe(200)
    const warning =
      'Key "k1" of the refresh has the key id of a key of the issuer: both are tried for each token with it'
    expect(gate.lines.filter(({ msg }) => msg === warning)).toEqual([
      expect.objectContaining({ level: 'warn', issuer }),
    ])
  })

  it('is a warning of check where the keys of the issuer are in a file, and so is one key for both', async () => {
    const file = join(world.folder, 'sidegate.yaml')
    const refresh = (key: string) => `refresh: { window: 60s, lifetime: 2m, key: ${key} }\n`
    writeFileSync(file, world.settings(app.url, refresh(world.signingKey(world.issuerKey.keyId))))
    const named = await sidegate(['check', '--config', file])
    expect(named.complained.join('\n')).toContain('of the refresh has the key id of a key of the issuer')
    expect(named.exitCode).toBe(0)

    const pem = world.issuerKey.privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(join(world.folder, 'shared.pem'), pem, { mode: 0o600 })
    const shared = `{ privateKeyFile: ${world.folder}/shared.pem, algorithm: ES256, keyId: own }`
    writeFileSync(file, world.settings(app.url, refresh(shared)))
    const same = await sidegate(['check', '--config', file])
    expect(same.complained.join('\n')).toContain('its tokens and their successors cannot be told apart')
  })
})

describe('an issuer that cannot be reached', () => {
  it('leaves a gate ready that a reload adds it to, and its tokens get 503', async () => {
    const provider = makeKey('ES256', 'k1')
    const { gate, server, issuer } = await startProvider(() => jwksOf(provider))
    await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
    const away = 'http://127.0.0.1:1'
    await gate.reload(
      world.settings(
        app.url,
        `
  - { issuer: "${issuer}", audiences: [orders], keys: { jwksUri: "${server.url}" } }
  - { issuer: "${away}", audiences: [orders], keys: { discovery: true } }
`,
      ),
    )
    const ready = await gate.admin('/readyz')
    expect(ready.status).toBe(200)
    expect(await answerOf(gate, tokenOf(issuer, provider))).toBe(200)
    expect(await answerOf(gate, tokenOf(away, provider))).toBe('503 keys_unavailable')
    expect(await (await gate.admin('/readyz')).text()).toContain(`${away}: Cannot load keys`)
  })
})
