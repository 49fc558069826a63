// Whether Redis keeps what it is given: the warnings about it, and replicas that must confirm.
import { afterEach, describe, expect, test, vi } from 'vitest'
import { readSafety } from '../../src/redis/eviction-check.ts'
import { revoke, soon, startLocal, startSynced, stopAll, untilState } from '../revocation/harness.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startGroup } from '../support/redis-sentinels.ts'

const cleanUps: (() => unknown)[] = []

async function start(args: readonly string[] = [], options: Parameters<typeof startRedis>[1] = {}): Promise<TestRedis> {
  const redis = await startRedis(args, options)
  cleanUps.push(redis.stop)
  return redis
}

afterEach(async () => {
  await stopAll()
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

describe('warnings', () => {
  // holds: rules-evicted
  test('that Redis may evict rules, and keeps nothing on disk, are said once, and taken back', async () => {
    const redis = await start(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'])
    const gate = await startSynced({ url: redis.url })
    await vi.waitFor(() => expect(gate.seen.evictionUnsafe).toBe(true), soon)
    const detail = () => gate.revocations.readiness().detail
    await vi.waitFor(
      () => expect(detail()).toContain('Redis may evict revocation rules (maxmemory-policy allkeys-lru)'),
      soon,
    )
    expect(detail()).toContain('Redis keeps nothing on disk')
    expect(gate.revocations.readiness().ready).toBe(true)
    await redis.command('config', 'set', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes')
    await redis.command('client', 'kill', 'type', 'normal')
    await vi.waitFor(() => expect(gate.seen.evictionUnsafe).toBe(false), soon)
    await vi.waitFor(() => expect(detail()).not.toMatch(/evict|disk/), soon)
    for (const warning of ['may evict', 'nothing on disk', 'set up safely'])
      expect(gate.seen.lines.filter((line) => line.includes(warning))).toHaveLength(1)
  })

  test('what Redis does not tell is no alarm', async () => {
    const redis = await start(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'])
    await redis.command('acl', 'setuser', 'gate', 'on', '>pw', '~*', '+@all', '-info', '-config')
    const gate = await startSynced({ url: `redis://gate:pw@127.0.0.1:${redis.port}/0` })
    await revoke(gate, 'one')
    expect(await gate.store.safety()).toEqual({})
    expect(gate.seen.evictionUnsafe).toBeUndefined()
    expect(gate.revocations.readiness().detail).not.toMatch(/evict|disk|replica/)
    // A connection that takes a second on a busy machine is no alarm
    expect(gate.seen.errors.filter((kind) => kind !== 'timeout')).toEqual([])
  })

  test('a Redis that is too old is named', async () => {
    const safetyOf = (version: string) =>
      readSafety(async (_name, section) => (section === 'server' ? `redis_version:${version}\r\n` : ''))
    expect(await safetyOf('6.2.14')).toMatchObject({ isTooOld: true, isReplica: undefined, mayEvict: undefined })
    expect(await safetyOf('7.0.15')).toMatchObject({ isTooOld: false })
    expect(await safetyOf('10.1.0')).toMatchObject({ isTooOld: false })
  })

  test.each([
    [['--save', '3600 1'], true],
    [['--appendonly', 'yes'], true],
    [[], false],
  ])('snapshots or AOF are persistence: %j is %s', async (args, isPersistent) => {
    const redis = await start(args as string[])
    const gate = await startSynced({ url: redis.url })
    expect(await gate.store.safety()).toMatchObject({ isPersistent })
  })
})

describe('replicas that must confirm', () => {
  test('with a replica a write is confirmed; without, it is said to be written and not replicated', async () => {
    const redis = await start()
    const gate = startLocal({ url: redis.url, minReplicas: 1 })
    await vi.waitFor(() => expect(gate.feed.hasReadInFull()).toBe(true), soon)
    await expect(revoke(gate, 'alone')).rejects.toThrow('it is written, but on 0 instead of 1 replicas')
    await untilState(gate, 'alone', 'revoked')
    const replica = await start(['--replicaof', '127.0.0.1', String(redis.port), '--repl-diskless-sync-delay', '0'])
    await vi.waitFor(() => revoke(gate, 'one'), { timeout: 10_000, interval: 100 })
    expect(await replica.command('exists', 'sidegate:{default}:token:one')).toBe(1)
    replica.kill('SIGSTOP')
    await expect(revoke(gate, 'two')).rejects.toThrow('on 0 instead of 1')
    replica.kill('SIGCONT')
    await vi.waitFor(() => revoke(gate, 'two'), { timeout: 5000, interval: 50 })
  })

  test('through Sentinels', async () => {
    const group = await startGroup()
    cleanUps.push(group.stop)
    const gate = await startSynced({ url: group.url, minReplicas: 1 })
    // A replica that stands still for half a second has not confirmed
    await vi.waitFor(() => revoke(gate, 'one'), { timeout: 10_000, interval: 100 })
    expect(await group.replica.command('exists', 'sidegate:{default}:token:one')).toBe(1)
  }, 60_000)
})
