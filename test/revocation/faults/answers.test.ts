// Answers that are late, crawl, or are nonsense: never read as "nothing new" or "not revoked".
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  ageMs,
  logKey,
  revoke,
  soon,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
  watch,
} from '../harness.ts'

let redis: TestRedis
let proxy: FaultProxy
let url: string

const since = (startedMs: number) => performance.now() - startedMs

beforeEach(async () => {
  redis = await startRedis()
  proxy = await startFaultProxy(redis.port)
  url = `redis://127.0.0.1:${proxy.port}/0`
})

afterEach(async () => {
  await stopAll()
  await proxy.stop()
  await redis.stop()
})

describe('answers that are not as they should be', () => {
  const nonsense: readonly (readonly [string, string])[] = [
    ['no protocol at all', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['an OK', '+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n'],
    ['numbers', ':1\r\n:1\r\n:1\r\n:1\r\n:1\r\n'],
    ['texts', '$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n'],
    ['lists of nothing', '*1\r\n*0\r\n*1\r\n*0\r\n*1\r\n*0\r\n*1\r\n*0\r\n'],
    ['a list that is nested very deep', '*1\r\n'.repeat(50_000)],
    ['a text of a size that cannot be', '$99999999999\r\nabc'],
    ['an error', '-ERR nonsense\r\n-ERR nonsense\r\n-ERR nonsense\r\n-ERR nonsense\r\n'],
    ['zeros', '\0'.repeat(100)],
  ]
  test.each(nonsense)('%s', async (_name, bytes) => {
    const gate = await startSynced({ url, maxStalenessMs: 300 })
    await revoke(gate, 'known')
    const lookup = startLookup({ url, timeoutMs: 200 })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    const oracle = watch([gate], { revoked: ['known'] })
    proxy.garble(bytes)
    await untilState(gate, 'other', 'stale')
    expect(await lookup.check(verifiedToken({ jti: 'other' }))).toMatchObject({ state: 'stale' })
    proxy.up()
    await untilState(gate, 'other', 'clear')
    await vi.waitFor(async () => {
      expect(await lookup.check(verifiedToken({ jti: 'other' }))).toMatchObject({ state: 'clear' })
      expect(await lookup.check(verifiedToken({ jti: 'known' }))).toMatchObject({ state: 'revoked' })
    }, soon)
    expect(oracle.violations()).toEqual([])
  })

  // holds: redis-answers-badly
  test('late ones are waited for, and the age counts from the question', async () => {
    const gate = await startSynced({ url, maxStalenessMs: 5000 })
    proxy.latency(700)
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'one')
    await untilState(gate, 'one', 'revoked')
    await vi.waitFor(() => expect(ageMs(gate)).toBeGreaterThan(600), soon)
    expect(stateOf(gate, 'other')).toBe('clear')
  })

  // holds: redis-answers-badly
  test('ones that trickle in, a few bytes a second, are given up in time', async () => {
    const gate = await startSynced({ url, maxStalenessMs: 1000 })
    await revoke(gate, 'known')
    const oracle = watch([gate], { revoked: ['known'] })
    proxy.slow(20)
    const startedMs = performance.now()
    await expect(revoke(gate, 'x')).rejects.toThrow()
    expect(since(startedMs)).toBeLessThan(2500)
    // The follower gives up a second later: the greeting on its new socket would crawl on after `up`.
    await untilState(gate, 'other', 'stale')
    proxy.up()
    // What crawls is left for a new socket, not waited for.
    await eventually(() => expect(stateOf(gate, 'other')).toBe('clear'), 250, 10)
    expect(oracle.violations()).toEqual([])
  })
})
