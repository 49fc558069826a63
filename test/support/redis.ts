// A real redis-server for one test file: on a free port, with its data in a temporary folder, always torn down.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './listen.ts'

export interface TestRedis {
  readonly url: string
  readonly port: number
  /** A plain client, for what an outside program would do. It reconnects and queues. */
  readonly client: Redis
  /** Sends any command. */
  command(name: string, ...parts: (string | number | Buffer)[]): Promise<unknown>
  /** Sends a signal: SIGSTOP for a half-open socket, SIGCONT, SIGKILL. */
  kill(signal: NodeJS.Signals): void
  /** Ends the server and keeps its port and its data. */
  halt(): Promise<void>
  /** Starts it again on the same port and data, with further arguments. */
  resume(more?: readonly string[]): Promise<void>
  /** Sends a command over a connection of its own, which does not wait until the server has loaded its data. */
  probe(name: string, ...parts: string[]): Promise<unknown>
  restart(): Promise<void>
  /** Ends everything and removes the data. */
  stop(): Promise<void>
}

export interface RedisOptions {
  readonly port?: number
  readonly isHalted?: boolean
  /** Makes it a Sentinel that watches the server on this port as the master `main`. */
  readonly sentinelOf?: number
  /** Further lines of the Sentinel's file, and how many Sentinels must agree. */
  readonly sentinelLines?: readonly string[]
  readonly quorum?: number
  /** What the plain client says to come in. */
  readonly password?: string
}

/**
 * Starts a server. `args` are further redis-server arguments, such as `--appendonly yes`; with `sentinelOf` it is a Sentinel
 * that knows the server on that port as the master `main`.
 */
export async function startRedis(args: readonly string[] = [], options: RedisOptions = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'sidegate-redis-'))
  const port = options.port ?? (await freePort())
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    ...(options.password !== undefined && { password: options.password }),
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => {})
  let server: ChildProcess | undefined

  async function resume(more: readonly string[] = []): Promise<void> {
    const isSentinel = options.sentinelOf !== undefined
    const fixed = isSentinel ? await sentinelArguments(port, folder, options) : dataArguments(port, folder)
    server = await launch([...fixed, ...args, ...more])
  }

  async function halt(): Promise<void> {
    if (server !== undefined) await end(server)
    server = undefined
  }

  if (!options.isHalted) await resume()
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    client,
    command: (name, ...parts) => client.call(name, ...parts),
    probe: async (name, ...parts) => {
      const direct = client.duplicate({ enableReadyCheck: false })
      try {
        return await direct.call(name, ...parts)
      } finally {
        direct.disconnect()
      }
    },
    kill: (signal) => server?.kill(signal),
    halt,
    resume,
    restart: async () => {
      await halt()
      await resume()
    },
    stop: async () => {
      client.disconnect()
      await halt()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function dataArguments(port: number, folder: string): readonly string[] {
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
  // What a server has answered is in its file, if it has one, also after SIGKILL; only a machine that dies would need fsync,
  // for which everybody would wait. A replica is served at once, not five seconds later.
  return [...place, '--save', '', '--appendfsync', 'no', '--repl-diskless-sync-delay', '0']
}

// A Sentinel writes what it learns into its file, so each has one of its own.
async function sentinelArguments(port: number, folder: string, options: RedisOptions): Promise<readonly string[]> {
  const { quorum = 1, sentinelLines = [], sentinelOf } = options
  const file = join(folder, 'sentinel.conf')
  const lines = [`port ${port}`, `dir ${folder}`, `sentinel monitor main 127.0.0.1 ${sentinelOf} ${quorum}`]
  await writeFile(file, [...lines, ...sentinelLines, ''].join('\n'))
  return [file, '--sentinel']
}

function launch(args: readonly string[]): Promise<ChildProcess> {
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  // Without this a test process that is killed would leave its servers behind.
  const onExit = () => server.kill('SIGKILL')
  process.once('exit', onExit)
  server.once('exit', () => process.off('exit', onExit))
  return new Promise((resolve, reject) => {
    let output = ''
    server.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      // "Server initialized" comes before the data is loaded.
      const isSlowOnPurpose = args.includes('--key-load-delay') && output.includes('Server initialized')
      if (isSlowOnPurpose || /Ready to accept connections|\+monitor/.test(output)) resolve(server)
    })
    server.once('error', reject)
    // "close": its last line, which says why, may come after its end.
    server.once('close', (code) => {
      const [why] = output.trimEnd().split('\n').reverse()
      reject(new Error(`Cannot start redis-server: exit code is ${code}, ${why}\n${output}`))
    })
  })
}

function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    server.once('exit', () => resolve())
    // SIGKILL ends a stopped process too; the log on disk is complete.
    server.kill('SIGKILL')
  })
}
