// A Redis Cluster whose slot moves under the gates: the log goes along, and nothing is lost or admitted meanwhile.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { TestRedis } from '../../support/redis.ts'
import { startCluster, startClusterNode, type TestCluster } from '../../support/redis-cluster.ts'
import { sidegate } from '../../support/shell.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  logKey,
  revoke,
  rule,
  soon,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
  untilSynced,
  watch,
} from '../harness.ts'

let cluster: TestCluster
let slot: number

beforeAll(async () => {
  cluster = await startCluster()
  slot = await cluster.slotOf(logKey)
})

afterEach(async () => {
  await stopAll()
  for (const node of cluster.nodes) {
    node.kill('SIGCONT')
    await node.command('flushall')
  }
})
afterAll(() => cluster.stop())

const values = async (server: TestRedis) =>
  ((await server.command('xrange', logKey, '-', '+')) as [string, string[]][]).map(([, fields]) => fields[3])

async function otherThan(holder: TestRedis): Promise<TestRedis> {
  return cluster.nodes.find((node) => node !== holder) as TestRedis
}

describe('a slot that moves', () => {
  // holds: cluster-slots-move, redis-cluster-moves-slot
  test('with MOVED and ASK: gates follow it, rules stay in force, and writes go to the new place', async () => {
    const gates = await Promise.all([0, 1].map(() => startSynced({ url: cluster.url, maxStalenessMs: 3000 })))
    const [first, second] = gates as [(typeof gates)[0], (typeof gates)[0]]
    await revoke(first, 'one', 'back')
    await first.revocations.lift('token', 'back')
    for (const gate of gates)
      await vi.waitFor(() => expect(gate.list.find({ kind: 'token', value: 'back' })?.lifted).toBe(true), soon)
    const lookup = startLookup({ url: cluster.url, plainKeys: ['plain:{jti}'] })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    const oracle = watch(gates, { revoked: ['one'], lifted: ['back'] })
    for (let round = 0; round < 2; round += 1) {
      const from = await cluster.holderOf(slot)
      const to = await otherThan(from)
      await cluster.move(slot, to, async () => {
        // Midway the keys answer with ASK only, and a transaction with a new key is refused as a whole
        await revoke(first, `midway-${round}`)
        for (const gate of gates) await untilState(gate, `midway-${round}`, 'revoked')
        expect(await lookup.check(verifiedToken({ jti: 'one' }))).toMatchObject({ state: 'revoked' })
      })
      await vi.waitFor(() => revoke(second, `after-${round}`), { timeout: 8000, interval: 50 })
      for (const gate of gates) await untilState(gate, `after-${round}`, 'revoked')
      expect(await values(to)).toContain(`after-${round}`)
      expect(await lookup.check(verifiedToken({ jti: 'one' }))).toMatchObject({ state: 'revoked' })
      expect(await lookup.check(verifiedToken({ jti: 'other' }))).toMatchObject({ state: 'clear' })
    }
    await Promise.all(gates.map(untilSynced))
    const late = await startSynced({ url: cluster.url })
    for (const jti of ['one', 'midway-0', 'midway-1', 'after-0', 'after-1']) expect(stateOf(late, jti)).toBe('revoked')
    expect(stateOf(late, 'back')).toBe('clear')
    expect(oracle.violations()).toEqual([])
  })
})

describe('a slot whose keys are on two nodes', () => {
  const ruleKey = (jti: string) => `sidegate:{default}:token:${jti}`
  const places: readonly (readonly [string, (key: string) => boolean])[] = [
    ['the log has not moved yet', (key) => key === logKey],
    ['the log has moved, the keys beside it have not', (key) => key !== logKey],
  ]

  test.each(places)(
    'where %s: new, repeated and lifted rules are written, and every one is in force',
    async (_, isLate) => {
      const gates = await Promise.all([0, 1].map(() => startSynced({ url: cluster.url, maxStalenessMs: 3000 })))
      const [first, second] = gates as [(typeof gates)[0], (typeof gates)[0]]
      const lookup = startLookup({ url: cluster.url })
      await revoke(first, 'one', 'back')
      for (const gate of gates) await untilState(gate, 'back', 'revoked')
      const oracle = watch(gates, { revoked: ['one'] })
      const to = await otherThan(await cluster.holderOf(slot))
      const work = async () => {
        await revoke(first, 'new', 'newer')
        await revoke(second, 'one')
        await first.revocations.lift('token', 'back')
        for (const jti of ['one', 'new', 'newer']) {
          for (const gate of gates) await untilState(gate, jti, 'revoked')
          expect(await lookup.check(verifiedToken({ jti }))).toMatchObject({ state: 'revoked' })
        }
        await untilState(second, 'back', 'clear')
        expect(await lookup.check(verifiedToken({ jti: 'back' }))).toMatchObject({ state: 'clear' })
      }
      await cluster.move(slot, to, work, isLate)
      await revoke(first, 'one')
      expect(await to.command('exists', ruleKey('one'), ruleKey('new'), ruleKey('newer'))).toBe(3)
      expect(await to.command('ttl', ruleKey('new'))).toBeGreaterThan(300)
      expect(oracle.violations()).toEqual([])
      for (const gate of gates) expect(gate.seen.lines.join()).not.toMatch(/lost|Wrote rules back/)
    },
    60_000,
  )

  // holds: redis-cluster-moves-slot
  test('a look-up finds a rule whose key is behind while keys of other facts are nowhere', async () => {
    const gate = await startSynced({ url: cluster.url })
    const lookup = startLookup({ url: cluster.url })
    await gate.revocations.write([rule({ kind: 'subject', value: 'alice' })])
    const token = verifiedToken({ jti: 'unknown', sub: 'alice' })
    await vi.waitFor(async () => expect(await lookup.check(token)).toMatchObject({ state: 'revoked' }), soon)
    const to = await otherThan(await cluster.holderOf(slot))
    const ask = async () => expect(await lookup.check(token)).toMatchObject({ state: 'revoked' })
    await cluster.move(slot, to, ask, () => true)
  })
})

describe('a node that goes away', () => {
  // holds: cluster-slots-move
  test('the one with the log: stale, never clear, and back by itself; empty, it gets everything back', async () => {
    const gate = await startSynced({ url: cluster.url, maxStalenessMs: 1500 })
    await revoke(gate, 'one')
    const oracle = watch([gate], { revoked: ['one'] })
    const holder = await cluster.holderOf(slot)
    holder.kill('SIGSTOP')
    await untilState(gate, 'other', 'stale')
    await expect(revoke(gate, 'x')).rejects.toThrow()
    holder.kill('SIGCONT')
    await untilState(gate, 'other', 'clear')
    // Without a file it forgets its slots too; this one remembers them and has lost its data.
    await holder.restart()
    await vi.waitFor(async () => expect(await values(holder)).toContain('one'), { timeout: 20_000, interval: 50 })
    await untilState(gate, 'other', 'clear')
    const late = await startSynced({ url: cluster.url })
    expect(stateOf(late, 'one')).toBe('revoked')
    expect(oracle.violations()).toEqual([])
  })

  test('one without the log does no harm', async () => {
    const gate = await startSynced({ url: cluster.url, maxStalenessMs: 5000 })
    const other = await otherThan(await cluster.holderOf(slot))
    // Else the cluster itself refuses everything, the log too, as soon as it has noticed: after two seconds
    for (const node of cluster.nodes) await node.command('config', 'set', 'cluster-require-full-coverage', 'no')
    other.kill('SIGSTOP')
    for (let round = 0; round < 5; round += 1) {
      const reads = gate.seen.reads.length
      await vi.waitFor(() => expect(gate.seen.reads.length).toBeGreaterThan(reads), soon)
      expect(stateOf(gate, 'other')).toBe('clear')
    }
    other.kill('SIGCONT')
    await vi.waitFor(async () => expect(String(await other.command('cluster', 'info'))).toContain('state:ok'), soon)
    await vi.waitFor(() => revoke(gate, 'one'), { timeout: 8000, interval: 50 })
  })
})

describe('a command line', () => {
  const runRevoke = (url: string, ...more: string[]) => sidegate(['revoke', '--redis', url, '--jti', 'stolen', ...more])

  // holds: redis-cluster-down
  test('says that a Cluster is down whose nodes answer, and ends', async () => {
    const node = await startClusterNode()
    try {
      await node.command('cluster', 'addslotsrange', 0, 100)
      const url = node.url.replace('redis://', 'redis+cluster://').replace('/0', '')
      for (const command of [
        ['revoke', '--jti', 'stolen'],
        ['revocations', 'list'],
        ['revocations', 'lift', 'token', 'stolen'],
      ]) {
        const { exitCode, complained } = await sidegate([...command, '--redis', url])
        expect([exitCode, complained.join()]).toEqual([1, expect.stringContaining('the Redis Cluster is down')])
      }
    } finally {
      await node.stop()
    }
  })

  // holds: redis-cluster-down
  test('names an address that a Cluster announces and that leads nowhere; natMap says where it is', async () => {
    const node = await startClusterNode(['--cluster-announce-ip', '192.0.2.7'])
    try {
      await node.command('cluster', 'addslotsrange', 0, 16_383)
      await vi.waitFor(
        async () => expect(String(await node.command('cluster', 'info'))).toContain('cluster_state:ok'),
        soon,
      )
      const url = node.url.replace('redis://', 'redis+cluster://').replace('/0', '')
      const { exitCode, text } = await runRevoke(url)
      expect([exitCode, text]).toEqual([
        1,
        expect.stringContaining(`the Cluster announces 192.0.2.7:${node.port}, which may need "natMap"`),
      ])
      const natMap = { [`192.0.2.7:${node.port}`]: `127.0.0.1:${node.port}` }
      const gate = await startSynced({ url, natMap })
      await revoke(gate, 'one')
      await untilState(gate, 'one', 'revoked')
    } finally {
      await stopAll()
      await node.stop()
    }
  })
})
