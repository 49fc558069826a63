// One refresh token, one use: over a real Redis, at a token endpoint that answers whatever it is told to.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRefreshTokenBook, createSuccessorBook } from '../../src/refresh/fleet-entries.ts'
import { createJudge } from '../../src/refresh/judgement.ts'
import { createRefreshGrant } from '../../src/refresh/refresh-grant.ts'
import { createTokenEndpoint } from '../../src/refresh/token-endpoint.ts'
import { silentLog, silentObserver } from '../../src/revocation/report.ts'
import { createRedisStore, type RedisStore } from '../../src/revocation/store.ts'
import { createAdmission, verified } from '../support/admission.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type Answer, issue, startTokenEndpoint, type TestTokenEndpoint } from '../support/token-endpoint.ts'
import { goodClaims, makeKey, NOW_SECONDS, signToken } from '../support/tokens.ts'

const LOCK_MS = 10_000
const key = makeKey('ES256')
let redis: TestRedis
let store: RedisStore
let endpoint: TestTokenEndpoint

beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  await redis.command('flushall')
  const settings = { url: redis.url, list: 'default', maxLifetimeSeconds: 3600, toleranceSeconds: 0 }
  store = createRedisStore({ ...settings, observe: silentObserver, log: silentLog })
  // Where the first attempt fails, it goes on trying.
  store.open().catch(() => {})
  await eventually(() => expect(store.isUp()).toBe(true))
  endpoint = await startTokenEndpoint()
})
afterEach(async () => {
  await store.close()
  await endpoint.close()
})
afterAll(() => redis.stop())

let count = 0
const due = (claims: Record<string, unknown> = {}) =>
  signToken(key, goodClaims({ exp: NOW_SECONDS + 30, jti: `due-${++count}`, ...claims }))
const next = (claims: Record<string, unknown> = {}) => signToken(key, goodClaims({ jti: `next-${++count}`, ...claims }))

/** A gate of the fleet; `tick` is what its clock goes on by with each look at it. */
async function createGate(text: string, { lockMs = LOCK_MS, tick = 0 } = {}) {
  const clock = () => NOW_SECONDS * 1000
  const admission = createAdmission(key, clock)
  const policy = { windowSeconds: 60, lifetimeSeconds: 300, maxSessionSeconds: 3600, maxBytes: 8192 }
  const refreshTokens = createRefreshTokenBook(store.entries, [fileKey], clock)
  let elapsedMs = 0
  const obtain = createRefreshGrant({
    endpoint: createTokenEndpoint({
      ...{ tokenEndpoint: endpoint.url, clientId: 'app', clientSecret: 'secret', deadlineMs: 5_000 },
      fetch: globalThis.fetch,
    }),
    ...{ entries: store.entries, book: createSuccessorBook(store.entries, clock), refreshTokens, lockMs },
    judge: createJudge({ policy, admit: admission.admit, clock }),
    monotonic: () => {
      elapsedMs += tick
      return elapsedMs
    },
  })
  const token = await verified(admission, text)
  return {
    obtain: () => obtain({ token, text, patienceMs: 0 }),
    hold: (refreshToken: string) =>
      store.entries.change([refreshTokens.entry(text, token.refusedFromSeconds, refreshToken)]),
    /** The refresh token that is held for an access token. */
    heldFor: async (accessToken: string) => {
      const [sealed] = await store.entries.read([refreshTokens.nameOf(accessToken)])
      return sealed === undefined ? undefined : refreshTokens.open(sealed, accessToken)
    },
  }
}
const fileKey = randomBytes(32)
const endLocks = async () => {
  for (const lock of (await redis.command('keys', '*:exchange:*')) as string[]) await redis.command('del', lock)
}
const usedTokens = () => endpoint.asked.map(({ form }) => form.get('refresh_token'))
const inTurn = (...answers: Answer[]): Answer => {
  const left = [...answers]
  return (asked, res, req) => left.shift()?.(asked, res, req)
}

describe('the refresh token', () => {
  it('that was rotated belongs to the new access token, and the old access token has none any more', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = issue(issued, { refresh_token: 'second' })
    expect(await gate.obtain()).toMatchObject({ result: { state: 'issued', text: issued }, isFresh: true })
    expect(await gate.heldFor(issued)).toBe('second')
    expect(await gate.heldFor(text)).toBeUndefined()
  })

  it('that was not rotated goes along', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('for ever')
    endpoint.answer = issue(issued)
    await gate.obtain()
    expect(await gate.heldFor(issued)).toBe('for ever')
  })

  it('that came with a token which is not handed out is the one for the next try', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = inTurn(
      issue(next({ scope: 'admin' }), { refresh_token: 'second' }),
      issue(issued, { refresh_token: 'third' }),
    )
    await expect(gate.obtain()).rejects.toThrow('it has a scope that the token before had not')
    await endLocks()
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    expect(usedTokens()).toEqual(['first', 'second'])
    expect(await gate.heldFor(issued)).toBe('third')
  })

  it('is thrown away with a session that is over', async () => {
    const text = due({ iat: NOW_SECONDS - 3400 })
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = issue(next(), { refresh_token: 'second' })
    expect(await gate.obtain()).toEqual({ result: { state: 'over' }, isFresh: true })
    expect(await gate.heldFor(text)).toBeUndefined()
    expect(await (await createGate(text)).obtain()).toEqual({ result: { state: 'over' }, isFresh: false })
    expect(usedTokens()).toEqual(['first'])
  })

  it('is not used by a gate that stood still after it had taken the lock', async () => {
    const text = due()
    const gate = await createGate(text, { tick: 3_000 })
    await gate.hold('first')
    expect(await gate.obtain()).toEqual({ result: 'elsewhere', isFresh: false })
    expect(usedTokens()).toEqual([])
  })

  it('is not used while another gate has the lock', async () => {
    const text = due()
    const [first, second] = [await createGate(text), await createGate(text)]
    await first.hold('first')
    endpoint.answer = async (asked, res, req) => {
      expect(await second.obtain()).toEqual({ result: 'elsewhere', isFresh: false })
      await issue(next(), { refresh_token: 'second' })(asked, res, req)
    }
    expect(await first.obtain()).toMatchObject({ isFresh: true })
    expect(await second.obtain()).toMatchObject({ result: { state: 'issued' }, isFresh: false })
    expect(usedTokens()).toEqual(['first'])
  })

  it('that cannot be kept takes its access token along: nobody gets that', async () => {
    const text = due()
    const gate = await createGate(text, { lockMs: 2_000, tick: 100 })
    await gate.hold('first')
    endpoint.answer = async (asked, res, req) => {
      // It goes on to read, but takes nothing any more.
      await redis.command('config', 'set', 'min-replicas-to-write', '1')
      await issue(next(), { refresh_token: 'second' })(asked, res, req)
    }
    try {
      await expect(gate.obtain()).rejects.toThrow('Redis does not take the new refresh token')
    } finally {
      await redis.command('config', 'set', 'min-replicas-to-write', '0')
    }
  })
})
