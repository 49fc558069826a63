// A fleet in the middle of an upgrade: gates of commit 7d4b85d and of today share one list, one signing key and the refresh
// tokens in Redis, in both directions. What the older ones cannot know is in docs/upgrade.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { killProcesses } from '../support/process.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type ReleasedGate, runReleased, startReleasedGate } from '../support/released.ts'
import { issuersLine } from '../support/settings.ts'
import { sidegate } from '../support/shell.ts'
import { claimsOf } from '../support/tokens.ts'

// Commands of the older version are processes: ten of them take some seconds each on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const LOG = 'sidegate:{default}:log'
const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }

let world: World
let app: EchoOrigin
let redis: TestRedis
beforeEach(async () => {
  world = createWorld()
  app = await startEchoOrigin()
  redis = await startRedis()
})
afterEach(async () => {
  killProcesses()
  await stopGateways()
  await redis.stop()
  await app.close()
  world.remove()
})

type Version = 'old' | 'new'
interface AnyGate {
  readonly request: (token: string) => Promise<Response>
  readonly admin: (path: string, options?: RequestInit) => Promise<Response>
  readonly stop: () => Promise<void>
}

/** Starts a gate of either version and waits until it is ready. */
async function start(version: Version, more = '', edit = (text: string) => text): Promise<AnyGate> {
  const settings = world.settings(
    app.url,
    `revocation: { redis: '${redis.url}'${more} }
refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()} }
`,
  )
  const text = edit(settings)
  const gate = version === 'old' ? oldGate(await startReleasedGate(text)) : newGate(await startGateway(text))
  await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
  return gate
}

function oldGate(gate: ReleasedGate): AnyGate {
  return { request: (token) => gate.request('/orders', token), admin: gate.admin, stop: gate.stop }
}

function newGate(gate: Gateway): AnyGate {
  return { request: (token) => gate.request('/orders', { token }), admin: gate.admin, stop: () => gate.app.stop() }
}

/** The command line of either version. */
async function run(version: Version, given: readonly string[]): Promise<void> {
  const { exitCode } = version === 'old' ? await runReleased(given) : await sidegate(given)
  expect(exitCode).toBe(0)
}

const startBoth = (more = '') => Promise.all([start('old', more), start('new', more)])
const refused = (gate: AnyGate, token: string) =>
  eventually(async () => expect(await reasonOf(await gate.request(token))).toBe('token_revoked'))
const admitted = (gate: AnyGate, token: string) =>
  eventually(async () => expect((await gate.request(token)).status).toBe(200))

describe.each([
  ['old', 'new'],
  ['new', 'old'],
] as const)('what the %s version writes and the %s version reads', (writer, reader) => {
  // holds: gates-of-older-version
  it('revokes and lifts by the command line, on every gate', async () => {
    const gates = await startBoth()
    const token = world.mint({ jti: 'stolen', sub: 'mallory', sid: 'session', azp: 'client' })
    const at = ['--redis', redis.url]
    for (const [kind, flag, value] of [
      ['token', '--jti', 'stolen'],
      ['subject', '--subject', 'mallory'],
      ['session', '--session', 'session'],
      ['client', '--client', 'client'],
      ['key', '--key-id', 'ES256-key'],
    ] as const) {
      await run(writer, ['revoke', ...at, flag, value])
      for (const gate of gates) await refused(gate, token)
      await run(writer, ['revocations', 'lift', kind, value, ...at])
      for (const gate of gates) await admitted(gate, token)
    }
  })

  it('lifts what the other version wrote', async () => {
    const gates = await startBoth()
    const token = world.mint({ jti: 'stolen' })
    await run(reader, ['revoke', '--redis', redis.url, '--jti', 'stolen'])
    for (const gate of gates) await refused(gate, token)
    await run(writer, ['revocations', 'lift', 'token', 'stolen', '--redis', redis.url])
    for (const gate of gates) await admitted(gate, token)
  })

  it('revokes by the API and by RFC 7009', async () => {
    const [byWriter, byReader] = await Promise.all([start(writer), start(reader)])
    const [byRule, byToken] = [world.mint({ jti: 'by-rule' }), world.mint({ jti: 'by-token' })]
    const body = JSON.stringify({ kind: 'token', value: 'by-rule' })
    expect((await byWriter.admin('/revocations', { method: 'POST', headers, body })).status).toBe(201)
    const form = new URLSearchParams({ token: byToken })
    expect((await byWriter.admin('/oauth/revoke', { method: 'POST', headers, body: form })).status).toBe(200)
    for (const gate of [byWriter, byReader]) for (const token of [byRule, byToken]) await refused(gate, token)
  })

  it('is looked up in Redis with "check: redis"', async () => {
    const gate = await start(reader, ', check: redis, timeout: 1s')
    const token = world.mint({ jti: 'stolen' })
    await run(writer, ['revoke', '--redis', redis.url, '--jti', 'stolen'])
    await refused(gate, token)
    await run(writer, ['revocations', 'lift', 'token', 'stolen', '--redis', redis.url])
    await admitted(gate, token)
  })

  it('holds a rule that a gate writes back after Redis lost it, and the lift behind it', async () => {
    const keeper = await start(writer)
    const [revoked, lifted] = [world.mint({ jti: 'revoked' }), world.mint({ jti: 'lifted' })]
    await run(reader, ['revoke', '--redis', redis.url, '--jti', 'revoked'])
    await run(reader, ['revoke', '--redis', redis.url, '--jti', 'lifted'])
    for (const token of [revoked, lifted]) await refused(keeper, token)
    await run(reader, ['revocations', 'lift', 'token', 'lifted', '--redis', redis.url])
    await admitted(keeper, lifted)

    await redis.command('FLUSHALL')
    await eventually(async () => expect(await redis.command('XLEN', LOG)).toBeGreaterThan(0))
    const newcomer = await start(reader)
    await refused(newcomer, revoked)
    await admitted(newcomer, lifted)
    await keeper.stop()
    await refused(newcomer, revoked)
  })

  it('signs a next token that the other version admits, renews and ends with its session', async () => {
    const [signer, other] = await Promise.all([start(writer), start(reader)])
    const first = world.due({ sid: 'session', auth_time: Math.floor(Date.now() / 1000) - 600 })
    const next = nextOf(await signer.request(first)) ?? ''
    expect(claimsOf(next)).toMatchObject({ sub: 'alice', sid: 'session' })
    for (const gate of [signer, other]) await admitted(gate, next)
    await run(reader, ['revoke', '--redis', redis.url, '--session', 'session'])
    for (const gate of [signer, other]) for (const token of [first, next]) await refused(gate, token)
  })

  it('ends a next token with the first one, which had no session', async () => {
    const [signer, other] = await Promise.all([start(writer), start(reader)])
    const first = world.due({ jti: 'first' })
    const next = nextOf(await signer.request(first)) ?? ''
    for (const gate of [signer, other]) await admitted(gate, next)
    await run(reader, ['revoke', '--redis', redis.url, '--token', first])
    for (const gate of [signer, other]) for (const token of [first, next]) await refused(gate, token)
  })
})

it('goes on with a session through gates of both versions, to the end that it began with', async () => {
  const [byOld, byNew] = await startBoth()
  const first = world.due({ jti: 'first' })
  const began = claimsOf(first).iat
  const ofOld = nextOf(await byOld.request(first)) ?? ''
  expect(claimsOf(ofOld)).toMatchObject({ auth_time: began })
  for (const gate of [byOld, byNew]) await admitted(gate, ofOld)
  const ofNew = nextOf(await byNew.request(first)) ?? ''
  expect(claimsOf(ofNew)).toMatchObject({ session_start: began, original_key_id: 'ES256-key', sid: 'first' })
  expect(claimsOf(ofNew)).not.toHaveProperty('auth_time')
  for (const gate of [byOld, byNew]) await admitted(gate, ofNew)
})

it.each([
  ['old', 'new'],
  ['new', 'old'],
] as const)(
  'renews a session from the %s version to the %s one and back, and its rule ends every token of it',
  async (...versions) => {
    const short = (text: string) => text.replace('lifetime: 2m', 'lifetime: 61s')
    const gates = [await start(versions[0], '', short), await start(versions[1], '', short)]
    const began = Math.floor(Date.now() / 1000) - 600
    const tokens = [world.due({ sid: 'session', auth_time: began })]
    for (const gate of [...gates, ...gates]) {
      const next = await eventually(async () => {
        const given = nextOf((await gate?.request(tokens.at(-1) ?? '')) as Response)
        if (given === null) throw new Error('not due yet')
        return given
      }, 100)
      const { session_start, auth_time, ...claims } = claimsOf(next)
      expect(claims).toMatchObject({ sub: 'alice', sid: 'session' })
      // To today's gates the end of the session does not move, whatever an older one writes beside it.
      expect(session_start ?? auth_time).toBe(began)
      for (const each of gates) await admitted(each as AnyGate, next)
      tokens.push(next)
    }
    expect(new Set(tokens).size).toBe(5)
    await run(versions[1], ['revoke', '--redis', redis.url, '--session', 'session'])
    for (const gate of gates) for (const token of tokens) await refused(gate as AnyGate, token)
  },
)

it("ends at today's gates what an older one signed, with any key of its issuer", async () => {
  const [byOld, byNew] = await startBoth()
  const next = nextOf(await byOld.request(world.due())) ?? ''
  await admitted(byNew, next)
  await run('new', ['revoke', '--redis', redis.url, '--key-id', 'some-key'])
  await refused(byNew, next)
  await admitted(byNew, world.mint())
})

it('gives one next token for one token, whichever version is asked', async () => {
  const gates = await startBoth()
  const first = world.due({ sid: 'session' })
  const [byOld, byNew] = await Promise.all(gates.map(async (gate) => claimsOf(nextOf(await gate.request(first)) ?? '')))
  expect(byNew?.jti).toBe(byOld?.jti)
})

it('needs its new settings in a file of their own, as an older version refuses what it does not know', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'sidegate-upgrade-')), 'sidegate.yaml')
  const check = async (more: string) => {
    writeFileSync(file, `${issuersLine}\n${more}\n`)
    return runReleased(['check', '--config', file])
  }
  // What docs/upgrade.md has older gates take over beforehand.
  const known = 'tokens: { sources: [{ cookie: session }] }\ncors: { origins: [https://app.example.com] }'
  expect(await check(known)).toMatchObject({ exitCode: 0 })
  expect(await check('forward: { headerNames: token }')).toMatchObject({ exitCode: 1 })
  rmSync(dirname(file), { recursive: true })
})
