// A log that lost what the fleet knew: the fleet keeps its rules and writes them back, each once.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  type LocalGate,
  logKey,
  revoke,
  soon,
  type startLocal,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
  untilSynced,
  watch,
} from '../harness.ts'
import { cleanUp, healedBy, holdsAll, idsOf, line, valuesOf } from '../lost-log.ts'

let redis: TestRedis
const fleet: LocalGate[] = []

async function startFleet(size: number, options: Partial<Parameters<typeof startLocal>[0]> = {}): Promise<LocalGate[]> {
  fleet.push(...(await Promise.all(Array.from({ length: size }, () => startSynced({ url: redis.url, ...options })))))
  return fleet
}

/** Three rules that the whole fleet knows: two in force, and one that was lifted. */
async function agree(gates: readonly LocalGate[]): Promise<void> {
  const [first] = gates as [LocalGate]
  await revoke(first, 'one', 'two', 'back')
  await first.revocations.lift('token', 'back')
  for (const gate of gates) {
    await untilState(gate, 'two', 'revoked')
    await vi.waitFor(() => expect(gate.list.find({ kind: 'token', value: 'back' })?.lifted).toBe(true), soon)
  }
}

async function newGateKnowsAll(url: string): Promise<void> {
  const gate = await startSynced({ url })
  for (const jti of ['one', 'two']) expect(stateOf(gate, jti)).toBe('revoked')
  expect(stateOf(gate, 'back')).toBe('clear')
}

beforeEach(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  fleet.length = 0
  await stopAll()
  await cleanUp()
  await redis.stop()
})

describe('nothing that the fleet knew is lost', () => {
  const losses: readonly (readonly [string, () => Promise<unknown>])[] = [
    // holds: redis-killed
    ['is killed and comes back empty', () => redis.restart()],
    // holds: redis-flushed
    ['is flushed', () => redis.command('flushall')],
    ['loses its log alone', () => redis.command('del', logKey)],
    ['is trimmed to its last entry by somebody else', () => redis.command('xtrim', logKey, 'MAXLEN', 1)],
    ['is trimmed to nothing by somebody else', () => redis.command('xtrim', logKey, 'MAXLEN', 0)],
    ['has an entry in its middle deleted', async () => redis.command('xdel', logKey, (await idsOf(redis))[1]!)],
  ]
  test.each(losses)('when Redis %s', async (_name, lose) => {
    const gates = await startFleet(3)
    await agree(gates)
    const oracle = watch(gates, { revoked: ['one', 'two'], lifted: ['back'] })
    await lose()
    // The lift supersedes the rule: where both are gone, the lift alone comes back.
    await vi.waitFor(async () => {
      expect((await valuesOf(redis)).sort()).toEqual(expect.arrayContaining(['back lifted', 'one', 'two']))
    }, soon)
    await newGateKnowsAll(redis.url)
    await Promise.all(gates.map(untilSynced))
    // A second gate that healed as well would have done so by now: each asked again what is missing.
    await vi.waitFor(() => {
      for (const gate of gates) expect(gate.seen.reads.filter((read) => read === 'full ok').length).toBeGreaterThan(1)
    }, soon)
    const all = await valuesOf(redis)
    expect(all.length).toBe(new Set(all).size)
    expect(healedBy(gates)).toBeGreaterThan(0)
    expect(healedBy(gates)).toBeLessThanOrEqual(3)
    expect(oracle.violations()).toEqual([])
  })

  test('when the log is cut short while a gate is away, and the last entry that it read is still there', async () => {
    const proxy = await line(redis.port)
    const [gate] = (await startFleet(1, { url: proxy.url })) as [LocalGate]
    await agree([gate])
    const oracle = watch([gate], { revoked: ['one', 'two'], lifted: ['back'] })
    proxy.down()
    await vi.waitFor(() => expect(gate.seen.synced).toBe(false), soon)
    await redis.command('xtrim', logKey, 'MAXLEN', 1)
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'new')
    proxy.up()
    await holdsAll(redis, 'one', 'two', 'back lifted', 'new')
    await untilState(gate, 'new', 'revoked')
    await newGateKnowsAll(redis.url)
    expect(oracle.violations()).toEqual([])
  })

  test('a trim of ended entries is no loss: nobody reads the log anew, and nothing is written back', async () => {
    const gates = await startFleet(2)
    for (let index = 0; index < 5; index += 1) {
      const ended = String(Math.floor(Date.now() / 1000) - 1000)
      await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', `ended-${index}`, 'expires', ended)
    }
    await agree(gates)
    const before = gates.map((gate) => gate.seen.reads.filter((read) => read === 'follow ok').length)
    // The first write trims, in the background.
    await vi.waitFor(async () => expect(await redis.command('get', 'sidegate:{default}:trimmed')).toBe('5'), soon)
    expect(await valuesOf(redis)).not.toContain('ended-4')
    await vi.waitFor(() => {
      for (const [index, gate] of gates.entries())
        expect(gate.seen.reads.filter((read) => read === 'follow ok').length).toBeGreaterThan(before[index]! + 1)
    }, soon)
    for (const gate of gates) {
      expect(gate.seen.reads.filter((read) => read === 'full ok')).toHaveLength(1)
      expect(gate.seen.healed).toBe(0)
    }
  })

  test('when a write is confirmed and lost before anybody read it', async () => {
    const [gate] = (await startFleet(1)) as [LocalGate]
    const expires = String(Math.floor(Date.now() / 1000) + 3600)
    const oldest = ['kind', 'token', 'value', 'x', 'expires', expires]
    const writeOldest = () =>
      redis.client
        .multi()
        .call('del', logKey)
        .call('xadd', logKey, '1-1', ...oldest)
        .exec()
    await writeOldest()
    await untilState(gate, 'x', 'revoked')
    // The reader is away for a moment; when it is back, the log is as it left it.
    await vi.waitFor(async () => {
      const clients = String(await redis.command('client', 'list')).split('\n')
      const reader = /^id=(\d+)/.exec(clients.find((client) => client.includes('cmd=xread')) ?? '')?.[1] ?? 'none'
      expect(await redis.command('client', 'kill', 'id', reader)).toBe(1)
    }, soon)
    await revoke(gate, 'one')
    await writeOldest()
    await holdsAll(redis, 'x', 'one')
    expect(stateOf(gate, 'one')).toBe('revoked')
    expect(stateOf(await startSynced({ url: redis.url }), 'one')).toBe('revoked')
    expect(gate.seen.healed).toBe(1)
  })

  test('when another master gives the last entry again, to the letter, behind one that nobody has read', async () => {
    const [gate] = (await startFleet(1)) as [LocalGate]
    const expires = String(Math.floor(Date.now() / 1000) + 3600)
    const add = (id: string, jti: string) => [logKey, id, 'kind', 'token', 'value', jti, 'expires', expires]
    const replaceBy = (...entries: string[][]) =>
      entries.reduce((all, fields) => all.call('xadd', ...fields), redis.client.multi().call('del', logKey)).exec()
    await replaceBy(add('1-1', 'first'), add('3-1', 'last'))
    await untilState(gate, 'last', 'revoked')
    await replaceBy(add('1-1', 'first'), add('2-1', 'between'), add('3-1', 'last'))
    await untilState(gate, 'between', 'revoked')
    expect(stateOf(gate, 'first')).toBe('revoked')
  })

  test('when Redis is wiped again before the rules that were written back were read', async () => {
    const gates = await startFleet(2)
    await agree(gates)
    const oracle = watch(gates, { revoked: ['one', 'two'], lifted: ['back'] })
    for (let round = 0; round < 3; round += 1) {
      await redis.command('flushall')
      await vi.waitFor(async () => expect(await redis.command('exists', logKey)).toBe(1), { ...soon, interval: 1 })
    }
    await redis.command('flushall')
    await holdsAll(redis, 'one', 'two', 'back lifted')
    await newGateKnowsAll(redis.url)
    expect(oracle.violations()).toEqual([])
  })

  test('a rule that is written back by a gate that missed its lift stays lifted all the same', async () => {
    const [toKnowing, toMissing] = [await line(redis.port), await line(redis.port)]
    const knowing = await startSynced({ url: toKnowing.url })
    const missing = await startSynced({ url: toMissing.url })
    await revoke(knowing, 'back')
    await untilState(missing, 'back', 'revoked')
    toMissing.down()
    await knowing.revocations.lift('token', 'back')
    toKnowing.down()
    await redis.command('flushall')
    toMissing.up()
    await holdsAll(redis, 'back')
    toKnowing.up()
    await holdsAll(redis, 'back', 'back lifted')
    await untilState(missing, 'back', 'clear')
    for (const gate of [knowing, await startSynced({ url: redis.url })]) expect(stateOf(gate, 'back')).toBe('clear')
  })

  test('check: redis finds the rules again too', async () => {
    const gates = await startFleet(2)
    await agree(gates)
    await redis.command('flushall')
    await holdsAll(redis, 'one', 'two', 'back lifted')
    const lookup = startLookup({ url: redis.url })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    expect(await lookup.check(verifiedToken({ jti: 'one' }))).toMatchObject({ state: 'revoked' })
    expect(await lookup.check(verifiedToken({ jti: 'back' }))).toMatchObject({ state: 'clear' })
  })
})
