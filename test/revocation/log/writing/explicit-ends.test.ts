// An entry that another program wrote without `expires` gets an end, written once: gates with different settings then agree on it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startRedis, type TestRedis } from '../../../support/redis.ts'
import { type LocalGate, logKey, soon, startSynced, stateOf, stopAll, untilState } from '../../harness.ts'

const DAY_SECONDS = 86_400
const MONTH_SECONDS = 30 * DAY_SECONDS
const endless = ['kind', 'token', 'value', 'j-1']

let redis: TestRedis
beforeEach(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await stopAll()
  await redis.stop()
})

type Entry = [id: string, fields: string[]]
const entries = async () => (await redis.command('xrange', logKey, '-', '+')) as Entry[]
const fieldOf = ([, fields]: Entry, name: string) => fields[fields.indexOf(name) + 1]
const endAt = (gate: LocalGate) => gate.list.find({ kind: 'token', value: 'j-1' })?.expiresAtSeconds
const untilEntries = (count: number) => vi.waitFor(async () => expect(await entries()).toHaveLength(count), soon)

test('one of several gates writes it, and all hold it, one that starts later too', async () => {
  const gates = await Promise.all([1, 2, 3].map(() => startSynced({ url: redis.url })))
  const id = String(await redis.command('xadd', logKey, '*', ...endless, 'reason', 'lost phone'))
  await untilEntries(2)
  const [, copy] = (await entries()) as [Entry, Entry]
  const writtenMs = Number(id.split('-')[0])
  expect(fieldOf(copy, 'at')).toBe(String(writtenMs))
  expect(fieldOf(copy, 'reason')).toBe('lost phone')
  const expires = Number(fieldOf(copy, 'expires'))
  expect(expires).toBeGreaterThanOrEqual(writtenMs / 1000 + DAY_SECONDS)
  for (const gate of gates) await vi.waitFor(() => expect(endAt(gate)).toBe(expires), soon)
  gates.push(await startSynced({ url: redis.url, maxLifetimeSeconds: 60 }))
  expect(gates.map(endAt)).toEqual([expires, expires, expires, expires])
  expect(gates.map((gate) => stateOf(gate, 'j-1'))).toEqual(Array(4).fill('revoked'))
  expect(await entries()).toHaveLength(2)
})

test('it is counted by the longest lifetime in the fleet, whichever gate writes it', async () => {
  const gates = [
    await startSynced({ url: redis.url, maxLifetimeSeconds: MONTH_SECONDS }),
    await startSynced({ url: redis.url, maxLifetimeSeconds: 60 }),
  ]
  const key = 'sidegate:{default}:lifetimes'
  await vi.waitFor(async () => expect(await redis.command('hlen', key)).toBe(2), soon)
  await gates[0]?.revocations.stop()
  const id = String(await redis.command('xadd', logKey, '*', ...endless))
  await untilEntries(2)
  const copy = (await entries())[1] as Entry
  expect(Number(fieldOf(copy, 'expires'))).toBeGreaterThanOrEqual(Number(id.split('-')[0]) / 1000 + MONTH_SECONDS)
})

test('entries that were there before any gate get theirs, an old one no less than from now on', async () => {
  const hourAgo = Date.now() - 3_600_000
  for (let number = 0; number < 1200; number += 1)
    await redis.command('xadd', logKey, `${hourAgo}-${number}`, 'kind', 'token', 'value', `many-${number}`)
  const gate = await startSynced({ url: redis.url, pageSize: 250 })
  await untilEntries(2400)
  const held = [...gate.list.entries()]
  expect(held).toHaveLength(1200)
  await vi.waitFor(() => expect([...gate.list.entries()].filter((rule) => rule.isEndGuessed)).toEqual([]), soon)
  expect(Math.min(...held.map((rule) => rule.expiresAtSeconds))).toBeGreaterThan(Date.now() / 1000 + DAY_SECONDS - 120)
})

test('a lift without an end gets none: nothing that a gate writes by itself gives tokens back', async () => {
  const gate = await startSynced({ url: redis.url })
  await redis.command('xadd', logKey, '*', ...endless)
  await untilState(gate, 'j-1', 'revoked')
  await redis.command('xadd', logKey, '*', ...endless, 'lifted', '1')
  await untilState(gate, 'j-1', 'clear')
  await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'j-2')
  await vi.waitFor(() => expect(gate.list.find({ kind: 'token', value: 'j-2' })?.isEndGuessed).toBeUndefined(), soon)
  const lifts = (await entries()).filter(([, fields]) => fields.includes('lifted'))
  expect(lifts).toHaveLength(1)
  expect(stateOf(await startSynced({ url: redis.url }), 'j-1')).toBe('clear')
})

test('a Redis that takes no writes costs one line, and the end is written when it does again', async () => {
  const clock = { aheadMs: 0 }
  const gate = await startSynced({ url: redis.url, clock: () => Date.now() + clock.aheadMs })
  const lines = () => gate.seen.lines.filter((line) => line.startsWith('Cannot write the ends of revocation rules'))
  await redis.command('acl', 'setuser', 'default', '-set')
  await redis.command('xadd', logKey, '*', ...endless)
  await vi.waitFor(() => expect(lines()).toHaveLength(1), soon)
  expect(stateOf(gate, 'j-1')).toBe('revoked')
  await redis.command('acl', 'setuser', 'default', '+set')
  expect(await entries()).toHaveLength(1)
  clock.aheadMs = 11_000
  await untilEntries(2)
  expect(lines()).toHaveLength(1)
})
