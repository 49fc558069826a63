// What a newer gate or another program writes is never read as less than it says: rules count for everybody, lifts lift nothing,
// and what is not understood at all is kept for those who understand it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startRedis, type TestRedis } from '../../../support/redis.ts'
import { verifiedToken } from '../../../support/verified-token.ts'
import { logKey, soon, startLocal, startSynced, stateOf, stopAll, untilState } from '../../harness.ts'

let redis: TestRedis
beforeEach(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await stopAll()
  await redis.stop()
})

const xadd = (...fields: string[]) => redis.command('xadd', logKey, '*', ...fields)
const fieldsInLog = async () =>
  ((await redis.command('xrange', logKey, '-', '+')) as [string, string[]][]).map(([, fields]) => fields)
const hourAhead = () => String(Math.floor(Date.now() / 1000) + 3600)

// holds: entry-of-newer-version
test('a rule with an unknown field counts for everybody', async () => {
  const gate = await startSynced({ url: redis.url })
  await xadd('kind', 'token', 'value', 'one', 'scopeTo', 'tenant-a')
  await xadd('kind', 'token', 'value', 'two', 'v', '2')
  await xadd('kind', 'token', 'value', 'three', 'must', 'scopeTo')
  for (const jti of ['one', 'two', 'three']) await untilState(gate, jti, 'revoked')
})

// holds: entry-of-newer-version
test('a lift with an unknown field, version or demand lifts nothing, and "x-" fields are notes', async () => {
  const gate = await startSynced({ url: redis.url })
  for (const value of ['one', 'two', 'three', 'noted']) await xadd('kind', 'token', 'value', value)
  await xadd('kind', 'token', 'value', 'one', 'lifted', '1', 'scopeTo', 'tenant-a')
  await xadd('kind', 'token', 'value', 'two', 'lifted', '1', 'v', '2')
  await xadd('kind', 'token', 'value', 'three', 'lifted', '1', 'must', 'scopeTo')
  await xadd('kind', 'token', 'value', 'noted', 'lifted', '1', 'x-ticket', '4711', 'v', '1', 'must', 'kind')
  await xadd('kind', 'token', 'value', 'last')
  await untilState(gate, 'last', 'revoked')
  expect(['one', 'two', 'three', 'noted'].map((jti) => stateOf(gate, jti))).toEqual([
    'revoked',
    'revoked',
    'revoked',
    'clear',
  ])
  expect(gate.seen.notUnderstood).toBe(3)
})

// holds: entry-of-newer-version
test('an unknown kind survives a flush with its fields and its time, and is told', async () => {
  const gate = await startSynced({ url: redis.url })
  const fields = ['kind', 'tenant', 'value', 'acme', 'expires', hourAhead(), 'colour', 'grün']
  const id = String(await xadd(...fields))
  await xadd('kind', 'token', 'value', 'known')
  await untilState(gate, 'known', 'revoked')
  expect(gate.seen.notUnderstood).toBe(1)
  await redis.command('flushall')
  await vi.waitFor(async () => expect(await fieldsInLog()).toContainEqual([...fields, 'at', id.split('-')[0]]), soon)
  const another = await startSynced({ url: redis.url })
  expect(another.seen.notUnderstood).toBe(1)
  await redis.command('flushall')
  await vi.waitFor(
    async () => expect((await fieldsInLog()).filter(([, kind]) => kind === 'tenant')).toHaveLength(1),
    soon,
  )
  expect(gate.seen.notUnderstood).toBe(1)
})

test('an unknown kind is not trimmed before its end, and is let go after it', async () => {
  let nowMs = Date.now()
  const id = (hours: number) => `${Date.now() - hours * 3_600_000}-0`
  await redis.command('xadd', logKey, id(100), 'kind', 'tenant', 'value', 'acme', 'expires', hourAhead())
  await redis.command('xadd', logKey, id(99), 'kind', 'tenant', 'value', 'gone', 'expires', '1')
  await xadd('kind', 'token', 'value', 'last')
  const gate = await startSynced({ url: redis.url, clock: () => nowMs, monotonic: () => 0 })
  expect(await gate.store.trim()).toBe(0)
  expect(gate.seen.notUnderstood).toBe(1)
  nowMs += 2 * 3_600_000
  await vi.waitFor(() => expect(gate.seen.notUnderstood).toBe(0), soon)
})

test.each([
  ['10,000 entries', 10_001, 'x'],
  ['8 MiB', 40, 'x'.repeat(200_000)],
])('beyond %s of unknown kinds the copy is stale', async (_bound, count, text) => {
  for (let at = 0; at < count; at += 500) {
    const batch = redis.client.pipeline()
    for (let n = at; n < Math.min(at + 500, count); n += 1)
      batch.call('xadd', logKey, '*', 'kind', 'tenant', 'value', `v${n}`, 'text', text)
    await batch.exec()
  }
  const gate = startLocal({ url: redis.url })
  await vi.waitFor(() => expect(gate.feed.hasReadInFull()).toBe(true), soon)
  expect(gate.feed.isWhole()).toBe(false)
  expect(gate.revocations.check(verifiedToken({ jti: 'any' }))).toMatchObject({ state: 'stale' })
})
