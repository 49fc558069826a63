import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Reason } from '../../src/model/refusal.ts'
import { createLifetime, type Lifetime } from '../../src/proxy/lifetime.ts'
import { verifiedToken } from '../support/proxy.ts'

let nowMs = 0
let revoked: Reason | undefined
let isEnforced = true
const events: string[] = []
let lifetime: Lifetime

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate'] })
  nowMs = 0
  revoked = undefined
  isEnforced = true
  events.length = 0
  lifetime = createLifetime({
    clock: () => nowMs,
    isEnforced: () => isEnforced,
    stillAdmitted: () => revoked,
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
  lifetime.guard(verifiedToken({}, 10), 'websocket', end)
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
  lifetime.guard(verifiedToken(), 'stream', end)
  revoked = 'token_revoked'
  lifetime.sweepNow()
  lifetime.sweepNow()
  expect(end).not.toHaveBeenCalled()
  vi.runOnlyPendingTimers()
  expect(end).toHaveBeenCalledExactlyOnceWith('token_revoked')
})

test('a response that ends before the first look is never counted', () => {
  const release = lifetime.guard(verifiedToken(), 'stream', () => {})
  release()
  vi.advanceTimersByTime(2_000)
  expect(events).toEqual([])
})

test('a stream is counted while it is open, and its release is once', () => {
  const release = lifetime.guard(verifiedToken(), 'stream', () => {})
  vi.advanceTimersByTime(1_000)
  release()
  release()
  expect(events).toEqual(['stream 1', 'stream 0'])
})

test('the timer runs only while something is open', () => {
  expect(vi.getTimerCount()).toBe(0)
  const release = lifetime.guard(verifiedToken(), 'stream', () => {})
  expect(vi.getTimerCount()).toBe(1)
  release()
  vi.advanceTimersByTime(1_000)
  expect(vi.getTimerCount()).toBe(0)
})

test('ten thousand open connections share one timer, and one look ends all that a revocation is against', () => {
  const ends = Array.from({ length: 10_000 }, () => vi.fn())
  for (const end of ends) lifetime.guard(verifiedToken(), 'websocket', end)
  expect(vi.getTimerCount()).toBe(1)
  revoked = 'token_revoked'
  lifetime.sweepNow()
  vi.runOnlyPendingTimers()
  for (const end of ends) expect(end).toHaveBeenCalledOnce()
})

test('in shadow mode no connection is ended, and all of them are looked at once it is over', () => {
  isEnforced = false
  const end = vi.fn()
  lifetime.guard(verifiedToken({}, 10), 'stream', end)
  nowMs = 20_000
  vi.advanceTimersByTime(5_000)
  expect(end).not.toHaveBeenCalled()
  expect(events).toEqual(['stream 1'])
  isEnforced = true
  vi.advanceTimersByTime(1_000)
  expect(end).toHaveBeenCalledExactlyOnceWith('token_expired')
})
