// A real master with a real replica, watched by three real Sentinels that fail over within a second or two.
import { vi } from 'vitest'
import { startRedis, type TestRedis } from './redis.ts'

export interface TestGroup {
  readonly master: TestRedis
  readonly replica: TestRedis
  /** `redis+sentinel://…`, with a password of the servers where there is one. */
  readonly url: string
  readonly sentinels: readonly TestRedis[]
  /** Answers when the Sentinels lead to the replica. */
  untilPromoted(): Promise<void>
  stop(): Promise<void>
}

export interface GroupOptions {
  /** The port over which the replica follows its master; by default the master's own. */
  readonly replicationPort?: (masterPort: number) => Promise<number>
  /** Passwords of the servers and of the Sentinels. */
  readonly password?: string
  readonly sentinelPassword?: string
}

const soon = { timeout: 30_000, interval: 10 }

export async function startGroup(options: GroupOptions = {}): Promise<TestGroup> {
  const { password, sentinelPassword } = options
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password]
  const shared = password === undefined ? {} : { password }
  const master = await startRedis(secret, shared)
  const replicationPort = String((await options.replicationPort?.(master.port)) ?? master.port)
  const replica = await startRedis(
    ['--replicaof', '127.0.0.1', replicationPort, '--repl-diskless-sync-delay', '0', ...secret],
    shared,
  )
  await vi.waitFor(async () => {
    const info = String(await replica.command('info', 'replication'))
    if (!info.includes('master_link_status:up')) throw new Error(info)
  }, soon)
  const sentinels = await Promise.all(
    [0, 1, 2].map(() =>
      startRedis([], {
        sentinelOf: master.port,
        quorum: 2,
        sentinelLines: [
          'sentinel down-after-milliseconds main 700',
          'sentinel failover-timeout main 3000',
          ...(password === undefined ? [] : [`sentinel auth-pass main ${password}`]),
          ...(sentinelPassword === undefined
            ? []
            : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
        ],
        ...(sentinelPassword !== undefined && { password: sentinelPassword }),
      }),
    ),
  )
  const masterPort = async (sentinel: TestRedis) =>
    Number(((await sentinel.command('sentinel', 'get-master-addr-by-name', 'main')) as string[])[1])
  await vi.waitFor(async () => {
    for (const sentinel of sentinels) {
      const known = (await sentinel.command('sentinel', 'sentinels', 'main')) as string[][]
      const replicas = (await sentinel.command('sentinel', 'replicas', 'main')) as string[][]
      if (known.length < 2 || replicas.length < 1) throw new Error('the Sentinels do not know each other yet')
    }
  }, soon)
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return {
    master,
    replica,
    sentinels,
    url: `redis+sentinel://${password === undefined ? '' : `:${password}@`}${hosts}/main/0`,
    untilPromoted: () =>
      vi.waitFor(async () => {
        const role = String(await replica.command('info', 'replication'))
        if (!role.includes('role:master')) throw new Error('not promoted yet')
        const ports = await Promise.all(sentinels.map(masterPort))
        if (!ports.includes(replica.port)) throw new Error('not announced yet')
      }, soon),
    stop: async () => {
      await Promise.all([...sentinels, replica, master].map((server) => server.stop()))
    },
  }
}
