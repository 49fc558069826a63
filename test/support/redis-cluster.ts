// A real Redis Cluster of three masters, put together by commands alone, whose slots can be moved.
import { vi } from 'vitest'
import { freePort } from './listen.ts'
import { startRedis, type TestRedis } from './redis.ts'

export interface TestCluster {
  readonly url: string
  readonly nodes: readonly TestRedis[]
  /** The slot of a key. */
  slotOf(key: string): Promise<number>
  /** The node that holds a slot now. */
  holderOf(slot: number): Promise<TestRedis>
  /**
   * Moves a slot with its keys. `midway` runs while half of the move is done: the keys are gone, the slot is still there. Keys
   * for which `isLate` is true go after that.
   */
  move(slot: number, to: TestRedis, midway?: () => Promise<void>, isLate?: (key: string) => boolean): Promise<void>
  stop(): Promise<void>
}

const soon = { timeout: 20_000, interval: 20 }

export async function startCluster(): Promise<TestCluster> {
  const nodes = await Promise.all([0, 1, 2].map(() => startClusterNode()))
  const [first] = nodes as [TestRedis]
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [Math.ceil((16_384 / 3) * index), Math.ceil((16_384 / 3) * (index + 1)) - 1]
    await node.command('cluster', 'addslotsrange', from, to)
    await node.command('cluster', 'set-config-epoch', index + 1)
  }
  for (const node of nodes.slice(1)) await first.command('cluster', 'meet', '127.0.0.1', node.port, await busPort(node))
  await vi.waitFor(async () => {
    for (const node of nodes) {
      const info = String(await node.command('cluster', 'info'))
      if (!info.includes('cluster_state:ok') || !info.includes('cluster_known_nodes:3')) throw new Error(info)
    }
  }, soon)

  const idOf = async (node: TestRedis) => String(await node.command('cluster', 'myid'))

  async function holderOf(slot: number): Promise<TestRedis> {
    const ranges = (await first.command('cluster', 'slots')) as [number, number, [string, number]][]
    const range = ranges.find(([from, to]) => from <= slot && slot <= to)
    const node = nodes.find(({ port }) => port === range?.[2][1])
    if (node === undefined) throw new Error(`Nobody holds slot ${slot}`)
    return node
  }

  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    slotOf: async (key) => Number(await first.command('cluster', 'keyslot', key)),
    holderOf,
    move: async (slot, to, midway, isLate = () => false) => {
      const from = await holderOf(slot)
      const [fromId, toId] = [await idOf(from), await idOf(to)]
      await to.command('cluster', 'setslot', slot, 'importing', fromId)
      await from.command('cluster', 'setslot', slot, 'migrating', toId)
      const migrate = async (isDue: (key: string) => boolean) => {
        const keys = (await from.command('cluster', 'getkeysinslot', slot, 1000)) as string[]
        for (const key of keys.filter(isDue)) await from.command('migrate', '127.0.0.1', to.port, key, 0, 5000)
      }
      await migrate((key) => !isLate(key))
      await midway?.()
      await migrate(() => true)
      for (const node of [to, from, ...nodes]) await node.command('cluster', 'setslot', slot, 'node', toId)
    },
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/** Starts one node, which holds no slot yet. `more` are further arguments of redis-server. */
export async function startClusterNode(more: readonly string[] = []): Promise<TestRedis> {
  // The usual bus port, ten thousand above, is one that the system may have given to somebody else.
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-node-timeout', '2000']
  return startRedis([...args, '--cluster-port', String(await freePort()), ...more])
}

async function busPort(node: TestRedis): Promise<string> {
  return ((await node.command('config', 'get', 'cluster-port')) as string[])[1] ?? ''
}
