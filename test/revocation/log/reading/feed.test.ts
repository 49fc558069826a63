import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRedis, type TestRedis } from '../../../support/redis.ts'
import { verifiedToken } from '../../../support/verified-token.ts'
import { type LocalGate, rule, startLocal, stopAll } from '../../harness.ts'

let redis: TestRedis
const log = 'sidegate:{default}:log'
const soon = { timeout: 8000, interval: 10 }

const expires = () => Math.floor(Date.now() / 1000) + 300
const revokeRaw = (value: string, ...more: string[]) =>
  redis.command('xadd', log, '*', 'kind', 'token', 'value', value, 'expires', String(expires()), ...more)
const stateOf = (gate: LocalGate, jti: string) => gate.revocations.check(verifiedToken({ jti }))
const isSynced = (gate: LocalGate) => vi.waitFor(() => expect(gate.seen.synced).toBe(true), soon)
const isRevoked = (gate: LocalGate, jti: string) =>
  vi.waitFor(() => expect(stateOf(gate, jti)).toMatchObject({ state: 'revoked' }), soon)

beforeEach(async () => {
  redis = await startRedis(['--appendonly', 'yes'])
})

afterEach(async () => {
  await stopAll()
  await redis.stop()
})

describe('reading the log', () => {
  test('what was revoked before the start is known after the first full read, page by page', async () => {
    for (let index = 0; index < 25; index += 1) await revokeRaw(`old-${index}`)
    const gate = startLocal({ url: redis.url, pageSize: 10 })
    await isSynced(gate)
    for (let index = 0; index < 25; index += 1)
      expect(stateOf(gate, `old-${index}`)).toMatchObject({ state: 'revoked' })
    expect(stateOf(gate, 'other')).toEqual({ state: 'clear', degraded: false })
  })

  test('before the first full read nothing is clear and the gate is not ready', () => {
    const gate = startLocal({ url: redis.url })
    expect(stateOf(gate, 'any')).toMatchObject({ state: 'stale', ageMs: Number.POSITIVE_INFINITY })
    expect(gate.revocations.readiness().ready).toBe(false)
  })

  test('one XADD of any program is enforced by two gates within a moment', async () => {
    const gates = [startLocal({ url: redis.url }), startLocal({ url: redis.url })]
    await Promise.all(gates.map(isSynced))
    await vi.waitFor(() => expect(gates[0]!.seen.reads).toContain('follow ok'), soon)
    await revokeRaw('stolen')
    await Promise.all(gates.map((gate) => isRevoked(gate, 'stolen')))
    expect(gates[0]!.seen.propagations).toHaveLength(1)
    expect(gates[0]!.seen.propagations[0]).toBeLessThan(0.5)
  })

  test('a rule that one gate writes is in force there at once, and in the others soon', async () => {
    const [writer, other] = [startLocal({ url: redis.url }), startLocal({ url: redis.url })]
    await Promise.all([isSynced(writer), isSynced(other)])
    const changed: string[] = []
    other.revocations.onChange((changedRule) => changed.push(changedRule.value))
    await writer.revocations.write([rule({ kind: 'subject', value: 'alice' })])
    expect(writer.revocations.check(verifiedToken({ jti: 'a', sub: 'alice' }))).toMatchObject({ state: 'revoked' })
    await vi.waitFor(() => expect(changed).toEqual(['alice']), soon)
  })

  test('a rule that is lifted at once stays lifted everywhere, also after a restart', async () => {
    const [writer, other] = [startLocal({ url: redis.url }), startLocal({ url: redis.url })]
    await Promise.all([isSynced(writer), isSynced(other)])
    for (let round = 0; round < 5; round += 1) {
      await writer.revocations.write([rule({ kind: 'token', value: `t-${round}` })])
      expect(await writer.revocations.lift('token', `t-${round}`)).toMatchObject({ value: `t-${round}` })
    }
    await writer.revocations.write([rule({ kind: 'token', value: 'end' })])
    await isRevoked(other, 'end')
    const late = startLocal({ url: redis.url })
    await isSynced(late)
    for (const gate of [writer, other, late]) {
      for (let round = 0; round < 5; round += 1) expect(stateOf(gate, `t-${round}`)).toMatchObject({ state: 'clear' })
    }
    expect(await writer.revocations.lift('token', 't-0')).toBeUndefined()
    expect((await writer.revocations.list()).map(({ value }) => value)).toEqual(['end'])
  })

  test('a lift counts over a rule whose time lies ahead of the clock', async () => {
    const gate = startLocal({ url: redis.url })
    await isSynced(gate)
    await revokeRaw('ahead', 'at', String(Date.now() + 60_000))
    await isRevoked(gate, 'ahead')
    await gate.revocations.lift('token', 'ahead')
    expect(stateOf(gate, 'ahead')).toMatchObject({ state: 'clear' })
    const late = startLocal({ url: redis.url })
    await isSynced(late)
    expect(stateOf(late, 'ahead')).toMatchObject({ state: 'clear' })
  })

  test('a rule that has ended leaves the list', async () => {
    const gate = startLocal({ url: redis.url, maxStalenessMs: 400 })
    await isSynced(gate)
    // Within the tolerance of five seconds, for long enough to be seen
    const ended = Math.ceil(Date.now() / 1000) - 2
    await gate.store.append([rule({ kind: 'token', value: 'short' }, { expiresAtSeconds: ended })], () => false)
    await isRevoked(gate, 'short')
    await vi.waitFor(() => expect(gate.list.sizeAll()).toBe(0), soon)
    await vi.waitFor(() => expect(stateOf(gate, 'short')).toMatchObject({ state: 'clear' }), soon)
  })

  test('hostile entries are skipped and counted, and what comes after them is enforced', async () => {
    const gate = startLocal({ url: redis.url })
    await isSynced(gate)
    await redis.command('xadd', log, '*', 'value', 'no-kind')
    await redis.command('xadd', log, '*', 'kind', '__proto__', 'value', 'x')
    await redis.command('xadd', log, '*', 'kind', 'token', 'value', 'v'.repeat(1025))
    await redis.command('xadd', log, '*', 'kind', 'token', 'value', 'nul\0nul')
    await redis.command('xadd', log, '*', 'kind', 'token', 'value', 'line\r\nline')
    await redis.command('xadd', log, '*', 'kind', 'token', 'value', Buffer.alloc(3_000_000, 0xff))
    await redis.command('xadd', log, '*', ...Array.from({ length: 400 }, (_, index) => `f${index}`))
    await revokeRaw('after')
    await isRevoked(gate, 'after')
    expect(gate.seen.skipped).toBe(7)
    expect(gate.list.sizeAll()).toBe(1)
  })
})

describe('losing Redis', () => {
  test('a gate that starts before Redis is not ready, and becomes ready without a restart', async () => {
    await redis.halt()
    const gate = startLocal({ url: redis.url })
    await vi.waitFor(() => expect(gate.seen.reads).toContain('full error'), soon)
    expect(gate.revocations.readiness().ready).toBe(false)
    await redis.resume()
    await isSynced(gate)
    expect(gate.revocations.readiness().ready).toBe(true)
  })

  // holds: rules-written-while-connection-gone
  test('after a restart of Redis it goes on from its last entry, and knows what was written in between', async () => {
    await revokeRaw('before')
    const gate = startLocal({ url: redis.url })
    await isSynced(gate)
    await redis.halt()
    await vi.waitFor(() => expect(gate.seen.synced).toBe(false), soon)
    await redis.resume()
    await revokeRaw('between')
    await isRevoked(gate, 'between')
    expect(stateOf(gate, 'before')).toMatchObject({ state: 'revoked' })
    expect(gate.seen.reads.filter((read) => read === 'full ok')).toHaveLength(1)
    expect(gate.seen.healed).toBe(0)
  })

  test('a half-open socket makes the copy stale, and the answer comes back when Redis does', async () => {
    await revokeRaw('known')
    const gate = startLocal({ url: redis.url, maxStalenessMs: 1500 })
    const lenient = startLocal({ url: redis.url, maxStalenessMs: 1500, whenStale: 'allow' })
    await Promise.all([isSynced(gate), isSynced(lenient)])
    redis.kill('SIGSTOP')
    await vi.waitFor(() => expect(stateOf(gate, 'other')).toMatchObject({ state: 'stale' }), soon)
    expect(stateOf(gate, 'known')).toMatchObject({ state: 'revoked' })
    await vi.waitFor(() => expect(stateOf(lenient, 'other')).toEqual({ state: 'clear', degraded: true }), soon)
    expect(stateOf(lenient, 'known')).toMatchObject({ state: 'revoked' })
    const stoppedMs = Date.now()
    await vi.waitFor(() => expect(gate.seen.synced).toBe(false), soon)
    expect(Date.now() - stoppedMs).toBeLessThan(5000)
    redis.kill('SIGCONT')
    await vi.waitFor(() => expect(stateOf(gate, 'other')).toEqual({ state: 'clear', degraded: false }), soon)
    expect(gate.seen.lines.filter((line) => line.includes('lost contact'))).toHaveLength(1)
  })

  test('a write while Redis hangs fails within two seconds, instead of saying yes', async () => {
    const gate = startLocal({ url: redis.url })
    await isSynced(gate)
    redis.kill('SIGSTOP')
    const startedMs = Date.now()
    await expect(gate.revocations.write([rule({ kind: 'token', value: 'x' })])).rejects.toThrow(/timed out/)
    expect(Date.now() - startedMs).toBeLessThan(2500)
    redis.kill('SIGCONT')
  })
})

describe('a log that has lost what we have', () => {
  test('after FLUSHALL the rules stay and are written back once, with their original time, lifts too', async () => {
    const gates = [startLocal({ url: redis.url }), startLocal({ url: redis.url }), startLocal({ url: redis.url })]
    await Promise.all(gates.map(isSynced))
    const [first] = gates as [LocalGate]
    const [written] = await first.revocations.write([rule({ kind: 'token', value: 'kept' })])
    await first.revocations.write([rule({ kind: 'token', value: 'lifted' })])
    await first.revocations.lift('token', 'lifted')
    await Promise.all(gates.map((gate) => vi.waitFor(() => expect(gate.list.sizeAll()).toBe(2), soon)))
    await vi.waitFor(() => {
      for (const gate of gates) expect(stateOf(gate, 'lifted')).toMatchObject({ state: 'clear' })
    }, soon)
    await redis.command('flushall')
    // A new entry hides the emptiness: the loss must be noticed all the same.
    await revokeRaw('new')
    await vi.waitFor(async () => expect(await redis.command('xlen', log)).toBe(3), soon)
    for (const gate of gates) {
      expect(stateOf(gate, 'kept')).toMatchObject({ state: 'revoked' })
      await isRevoked(gate, 'new')
    }
    const late = startLocal({ url: redis.url })
    await isSynced(late)
    expect(stateOf(late, 'kept')).toMatchObject({ state: 'revoked', rule: { atMs: written?.atMs } })
    expect(stateOf(late, 'lifted')).toMatchObject({ state: 'clear' })
    await vi.waitFor(() => expect(gates.reduce((sum, gate) => sum + gate.seen.healed, 0)).toBe(2), soon)
    expect(await redis.command('xlen', log)).toBe(3)
    expect(await redis.command('exists', 'sidegate:{default}:token:kept')).toBe(1)
  })

  test('an older snapshot is noticed after a reconnect, and the rules that it lacks are written back', async () => {
    const gate = startLocal({ url: redis.url })
    await isSynced(gate)
    await revokeRaw('old')
    await revokeRaw('newer')
    await isRevoked(gate, 'newer')
    const entries = (await redis.command('xrange', log, '-', '+')) as [string, string[]][]
    await redis.command('multi')
    await redis.command('del', log)
    await redis.command('xadd', log, entries[0]![0], ...entries[0]![1])
    await redis.command('exec')
    await vi.waitFor(async () => expect(await redis.command('xlen', log)).toBe(2), soon)
    const late = startLocal({ url: redis.url })
    await isSynced(late)
    expect(stateOf(late, 'newer')).toMatchObject({ state: 'revoked' })
  })

  test('a log key of another type is an outage, and the rules that are known stay in force', async () => {
    await revokeRaw('known')
    const gate = startLocal({ url: redis.url, maxStalenessMs: 500 })
    await isSynced(gate)
    await redis.command('set', log, 'not a stream')
    await vi.waitFor(() => expect(stateOf(gate, 'other')).toMatchObject({ state: 'stale' }), soon)
    expect(stateOf(gate, 'known')).toMatchObject({ state: 'revoked' })
    await vi.waitFor(() => expect(gate.seen.errors).toContain('reply'), soon)
  })
})
