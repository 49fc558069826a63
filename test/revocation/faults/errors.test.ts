// A Redis that answers, and says no: every error is an outage, never a clear answer, and a write that fails is no yes.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  logKey,
  revoke,
  rule,
  soon,
  startLocal,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
  untilSynced,
  watch,
} from '../harness.ts'

let redis: TestRedis
const userUrl = (user: string, password: string) => `redis://${user}:${password}@127.0.0.1:${redis.port}/0`
const allow = (...rules: string[]) => redis.command('acl', 'setuser', 'gate', 'reset', 'on', '>pw', '~*', ...rules)

beforeEach(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  await stopAll()
  await redis.stop()
})

describe('no permission', () => {
  // holds: redis-refuses
  test('a wrong password, and a user without rights: not ready, nothing is clear, and it is over once it is mended', async () => {
    await allow('+@all', '-xread')
    const wrong = startLocal({ url: userUrl('gate', 'no') })
    const denied = startLocal({ url: userUrl('gate', 'pw') })
    for (const gate of [wrong, denied]) {
      await vi.waitFor(() => expect(gate.seen.errors).toContain('access'), soon)
      expect(stateOf(gate, 'other')).toBe('stale')
      expect(gate.revocations.readiness().ready).toBe(false)
    }
    expect(denied.revocations.readiness().detail).toContain('NOPERM')
    await expect(revoke(wrong, 'x')).rejects.toThrow()
    await allow('+@all', '>no')
    for (const gate of [wrong, denied]) await untilState(gate, 'other', 'clear')
  })

  test('rights that are taken away while it runs: known rules stay, the copy grows old, writes fail', async () => {
    await allow('+@all')
    const gate = await startSynced({ url: userUrl('gate', 'pw'), maxStalenessMs: 500 })
    await revoke(gate, 'known')
    const oracle = watch([gate], { revoked: ['known'] })
    await allow('+info', '+xlen')
    await untilState(gate, 'other', 'stale')
    await expect(revoke(gate, 'x')).rejects.toThrow('NOPERM')
    await vi.waitFor(() => expect(gate.seen.errors).toContain('access'), soon)
    await allow('+@all')
    await untilState(gate, 'other', 'clear')
    expect(oracle.violations()).toEqual([])
  })

  test('to read the log, where every request is looked up: what stands in the log alone is not missed', async () => {
    await allow('+@all', '-xread')
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'log-only')
    const lookup = startLookup({ url: userUrl('gate', 'pw'), hasCopy: true, maxStalenessMs: 600 })
    const lenient = startLookup({ url: userUrl('gate', 'pw'), hasCopy: true, maxStalenessMs: 600, whenStale: 'allow' })
    const said = async (jti: string, of = lookup) => (await of.check(verifiedToken({ jti }))).state
    await vi.waitFor(() => expect(lookup.readiness().detail).toContain('NOPERM'), soon)
    expect(lookup.readiness().ready).toBe(false)
    for (const jti of ['log-only', 'other']) expect(await said(jti)).toBe('stale')
    expect(await lenient.check(verifiedToken({ jti: 'other' }))).toEqual({ state: 'clear', degraded: true })
    await allow('+@all')
    await vi.waitFor(async () => expect(await said('log-only')).toBe('revoked'), soon)
    // One look-up that takes too long on a busy machine says "stale"
    await vi.waitFor(async () => expect(await said('other')).toBe('clear'), soon)
    await allow('+@all', '-xread')
    await vi.waitFor(async () => expect(await said('other')).toBe('stale'), soon)
    expect(await said('log-only')).toBe('revoked')
  })

  test('a gate that may only read leaves the healing to one that may write', async () => {
    await allow('+@read', '+@connection', '+info', '+time')
    const reader = await startSynced({ url: userUrl('gate', 'pw') })
    const writer = await startSynced({ url: redis.url })
    await revoke(writer, 'one')
    await untilState(reader, 'one', 'revoked')
    await redis.command('flushall')
    await vi.waitFor(async () => expect(await redis.command('xlen', logKey)).toBe(1), soon)
    await vi.waitFor(() => expect(reader.seen.reads.filter((read) => read === 'full ok').length).toBe(2), soon)
    expect(stateOf(reader, 'one')).toBe('revoked')
    expect(stateOf(reader, 'other')).toBe('clear')
    expect(reader.seen.lines.filter((line) => line.includes('Cannot write lost rules back')).length).toBeLessThan(2)
  })
})

describe('a Redis that loads its data', () => {
  // holds: redis-refuses
  test('is waited for: nothing is clear before the log was read', async () => {
    const batch = redis.client.pipeline()
    for (let index = 0; index < 2000; index += 1) batch.call('set', `filler-${index}`, 'x'.repeat(200))
    batch.call('xadd', logKey, '*', 'kind', 'token', 'value', 'one')
    await batch.exec()
    await redis.command('save')
    const gate = await startSynced({ url: redis.url, maxStalenessMs: 300 })
    const oracle = watch([gate], { revoked: ['one'] })
    await redis.halt()
    // A snapshot is loaded with a pause for each key, until told otherwise, and clients are answered after each kilobyte.
    await redis.resume(['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024'])
    const late = startLocal({ url: redis.url, maxStalenessMs: 300 })
    await vi.waitFor(async () => expect(String(await redis.probe('info', 'persistence'))).toContain('loading:1'), soon)
    expect(stateOf(late, 'one')).toBe('stale')
    await untilState(gate, 'other', 'stale')
    expect(String(await redis.probe('info', 'persistence'))).toContain('loading:1')
    await redis.probe('config', 'set', 'key-load-delay', '0')
    await untilState(late, 'one', 'revoked')
    await untilState(gate, 'other', 'clear')
    expect(String(await redis.probe('info', 'persistence'))).toContain('loading:0')
    expect(late.seen.healed + gate.seen.healed).toBe(0)
    expect(oracle.violations()).toEqual([])
  })
})

describe('a Redis that is full', () => {
  // holds: redis-full
  test('a write fails with the reason, and the rules that are there stay', async () => {
    const gate = await startSynced({ url: redis.url })
    await revoke(gate, 'known')
    await redis.command('config', 'set', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction')
    await expect(revoke(gate, 'x')).rejects.toThrow(/^Redis takes no writes, as its memory is full: .* \(OOM\)$/)
    expect(gate.seen.errors).toContain('memory')
    expect(stateOf(gate, 'x')).toBe('clear')
    expect(stateOf(gate, 'known')).toBe('revoked')
    const late = await startSynced({ url: redis.url })
    expect(stateOf(late, 'known')).toBe('revoked')
  })

  test('a heal that does not fit is tried until it does, and said once', async () => {
    const gate = await startSynced({ url: redis.url })
    await revoke(gate, 'one')
    await redis.command('flushall')
    await redis.command('config', 'set', 'maxmemory', '1mb')
    await vi.waitFor(
      () => expect(gate.seen.reads.filter((read) => read === 'heal error').length).toBeGreaterThan(1),
      soon,
    )
    expect(gate.seen.lines.filter((line) => line.includes('Cannot write lost rules back'))).toHaveLength(1)
    expect(stateOf(gate, 'one')).toBe('revoked')
    expect(stateOf(gate, 'other')).toBe('clear')
    await redis.command('config', 'set', 'maxmemory', '0')
    await vi.waitFor(async () => expect(await redis.command('xlen', logKey)).toBe(1), soon)
  })
})

describe('a Redis that may not be written to', () => {
  // holds: redis-refuses
  test('as a replica: followed, but a write is no yes; as a master again it takes them', async () => {
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(redis.port)])
    try {
      const info = () => replica.command('info', 'replication')
      await vi.waitFor(async () => expect(String(await info())).toContain('master_link_status:up'), soon)
      const gate = await startSynced({ url: replica.url })
      await expect(revoke(gate, 'x')).rejects.toThrow('READONLY')
      expect(gate.seen.errors).toContain('read_only')
      await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'one')
      await untilState(gate, 'one', 'revoked')
      await vi.waitFor(() => expect(gate.revocations.readiness().detail).toContain('Redis is a replica'), soon)
      await replica.command('replicaof', 'no', 'one')
      await vi.waitFor(() => revoke(gate, 'x'), { timeout: 5000, interval: 50 })
      await stopAll()
    } finally {
      await replica.stop()
    }
  })
})

describe('keys of another type', () => {
  test('in the place of the log: an outage, also for a gate that starts; the log comes back whole', async () => {
    const gate = await startSynced({ url: redis.url, maxStalenessMs: 500 })
    await revoke(gate, 'known')
    const oracle = watch([gate], { revoked: ['known'] })
    await redis.command('set', logKey, 'no stream')
    await untilState(gate, 'other', 'stale')
    await expect(revoke(gate, 'x')).rejects.toThrow('WRONGTYPE')
    const late = startLocal({ url: redis.url })
    await vi.waitFor(() => expect(late.seen.reads).toContain('full error'), soon)
    expect(stateOf(late, 'known')).toBe('stale')
    await vi.waitFor(() => expect(late.revocations.readiness().detail).toContain('WRONGTYPE'), soon)
    await redis.command('del', logKey)
    await untilState(late, 'known', 'revoked')
    await untilSynced(gate)
    expect(oracle.violations()).toEqual([])
  })

  // holds: redis-keys-of-another-type
  test('in the place of a rule: a look-up is no clear answer, and a write is no yes', async () => {
    const gate = await startSynced({ url: redis.url })
    const lookup = startLookup({ url: redis.url })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    await redis.command('rpush', 'sidegate:{default}:token:j', 'x')
    expect(await lookup.check(verifiedToken({ jti: 'j' }))).toMatchObject({ state: 'stale' })
    await expect(gate.revocations.write([rule({ kind: 'token', value: 'j' })])).rejects.toThrow('WRONGTYPE')
    // The entry of the log is there all the same: the rule is in force, which is the safe side.
    await untilState(gate, 'j', 'revoked')
  })

  test('in the place of the count of trims: an outage, told as one', async () => {
    const gate = await startSynced({ url: redis.url, maxStalenessMs: 500 })
    await redis.command('set', 'sidegate:{default}:trimmed', 'many')
    await untilState(gate, 'other', 'stale')
    await redis.command('del', 'sidegate:{default}:trimmed')
    await untilState(gate, 'other', 'clear')
  })
})
