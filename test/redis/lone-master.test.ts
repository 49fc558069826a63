// A master that has lost its replicas: another may have taken its place, so what it says is not current.
import { afterEach, describe, expect, test, vi } from 'vitest'
import { onlineReplicas } from '../../src/redis/eviction-check.ts'
import {
  revoke,
  soon,
  startLocal,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
} from '../revocation/harness.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { verifiedToken } from '../support/verified-token.ts'

const cleanUps: (() => unknown)[] = []

async function startPair(): Promise<{ master: TestRedis; replica: TestRedis }> {
  const master = await startRedis()
  cleanUps.push(master.stop)
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(master.port)])
  cleanUps.push(replica.stop)
  await vi.waitFor(
    async () => expect(onlineReplicas(String(await master.command('info', 'replication')))).toBe(1),
    soon,
  )
  return { master, replica }
}

afterEach(async () => {
  await stopAll()
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const untilLookup = (lookup: ReturnType<typeof startLookup>, state: string) =>
  vi.waitFor(async () => expect(await lookup.check(verifiedToken({ jti: 'other' }))).toMatchObject({ state }), soon)

describe('with minReplicas', () => {
  // holds: lone-master
  test('a copy grows stale when the replica is gone, still hears of rules, and is current again when it is back', async () => {
    const { master, replica } = await startPair()
    const gate = await startSynced({ url: master.url, minReplicas: 1, maxStalenessMs: 500 })
    await untilState(gate, 'other', 'clear')
    await replica.halt()
    await untilState(gate, 'other', 'stale')
    expect(gate.revocations.readiness().detail).toContain('fewer replicas in touch than "minReplicas"')
    await master.command('xadd', 'sidegate:{default}:log', '*', 'kind', 'token', 'value', 'one')
    await untilState(gate, 'one', 'revoked')
    expect(gate.seen.lines.filter((line) => line.includes('another master'))).toHaveLength(1)
    await replica.resume()
    await untilState(gate, 'other', 'clear')
  }, 60_000)

  test('a replica that is there and silent does not count', async () => {
    const { master, replica } = await startPair()
    const gate = await startSynced({ url: master.url, minReplicas: 1, maxStalenessMs: 500 })
    replica.kill('SIGSTOP')
    await vi.waitFor(() => expect(stateOf(gate, 'other')).toBe('stale'), { timeout: 20_000, interval: 20 })
    replica.kill('SIGCONT')
    await untilState(gate, 'other', 'clear')
  }, 60_000)

  // holds: lone-master
  test('look-ups count as stale while the replica is gone', async () => {
    const { master, replica } = await startPair()
    const lookup = startLookup({ url: master.url, minReplicas: 1 })
    await untilLookup(lookup, 'clear')
    await replica.halt()
    await untilLookup(lookup, 'stale')
    await replica.resume()
    await untilLookup(lookup, 'clear')
  }, 60_000)

  test('a gate that starts beside such a master reads the list and says that it was never current', async () => {
    const { master, replica } = await startPair()
    await replica.halt()
    await vi.waitFor(
      async () => expect(onlineReplicas(String(await master.command('info', 'replication')))).toBe(0),
      soon,
    )
    const gate = startLocal({ url: master.url, minReplicas: 1 })
    await vi.waitFor(() => expect(gate.feed.hasReadInFull()).toBe(true), soon)
    expect(stateOf(gate, 'other')).toBe('stale')
    expect(gate.revocations.readiness().detail).toContain('never known to be current')
  })

  test('where Redis does not tell, it stays as it is, and one line says so', async () => {
    const { master, replica } = await startPair()
    await master.command('acl', 'setuser', 'gate', 'on', '>pw', '~*', '+@all', '-info')
    const url = `redis://gate:pw@127.0.0.1:${master.port}/0`
    const gate = await startSynced({ url, minReplicas: 1, maxStalenessMs: 500 })
    await replica.halt()
    const rounds = gate.seen.reads.length
    await vi.waitFor(() => expect(gate.seen.reads.length).toBeGreaterThan(rounds + 5), soon)
    expect(gate.seen.synced).toBe(true)
    expect(gate.seen.lines.filter((line) => line.includes('does not say how many replicas'))).toHaveLength(1)
  })
})

test('without minReplicas a master alone is current', async () => {
  const { master, replica } = await startPair()
  const gate = await startSynced({ url: master.url, maxStalenessMs: 3000 })
  await replica.halt()
  await revoke(gate, 'one')
  const rounds = gate.seen.reads.length
  await vi.waitFor(() => expect(gate.seen.reads.length).toBeGreaterThan(rounds + 3), soon)
  expect(gate.seen.synced).toBe(true)
  expect(stateOf(gate, 'one')).toBe('revoked')
})
