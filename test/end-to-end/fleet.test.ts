// One list for a fleet: what is revoked anywhere is refused everywhere, through every trouble of Redis.
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { startRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'

let world: World
let upstream: EchoOrigin
let redis: Awaited<ReturnType<typeof startRedis>>

beforeEach(async () => {
  world = createWorld()
  upstream = await startEchoOrigin()
  redis = await startRedis()
})

afterEach(async () => {
  await stopGateways()
  await redis.stop()
  await upstream.close()
  world.remove()
})

function startWith(more = ''): Promise<Gateway> {
  return startGateway(world.settings(upstream.url, `revocation: { redis: '${redis.url}'${more} }\n`))
}

async function startReady(more = ''): Promise<Gateway> {
  const gate = await startWith(more)
  await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
  return gate
}

const statusOf = async (gate: Gateway, token: string) => (await gate.request('/orders', { token })).status
const refusal = async (gate: Gateway, token: string) => reasonOf(await gate.request('/orders', { token }))
/** The verdict of a gate that asks Redis, where Redis was not too late for it: the reason, or the status without one. */
const verdict = (gate: Gateway, token: string) =>
  eventually(async () => {
    const response = await gate.request('/orders', { token })
    const reason = await reasonOf(response)
    expect(reason).not.toBe('revocation_stale')
    return reason ?? response.status
  })

describe('a fleet of gates on one Redis', () => {
  it('refuses a token on every gate once it is revoked on the command line, and admits it when that is lifted', async () => {
    const gates = [await startReady(), await startReady()]
    const token = world.mint({ jti: 'stolen' })
    for (const gate of gates) expect(await statusOf(gate, token)).toBe(200)

    expect(await sidegate(['revoke', '--redis', redis.url, '--jti', 'stolen'])).toMatchObject({ exitCode: 0 })
    for (const gate of gates) await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))

    expect(await sidegate(['revocations', 'lift', 'token', 'stolen', '--redis', redis.url])).toMatchObject({
      exitCode: 0,
    })
    for (const gate of gates) await eventually(async () => expect(await statusOf(gate, token)).toBe(200))
  })

  const kinds: [kind: string, value: string, claims: Record<string, unknown>][] = [
    ['token', 'the-jti', { jti: 'the-jti' }],
    ['subject', 'mallory', { sub: 'mallory' }],
    ['session', 'the-session', { sid: 'the-session' }],
    ['client', 'the-client', { azp: 'the-client' }],
    ['client', 'other-client', { client_id: 'other-client' }],
    ['key', 'ES256-key', {}],
    ['issuer', 'https://id.example.com', {}],
  ]
  it('knows every kind of rule, written by one plain XADD of any program', async () => {
    const gate = await startReady()
    for (const [kind, value, claims] of kinds) {
      const token = world.mint(claims)
      expect(await statusOf(gate, token)).toBe(200)
      const fields = ['kind', kind, 'value', value, 'expires', String(Math.floor(Date.now() / 1000) + 3600)]
      const id = await redis.command('XADD', 'sidegate:{default}:log', '*', ...fields)
      await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))
      await untilAfter(String(id))
      await redis.command('XADD', 'sidegate:{default}:log', '*', ...fields, 'lifted', 'true')
      await eventually(async () => expect(await statusOf(gate, token)).toBe(200))
    }
  })

  /** A lift of the same millisecond as its rule would not count. */
  async function untilAfter(id: string): Promise<void> {
    await eventually(async () => {
      const [seconds, microseconds] = ((await redis.command('TIME')) as string[]).map(Number)
      expect(seconds! * 1000 + Math.floor(microseconds! / 1000)).toBeGreaterThan(Number.parseInt(id, 10))
    })
  }

  it('refuses everything that a stolen key signs, also where the thief leaves out the key id', async () => {
    const gate = await startReady()
    const nameless = world.mint({}, { kid: undefined })
    expect(await statusOf(gate, nameless)).toBe(200)
    await sidegate(['revoke', '--redis', redis.url, '--key-id', 'ES256-key'])
    for (const token of [world.mint(), nameless, world.mint({}, { kid: undefined })])
      await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))
  })

  it('logs a subject out without touching tokens that are issued afterwards', async () => {
    const gate = await startReady()
    const nowSeconds = () => Math.floor(Date.now() / 1000)
    const before = world.mint({ sub: 'alice', iat: nowSeconds() - 100 })
    await sidegate(['revoke', '--redis', redis.url, '--subject', 'alice', '--issued-before', 'now'])
    await eventually(async () => expect(await refusal(gate, before)).toBe('token_revoked'))
    expect(await statusOf(gate, world.mint({ sub: 'alice', iat: nowSeconds() + 2 }))).toBe(200)
  })

  // holds: another-spelling-revoked-token
  it('revokes a token without jti by its signed part, however its signature is spelled', async () => {
    const gate = await startReady()
    const claims = {
      jti: undefined,
      sub: 'nameless',
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 60,
    }
    const [one, other] = [world.mint(claims), world.mint(claims)]
    expect(one).not.toBe(other)
    await sidegate(['revoke', '--redis', redis.url, '--token', one])
    for (const token of [one, other])
      await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))
  })

  it('takes revocations by the admin port of any gate, RFC 7009 included', async () => {
    const gates = [await startReady(), await startReady()]
    const [first, second] = [world.mint({ jti: 'by-rule' }), world.mint({ jti: 'by-token' })]
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const rule = JSON.stringify({ kind: 'token', value: 'by-rule' })
    expect((await gates[0]!.admin('/revocations', { method: 'POST', headers, body: rule })).status).toBe(201)
    const body = new URLSearchParams({ token: second })
    expect((await gates[1]!.admin('/oauth/revoke', { method: 'POST', headers, body })).status).toBe(200)
    for (const gate of gates)
      for (const token of [first, second])
        await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))
  })

  // holds: gates-cut-off
  it('shows in its metrics what it holds, and that it is up to date', async () => {
    const gate = await startReady()
    await sidegate(['revoke', '--redis', redis.url, '--subject', 'mallory'])
    await eventually(async () => expect(await gate.metric('sidegate_revocation_rules', { kind: 'subject' })).toBe(1))
    expect(await gate.metric('sidegate_revocation_synced')).toBe(1)
    expect(await gate.metric('sidegate_redis_up')).toBe(1)
    expect(await gate.metric('sidegate_revocation_last_heard_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 5)
    expect(await gate.metric('sidegate_revocation_propagation_seconds_count')).toBe(1)
  })
})

describe('Redis in trouble', () => {
  it('away at the start: not ready and refusing, then ready without a restart', async () => {
    const { port } = redis
    await redis.stop()
    const gate = await startWith()
    const token = world.mint()
    expect(await (await gate.admin('/readyz')).json()).toMatchObject({ ready: false })
    expect((await gate.admin('/livez')).status).toBe(200)
    expect(await refusal(gate, token)).toBe('revocation_stale')
    redis = await startRedis([], { port })
    await vi.waitFor(async () => expect((await gate.admin('/readyz')).status).toBe(200), { timeout: 10_000 })
    expect(await statusOf(gate, token)).toBe(200)
  })

  // holds: redis-killed
  it('away later: the local copy serves until maxStaleness, then it is 503, and a revoked token is never admitted', async () => {
    const gate = await startReady(', maxStaleness: 5s')
    const [good, revoked] = [world.mint(), world.mint({ jti: 'revoked' })]
    await sidegate(['revoke', '--redis', redis.url, '--jti', 'revoked'])
    await eventually(async () => expect(await refusal(gate, revoked)).toBe('token_revoked'))
    const { port } = redis
    await redis.stop()
    expect(await statusOf(gate, good)).toBe(200)
    await eventually(async () => expect(await refusal(gate, good)).toBe('revocation_stale'), 1000)
    expect(await refusal(gate, revoked)).toBe('token_revoked')
    expect(await gate.metric('sidegate_degraded_decisions_total', { policy: 'deny' })).toBeGreaterThan(0)
    redis = await startRedis([], { port })
    await vi.waitFor(async () => expect(await statusOf(gate, good)).toBe(200), { timeout: 10_000 })
    // The new Redis is empty: the gate kept its rule, and gives it back to the fleet.
    expect(await refusal(gate, revoked)).toBe('token_revoked')
    const newcomer = await startReady()
    await vi.waitFor(async () => expect(await refusal(newcomer, revoked)).toBe('token_revoked'), { timeout: 10_000 })
  })

  it('away later with whenStale: allow: admitted, counted, and known rules still hold', async () => {
    const gate = await startReady(', maxStaleness: 200ms, whenStale: allow')
    const [good, revoked] = [world.mint(), world.mint({ jti: 'revoked' })]
    await sidegate(['revoke', '--redis', redis.url, '--jti', 'revoked'])
    await eventually(async () => expect(await refusal(gate, revoked)).toBe('token_revoked'))
    await redis.stop()
    await eventually(async () => {
      expect(await statusOf(gate, good)).toBe(200)
      expect(await gate.metric('sidegate_degraded_decisions_total', { policy: 'allow' })).toBeGreaterThan(0)
    })
    expect(await refusal(gate, revoked)).toBe('token_revoked')
  })
})

describe('other ways to ask', () => {
  it('check: redis enforces at the very next request, whoever wrote the rule and however', async () => {
    const gate = await startReady(', check: redis, timeout: 1s')
    const [one, other] = [world.mint({ jti: 'by-cli' }), world.mint({ jti: 'by-xadd' })]
    expect(await verdict(gate, one)).toBe(200)
    await sidegate(['revoke', '--redis', redis.url, '--jti', 'by-cli'])
    expect(await verdict(gate, one)).toBe('token_revoked')
    await redis.command(
      'XADD',
      'sidegate:{default}:log',
      '*',
      'kind',
      'token',
      'value',
      'by-xadd',
      'expires',
      '9999999999',
    )
    await eventually(async () => expect(await refusal(gate, other)).toBe('token_revoked'))
  })

  it('check: redis ends a connection that is open when its token is revoked', async () => {
    const gate = await startReady(', check: redis, timeout: 1s')
    const sockets = new WebSocketServer({ server: upstream.server })
    const headers = { authorization: `Bearer ${world.mint({ jti: 'open' })}` }
    const socket = await eventually(async () => {
      const opening = new WebSocket(`ws://127.0.0.1:${gate.port}/`, { headers })
      await once(opening, 'open')
      return opening
    })
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    await sidegate(['revoke', '--redis', redis.url, '--jti', 'open'])
    expect(await closed).toBe(1008)
    sockets.close()
  })

  it('check: redis adopts the plain keys of an existing list', async () => {
    const gate = await startReady(', check: redis, timeout: 1s, keys: ["{jti}", "blocked:{sub}"]')
    const [one, other] = [world.mint({ jti: 'plain' }), world.mint({ sub: 'mallory' })]
    expect([await verdict(gate, one), await verdict(gate, other)]).toEqual([200, 200])
    await redis.command('SET', 'plain', 'revoked', 'EX', '60')
    await redis.command('SET', 'blocked:mallory', '1')
    expect([await verdict(gate, one), await verdict(gate, other)]).toEqual(['token_revoked', 'token_revoked'])
  })

  it('check: redis refuses while Redis is away', async () => {
    const gate = await startReady(', check: redis')
    const token = world.mint()
    await redis.stop()
    expect(await refusal(gate, token)).toBe('revocation_stale')
  })

  it('follow: poll sees the same, a little later', async () => {
    const gate = await startReady(', follow: poll')
    const token = world.mint({ jti: 'polled' })
    expect(await statusOf(gate, token)).toBe(200)
    await sidegate(['revoke', '--redis', redis.url, '--jti', 'polled'])
    await eventually(async () => expect(await refusal(gate, token)).toBe('token_revoked'))
  })

  it('lists of other names do not meet', async () => {
    const [ours, theirs] = [await startReady(), await startReady(', list: theirs')]
    const token = world.mint({ jti: 'shared' })
    await sidegate(['revoke', '--redis', redis.url, '--list', 'theirs', '--jti', 'shared'])
    await eventually(async () => expect(await refusal(theirs, token)).toBe('token_revoked'))
    expect(await statusOf(ours, token)).toBe(200)
  })
})
