// One refresh token, one use: over a real Redis, at a token endpoint that answers whatever it is told to.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRefreshTokenBook, createSuccessorBook } from '../../../src/refresh/identity-provider/exchange-lock.ts'
import { createJudge, type Judge } from '../../../src/refresh/identity-provider/judgement.ts'
import { createRefreshGrant } from '../../../src/refresh/identity-provider/refresh-grant.ts'
import { createTokenEndpoint } from '../../../src/refresh/identity-provider/token-endpoint.ts'
import { silentLog, silentObserver } from '../../../src/revocation/log/report.ts'
import { createRedisStore, type RedisStore } from '../../../src/revocation/log/store.ts'
import { createAdmission, verified } from '../../support/admission.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import {
  type Answer,
  issue,
  refuseWith,
  startTokenEndpoint,
  type TestTokenEndpoint,
} from '../../support/token-endpoint.ts'
import { goodClaims, makeKey, NOW_SECONDS, signToken } from '../../support/tokens.ts'

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
  const settings = { url: redis.url, list: 'default', maxLifetimeSeconds: () => 3600, toleranceSeconds: () => 0 }
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

interface GateOptions {
  readonly lockMs?: number
  readonly tick?: number
  readonly whenInDoubt?: 'stop' | 'retry'
  readonly judge?: Judge
  readonly deadlineMs?: number
}

/** A gate of the fleet; `tick` is what its clock goes on by with each look at it. */
async function createGate(
  text: string,
  { lockMs = LOCK_MS, tick = 0, whenInDoubt = 'stop', judge, deadlineMs = 5_000 }: GateOptions = {},
) {
  const clock = () => NOW_SECONDS * 1000
  const admission = createAdmission(key, clock)
  const policy = { windowSeconds: 60, lifetimeSeconds: 300, maxSessionSeconds: 3600, maxBytes: 8192 }
  const refreshTokens = createRefreshTokenBook(store.entries, [fileKey], clock)
  let elapsedMs = 0
  const reports: string[] = []
  const obtain = createRefreshGrant({
    endpoint: createTokenEndpoint({
      ...{ tokenEndpoint: endpoint.url, clientId: 'app', deadlineMs },
      credentials: { method: 'client_secret_basic', secret: 'secret' },
      ...{ fetch: globalThis.fetch, clock },
    }),
    ...{ entries: store.entries, book: createSuccessorBook(store.entries, clock), refreshTokens, lockMs },
    judge: judge ?? createJudge({ policy, admit: admission.admit, clock }),
    whenInDoubt,
    report: (_, problem) => reports.push(problem),
    monotonic: () => {
      elapsedMs += tick
      return elapsedMs
    },
  })
  const token = await verified(admission, text)
  return {
    reports,
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
/** Every answer after which nobody knows whether the refresh token is used up. */
const doubtful: Record<string, Answer> = {
  'no answer': () => {},
  'a connection that breaks': (_, res) => void res.destroy(),
  'an answer that is cut short': (_, res) => {
    const body = JSON.stringify({ access_token: next(), token_type: 'Bearer', refresh_token: 'second' })
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    res.write(body.slice(0, -20), () => res.destroy())
  },
  'a page': (_, res) => void res.end('<html>'),
  'a gateway that waited in vain': refuseWith(504, {}),
}
/** A lock that leaves the provider a second and a half. */
const SHORT_LOCK_MS = 3_000
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

  const odd: Record<string, Record<string, unknown>> = {
    // holds: refresh-token-spent-twice
    'a scope of null': { scope: null },
    'a lifetime of null': { expires_in: null },
    'a lifetime below nothing': { expires_in: -1 },
    'no token type': { token_type: undefined },
  }
  it.each(Object.entries(odd))('is rotated by an answer with %s', async (_, members) => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = issue(issued, { refresh_token: 'second', ...members })
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    expect(await gate.heldFor(issued)).toBe('second')
  })

  it('stays where the provider answers with an empty one', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = issue(issued, { refresh_token: '' })
    await gate.obtain()
    expect(await gate.heldFor(issued)).toBe('first')
  })

  it('that came without an access token is the one for the next try', async () => {
    const text = due()
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = refuseWith(200, { refresh_token: 'second' })
    await expect(gate.obtain()).rejects.toThrow('the answer holds no access token')
    expect(await gate.heldFor(text)).toBe('second')
  })

  // holds: refresh-token-spent-twice
  it('is in Redis before the access token that came with it is judged', async () => {
    const text = due()
    let held: string | undefined
    const gate = await createGate(text, {
      judge: async () => {
        held = await gate.heldFor(text)
        throw new Error('the gate was killed')
      },
    })
    await gate.hold('first')
    endpoint.answer = issue(next(), { refresh_token: 'second' })
    await expect(gate.obtain()).rejects.toThrow('the gate was killed')
    expect(held).toBe('second')
  })

  it('that is too long to be kept is told with its length, and its access token is given out', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = issue(issued, { refresh_token: 'x'.repeat(55_000) })
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    expect(gate.reports).toEqual([
      'Cannot keep the refresh token that the provider rotated: it has 55000 bytes, more than 8192',
    ])
    expect(await (await createGate(issued)).obtain()).toEqual({ result: 'not_held', isFresh: false })
    const [longest, last] = [due(), next()]
    const other = await createGate(longest)
    await other.hold('first')
    endpoint.answer = issue(last, { refresh_token: 'x'.repeat(8_192) })
    await other.obtain()
    expect(await other.heldFor(last)).toHaveLength(8_192)
  })

  // holds: refresh-token-used-twice
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

describe('a refresh token that was sent and never answered', () => {
  it.each(Object.entries(doubtful))('is not used again, by any gate, after %s', async (_, answer) => {
    const text = due()
    const gate = await createGate(text, { lockMs: SHORT_LOCK_MS })
    await gate.hold('first')
    endpoint.answer = answer
    await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: true })
    endpoint.answer = issue(next())
    expect(await (await createGate(text)).obtain()).toEqual({ result: 'elsewhere', isFresh: false })
    await endLocks()
    for (const each of [gate, await createGate(text)])
      expect(await each.obtain()).toEqual({ result: 'in_doubt', isFresh: false })
    expect(usedTokens()).toEqual(['first'])
  })

  it.each(Object.entries(doubtful))(
    'is used once more after %s where the settings say so, and no third time',
    async (_, answer) => {
      const text = due()
      const gate = await createGate(text, { lockMs: SHORT_LOCK_MS, whenInDoubt: 'retry' })
      await gate.hold('first')
      endpoint.answer = answer
      await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: true })
      await endLocks()
      const second = await createGate(text, { lockMs: SHORT_LOCK_MS, whenInDoubt: 'retry' })
      await expect(second.obtain()).rejects.toMatchObject({ isInDoubt: true })
      expect(second.reports).toEqual([expect.stringContaining('once more with a refresh token that may be used up')])
      await endLocks()
      expect(await second.obtain()).toEqual({ result: 'in_doubt', isFresh: false })
      expect(usedTokens()).toEqual(['first', 'first'])
    },
  )

  it('goes on where the second use is answered', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text, { whenInDoubt: 'retry' })
    await gate.hold('first')
    endpoint.answer = doubtful['a page']!
    await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: true })
    await endLocks()
    endpoint.answer = issue(issued, { refresh_token: 'second' })
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    expect(await gate.heldFor(issued)).toBe('second')
  })

  it('is taken up where the answer comes late, but before the lock ends', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text, { deadlineMs: 100 })
    await gate.hold('first')
    // Later than the provider has for an exchange without a refresh token.
    endpoint.answer = (asked, res, req) => void setTimeout(() => issue(issued)(asked, res, req), 300)
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
  })

  it('makes way for another one that the login app hands in', async () => {
    const [text, issued] = [due(), next()]
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = doubtful['a page']!
    await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: true })
    await endLocks()
    await gate.hold('fresh')
    endpoint.answer = issue(issued, { refresh_token: 'second' })
    expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    expect(usedTokens()).toEqual(['first', 'fresh'])
  })

  const refusals: Record<string, Answer> = {
    'status 500': refuseWith(500, {}),
    'status 429': refuseWith(429, {}),
    'an error in its own words': refuseWith(400, { error: 'invalid_scope' }),
  }
  it.each(Object.entries(refusals))(
    'is none where the provider refuses with %s: it is used again',
    async (_, answer) => {
      const [text, issued] = [due(), next()]
      const gate = await createGate(text)
      await gate.hold('first')
      endpoint.answer = answer
      await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: false })
      await endLocks()
      endpoint.answer = issue(issued)
      expect(await gate.obtain()).toMatchObject({ result: { text: issued } })
    },
  )

  it('is none where the provider cannot be reached', async () => {
    const text = due()
    const gate = await createGate(text)
    await gate.hold('first')
    await endpoint.close()
    await expect(gate.obtain()).rejects.toMatchObject({ isInDoubt: false })
    expect(await gate.heldFor(text)).toBe('first')
  })

  it('lets no gate ask again before the time that the provider asks for', async () => {
    const text = due()
    const gate = await createGate(text)
    await gate.hold('first')
    endpoint.answer = (_, res) => void res.writeHead(503, { 'retry-after': '60' }).end()
    await expect(gate.obtain()).rejects.toMatchObject({ retryAfterMs: 60_000 })
    const [lock] = (await redis.command('keys', '*:exchange:*')) as string[]
    await eventually(async () => expect(await redis.command('pttl', lock!)).toBeGreaterThan(50_000))
  })
})
