// Entries leave the log when no gate needs them any more: not earlier because one gate, or a command line, knows of shorter lifetimes.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createHeadWatch } from '../../../../src/revocation/log/reading/head-watch.ts'
import { startRedis, type TestRedis } from '../../../support/redis.ts'
import { logKey, revoke, soon, startLookup, startSynced, stateOf, stopAll, untilState } from '../../harness.ts'
import { valuesOf } from '../../lost-log.ts'

const lifetimesKey = 'sidegate:{default}:lifetimes'
let redis: TestRedis
beforeEach(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await stopAll()
  await redis.stop()
})

const hoursAgo = (hours: number) => Date.now() - hours * 3_600_000
const xadd = (id: string, value: string, ...more: string[]) =>
  redis.command('xadd', logKey, id, 'kind', 'token', 'value', value, ...more)
const trimmed = () => redis.command('get', 'sidegate:{default}:trimmed')

// holds: entry-trimmed-while-in-force
test('a command line never trims', async () => {
  await xadd(`${hoursAgo(50)}-0`, 'old', 'expires', String(Math.floor(hoursAgo(25) / 1000)))
  await xadd('*', 'new')
  const commandLine = startLookup({ url: redis.url })
  await vi.waitFor(() => expect(commandLine.readiness().ready).toBe(true), soon)
  await commandLine.write([{ kind: 'token', value: 'x', expiresAtSeconds: Date.now() / 1000 + 60, atMs: Date.now() }])
  expect(await valuesOf(redis)).toEqual(['old', 'new', 'x'])
  expect(await redis.command('exists', lifetimesKey)).toBe(0)
})

test('a gate says how long its tokens live, and keeps an entry without an end for the longest lifetime of any', async () => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  await redis.command('hset', lifetimesKey, '2592000', String(nowSeconds - 3600))
  await xadd(`${hoursAgo(200)}-0`, 'long')
  await xadd('*', 'last')
  const gate = await startSynced({ url: redis.url })
  await vi.waitFor(async () => expect(await redis.command('hget', lifetimesKey, '86400')).not.toBeNull(), soon)
  expect(await gate.store.trim()).toBe(0)
  expect(stateOf(gate, 'long')).toBe('revoked')
  // A gate that was not seen for its lifetime and a day counts no more.
  await redis.command('hset', lifetimesKey, '2592000', String(nowSeconds - 2_592_000 - 90_000))
  await redis.command('set', `${lifetimesKey}:since`, String(nowSeconds - 90_000))
  expect(await gate.store.trim()).toBe(1)
})

// holds: entry-trimmed-while-in-force
test('a gate writes back what another program trimmed in force, though it counted it as ended', async () => {
  const gate = await startSynced({ url: redis.url })
  await revoke(gate, 'one', 'two', 'last')
  await vi.waitFor(async () => expect(await valuesOf(redis)).toHaveLength(3), soon)
  const last = ((await redis.command('xrange', logKey, '-', '+')) as [string][])[2]?.[0] ?? ''
  await vi.waitFor(() => expect(gate.seen.reads).toContain('follow ok'), soon)
  await untilState(gate, 'other', 'clear')
  await redis.client
    .multi()
    .call('xtrim', logKey, 'MINID', last)
    .call('incrby', 'sidegate:{default}:trimmed', '2')
    .exec()
  await vi.waitFor(async () => expect((await valuesOf(redis)).sort()).toEqual(['last', 'one', 'two']), soon)
  expect(stateOf(await startSynced({ url: redis.url }), 'one')).toBe('revoked')
  expect(await trimmed()).toBe('2')
})

test('a watch of the head tells a trim of ended entries from another, to the entry', () => {
  const watch = createHeadWatch()
  for (const [id, end] of [
    ['1-0', 100],
    ['2-0', 50],
    ['3-0', 300],
    ['4-0', 200],
  ] as const)
    watch.note(id, end)
  expect(watch.hasLost('1-0', 10)).toBe(false)
  expect(watch.hasLost('3-0', 150)).toBe(false)
  expect(watch.hasLost('4-0', 250)).toBe(true)
})
