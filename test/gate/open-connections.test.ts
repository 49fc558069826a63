import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLifetime, type Lifetime } from '../../src/gate/open-connections.ts'
import type { Decision, Permit } from '../../src/model/decision.ts'
import { refuse } from '../../src/model/refusal.ts'
import { admitAll, tokenPermit, verifiedToken } from '../support/proxy.ts'

const view = { method: 'GET', path: '/', query: '', headers: [] }
const revoked = refuse('token_revoked')
const expired = refuse('token_expired')

let nowMs = 0
let answer: Decision | Promise<Decision> | undefined
let asked = 0
let isEnforced = true
const events: string[] = []
let lifetime: Lifetime

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate', 'setTimeout', 'clearTimeout'] })
  nowMs = 0
  answer = undefined
  asked = 0
  isEnforced = true
  events.length = 0
  lifetime = createLifetime({
    clock: () => nowMs,
    isEnforced: () => isEnforced,
    ask: (_, token) => {
      asked += 1
      return answer ?? (token !== undefined && nowMs / 1000 >= token.refusedFromSeconds ? expired : admitAll())
    },
    onCount: (type, count) => events.push(`${type} ${count}`),
    onEnded: (type, reason) => events.push(`${type} ended ${reason}`),
  })
})
afterEach(() => {
  lifetime.close()
  vi.useRealTimers()
})

test('a connection ends at the second from which its token is refused, and not before', () => {
  const end = vi.fn()
  lifetime.guard(view, tokenPermit(verifiedToken({}, 10)), 'websocket', end)
  nowMs = 9_999
  vi.advanceTimersByTime(1_000)
  expect(end).not.toHaveBeenCalled()
  nowMs = 10_000
  vi.advanceTimersByTime(1_000)
  expect(end).toHaveBeenCalledExactlyOnceWith('token_expired')
  vi.advanceTimersByTime(5_000)
  expect(end).toHaveBeenCalledOnce()
  expect(events).toEqual(['websocket 1', 'websocket 0', 'websocket ended token_expired'])
})

test('a revocation ends it as soon as a look is asked for; many calls are one look', () => {
  const end = vi.fn()
  lifetime.guard(view, tokenPermit(verifiedToken()), 'stream', end)
  answer = revoked
  lifetime.askAll()
  lifetime.askAll()
  expect(end).not.toHaveBeenCalled()
  vi.runOnlyPendingTimers()
  expect(end).toHaveBeenCalledExactlyOnceWith('token_revoked')
})

test('a response that ends before the first look is never counted', () => {
  const release = lifetime.guard(view, tokenPermit(verifiedToken()), 'stream', () => {})
  release()
  vi.advanceTimersByTime(2_000)
  expect(events).toEqual([])
})

test('a stream is counted while it is open, and its release is once', () => {
  const release = lifetime.guard(view, tokenPermit(verifiedToken()), 'stream', () => {})
  vi.advanceTimersByTime(1_000)
  release()
  release()
  expect(events).toEqual(['stream 1', 'stream 0'])
})

test('the timer runs only while something is open', () => {
  expect(vi.getTimerCount()).toBe(0)
  const release = lifetime.guard(view, tokenPermit(verifiedToken()), 'stream', () => {})
  expect(vi.getTimerCount()).toBe(1)
  release()
  vi.advanceTimersByTime(1_000)
  expect(vi.getTimerCount()).toBe(0)
})

test('ten thousand open connections share one timer, and are asked about over a second', () => {
  const ends = Array.from({ length: 10_000 }, () => vi.fn())
  for (const end of ends) lifetime.guard(view, tokenPermit(verifiedToken()), 'websocket', end)
  expect(vi.getTimerCount()).toBe(1)
  answer = revoked
  lifetime.askAll()
  vi.advanceTimersByTime(500)
  expect(asked).toBeGreaterThan(4_000)
  expect(asked).toBeLessThan(6_000)
  vi.advanceTimersByTime(500)
  for (const end of ends) expect(end).toHaveBeenCalledOnce()
})

test.each(['revocation_stale', 'keys_unavailable', 'overloaded'] as const)(
  'a trouble of the gate (%s) ends none, and it is asked again until it is over',
  (reason) => {
    const end = vi.fn()
    lifetime.guard(view, tokenPermit(verifiedToken()), 'websocket', end)
    answer = refuse(reason)
    lifetime.askAll()
    vi.advanceTimersByTime(5_000)
    expect(end).not.toHaveBeenCalled()
    expect(asked).toBeGreaterThan(4)
    answer = refuse('key_unknown')
    vi.advanceTimersByTime(1_000)
    expect(end).toHaveBeenCalledExactlyOnceWith('key_unknown')
  },
)

test('while answers have to be waited for, few are asked for, and an answer that fails ends none', async () => {
  for (let index = 0; index < 1_000; index += 1)
    lifetime.guard(view, tokenPermit(verifiedToken()), 'websocket', expect.fail)
  answer = Promise.reject(new Error('a part of the gate broke'))
  lifetime.askAll()
  vi.advanceTimersByTime(500)
  expect(asked).toBe(100)
  await vi.advanceTimersByTimeAsync(500)
  expect(asked).toBeGreaterThan(900)
})

test('nothing is asked while nothing has changed and no token has run out', () => {
  lifetime.guard(view, tokenPermit(verifiedToken()), 'websocket', () => {})
  vi.advanceTimersByTime(60_000)
  expect(asked).toBe(0)
})

test('a connection of a path that was public ends where its path now asks for a token', () => {
  const end = vi.fn()
  lifetime.guard(view, admitAll() as Permit, 'websocket', end)
  answer = refuse('token_missing')
  lifetime.askAll()
  vi.advanceTimersByTime(1_000)
  expect(end).toHaveBeenCalledExactlyOnceWith('token_missing')
})

test('in shadow mode no connection is ended, and all of them are looked at once it is over', () => {
  isEnforced = false
  const end = vi.fn()
  lifetime.guard(view, tokenPermit(verifiedToken({}, 10)), 'stream', end)
  nowMs = 20_000
  vi.advanceTimersByTime(5_000)
  expect(end).not.toHaveBeenCalled()
  expect(events).toEqual(['stream 1'])
  isEnforced = true
  vi.advanceTimersByTime(1_000)
  expect(end).toHaveBeenCalledExactlyOnceWith('token_expired')
})
