// A network between the gate and Redis that hangs, breaks, crawls or talks nonsense: what is known stays in force, the age is
// honest, nothing piles up, and the way back needs nobody.
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  ageMs,
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
let proxy: FaultProxy
let url: string

const since = (startedMs: number) => performance.now() - startedMs
const changes = (lines: readonly string[], text: string) => lines.filter((line) => line.includes(text)).length
const writeRaw = (value: string) => redis.command('xadd', logKey, '*', 'kind', 'token', 'value', value)

beforeEach(async () => {
  redis = await startRedis()
  proxy = await startFaultProxy(redis.port)
  url = `redis://127.0.0.1:${proxy.port}/0`
})

afterEach(async () => {
  redis.kill('SIGCONT')
  await stopAll()
  await proxy.stop()
  await redis.stop()
})

/** What is in use after a forced collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

/** Each makes a connection that is open but dead, and brings it back. */
const silences: readonly (readonly [string, () => unknown, () => unknown])[] = [
  ['a Redis that is stopped', () => redis.kill('SIGSTOP'), () => redis.kill('SIGCONT')],
  ['a network that swallows everything', () => proxy.blackHole(), () => proxy.up()],
  [
    'CLIENT PAUSE',
    () => redis.client.call('client', 'pause', 10_000, 'ALL'),
    // Held up as well, and answered when the pause is over
    () => redis.client.call('client', 'unpause'),
  ],
]

describe.each(silences)('%s', (name, begin, end) => {
  // holds: redis-half-open
  test('is noticed within five seconds, told once, and over by itself', async () => {
    let passedMs = 0
    const clocks = { clock: () => Date.now() + passedMs, monotonic: () => performance.now() + passedMs }
    const gate = await startSynced({ url, ...clocks })
    const lenient = await startSynced({ url, ...clocks, whenStale: 'allow' })
    await revoke(gate, 'known')
    await untilState(lenient, 'known', 'revoked')
    const oracle = watch([gate, lenient], { revoked: ['known'] })
    await begin()
    await eventually(() => expect(gate.seen.synced).toBe(false), 500, 10)
    expect(gate.seen.synced).toBe(false)
    // Turned, for a copy that is as old as this only now: a machine that stands still for a second does not make it so.
    passedMs = 30_000
    await untilState(gate, 'other', 'stale')
    await untilState(lenient, 'other', 'degraded')
    const olderMs = ageMs(gate) + 200
    await vi.waitFor(() => expect(ageMs(gate)).toBeGreaterThan(olderMs), soon)
    expect(gate.revocations.readiness().ready).toBe(true)
    const detail = () => gate.revocations.readiness().detail
    expect(detail()).toMatch(/is \d+\.\d s old, 30 s are allowed; tokens are refused with 503/)
    await vi.waitFor(() => expect(detail()).toMatch(/timed out|not connected|timeout|closed/i), soon)
    await vi.waitFor(() => expect(changes(gate.seen.lines, 'Revocation list is too old')).toBe(1), soon)
    await end()
    const endedMs = performance.now()
    await eventually(() => expect(stateOf(gate, 'other')).toBe('clear'), 500, 10)
    process.stdout.write(`back ${Math.round(since(endedMs))} ms after ${name}\n`)
    await untilState(lenient, 'other', 'clear')
    await writeRaw('later')
    await untilState(gate, 'later', 'revoked')
    await vi.waitFor(() => expect(changes(gate.seen.lines, 'fresh again')).toBe(1), soon)
    expect(changes(gate.seen.lines, 'lost contact')).toBe(1)
    expect(changes(gate.seen.lines, 'is in sync')).toBe(2)
    expect(gate.seen.synced).toBe(true)
    expect(oracle.violations()).toEqual([])
  })
})

describe('a connection that breaks', () => {
  test('in the middle of the log: the reading goes on where it was, however often it breaks', async () => {
    const batch = redis.client.pipeline()
    for (let index = 0; index < 3000; index += 1)
      batch.call('xadd', logKey, '*', 'kind', 'token', 'value', `r-${index}`)
    await batch.exec()
    proxy.cutAfter(60_000)
    const gate = startLocal({ url, pageSize: 200 })
    await vi.waitFor(() => expect(gate.list.sizeAll()).toBeGreaterThan(200), soon)
    expect(stateOf(gate, 'other')).toBe('stale')
    await untilSynced(gate)
    expect(proxy.made()).toBeGreaterThan(3)
    expect(gate.list.sizeAll()).toBe(3000)
    expect(stateOf(gate, 'r-2999')).toBe('revoked')
    expect(stateOf(gate, 'other')).toBe('clear')
  })

  // holds: redis-answers-badly
  test('in the middle of an answer: nothing is read half, and nothing twice', async () => {
    const gate = await startSynced({ url })
    await revoke(gate, 'known')
    const oracle = watch([gate], { revoked: ['known'] })
    for (const bytes of [1, 7, 60, 150]) {
      proxy.cutAfter(bytes)
      proxy.cut()
      await writeRaw(`during-${bytes}`)
      await vi.waitFor(() => expect(gate.seen.synced).toBe(false), soon)
      proxy.up()
      await untilState(gate, `during-${bytes}`, 'revoked')
      await untilSynced(gate)
    }
    expect(gate.seen.reads.filter((read) => read === 'full ok')).toHaveLength(1)
    expect(gate.seen.healed).toBe(0)
    expect(gate.seen.skipped).toBe(0)
    expect(oracle.violations()).toEqual([])
  })

  test('while a write is under way: it is no yes, and repeating it does no harm', async () => {
    const gate = await startSynced({ url })
    redis.kill('SIGSTOP')
    const write = revoke(gate, 'one')
    proxy.cut()
    await expect(write).rejects.toThrow()
    redis.kill('SIGCONT')
    await vi.waitFor(() => revoke(gate, 'one'), { timeout: 5000, interval: 50 })
    expect(stateOf(gate, 'one')).toBe('revoked')
  })

  // holds: gates-cut-off
  test('a gate that restarts meanwhile admits nothing before it has read the log', async () => {
    await writeRaw('one')
    proxy.blackHole()
    const gate = startLocal({ url })
    await vi.waitFor(() => expect(gate.seen.reads).toContain('full error'), soon)
    for (const jti of ['one', 'other']) expect(stateOf(gate, jti)).toBe('stale')
    expect(gate.revocations.readiness()).toMatchObject({ ready: false })
    expect(gate.revocations.readiness().detail).toMatch(/not read in full yet: .*Redis/)
    proxy.up()
    proxy.cut()
    await untilState(gate, 'one', 'revoked')
    await untilState(gate, 'other', 'clear')
    expect(gate.revocations.readiness()).toMatchObject({ ready: true })
  })
})

describe('while Redis is away', () => {
  // holds: queues-grow-while-redis-away
  test('ten seconds of writes and look-ups pile nothing up, and fail in time', async () => {
    const gate = await startSynced({ url })
    const lookup = startLookup({ url, timeoutMs: 50 })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    const token = verifiedToken({ jti: 'other' })
    const warnings: string[] = []
    const onWarning = (warning: Error) => warnings.push(warning.message)
    process.on('warning', onWarning)
    proxy.blackHole()
    let [attempts, failures, pending, slowestMs] = [0, 0, 0, 0]
    const attempt = () => {
      const startedMs = performance.now()
      attempts += 1
      pending += 1
      gate.revocations
        .write([rule({ kind: 'token', value: `w-${attempts}` })])
        .catch(() => {
          failures += 1
        })
        .finally(() => {
          pending -= 1
          slowestMs = Math.max(slowestMs, since(startedMs))
        })
      for (let index = 0; index < 10; index += 1) void lookup.check(token)
    }
    const timer = setInterval(() => {
      for (let index = 0; index < 10; index += 1) attempt()
    }, 5)
    await sleep(1500)
    const before = heapBytes()
    await sleep(8500)
    const grownMiB = (heapBytes() - before) / 2 ** 20
    clearInterval(timer)
    process.off('warning', onWarning)
    process.stdout.write(
      `${attempts} writes in 10 s of outage: ${Math.round(grownMiB)} MiB, ${Math.round(slowestMs)} ms\n`,
    )
    expect(attempts).toBeGreaterThan(2000)
    expect(pending).toBeLessThanOrEqual(2100)
    expect(slowestMs).toBeLessThan(3500)
    expect(grownMiB).toBeLessThan(5)
    await vi.waitFor(() => expect(failures).toBe(attempts), soon)
    expect(warnings).toEqual([])
    proxy.up()
    proxy.cut()
    await vi.waitFor(() => revoke(gate, 'after'), { timeout: 5000, interval: 50 })
    expect(stateOf(gate, 'after')).toBe('revoked')
  })

  test('a writer is told in time, and the next write goes through once it is back', async () => {
    const gate = await startSynced({ url })
    proxy.down()
    await vi.waitFor(() => expect(gate.store.isUp()).toBe(false), soon)
    let told: unknown
    revoke(gate, 'x').catch((error: unknown) => {
      told = error
    })
    await eventually(
      () => expect(told).toMatchObject({ message: expect.stringContaining('Cannot ask Redis: ') }),
      150,
      10,
    )
    proxy.up()
    await vi.waitFor(() => revoke(gate, 'x'), { timeout: 5000, interval: 50 })
  })

  test('CLIENT PAUSE WRITE holds up writers alone: they are told no, and the gate stays current', async () => {
    const gate = await startSynced({ url, maxStalenessMs: 500 })
    await redis.command('client', 'pause', 20_000, 'WRITE')
    await expect(revoke(gate, 'x')).rejects.toThrow(/timed out/)
    // A gate that is held up as well would be stale by now, for as long as the pause lasts.
    await eventually(() => expect(stateOf(gate, 'other')).toBe('clear'))
    await redis.command('client', 'unpause')
    await vi.waitFor(() => revoke(gate, 'x'), { timeout: 5000, interval: 50 })
  })
})

test('following by polling goes through a silence and a loss like following by waiting', async () => {
  const gate = await startSynced({ url, follow: 'poll', maxStalenessMs: 1000 })
  await revoke(gate, 'known')
  const oracle = watch([gate], { revoked: ['known'] })
  proxy.blackHole()
  await untilState(gate, 'other', 'stale')
  await redis.command('flushall')
  proxy.up()
  proxy.cut()
  await untilState(gate, 'other', 'clear')
  await vi.waitFor(async () => expect(await redis.command('xlen', logKey)).toBe(1), soon)
  expect(oracle.violations()).toEqual([])
})
