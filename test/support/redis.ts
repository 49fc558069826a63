// A real redis-server for one test file: on a free port, with its data in a temporary folder, always torn down.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

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
  /** Starts it again on the same port and data. */
  resume(): Promise<void>
  restart(): Promise<void>
  /** Ends everything and removes the data. */
  stop(): Promise<void>
}

/**
 * Starts a server. `args` are further redis-server arguments, such as `--appendonly yes`; with `sentinelOf` it is a Sentinel
 * that knows the server on that port as the master `main`.
 */
export async function startRedis(
  args: readonly string[] = [],
  options: { readonly port?: number; readonly isHalted?: boolean; readonly sentinelOf?: number } = {},
): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'sidegate-redis-'))
  const port = options.port ?? (await freePort())
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => {})
  let server: ChildProcess | undefined

  async function resume(): Promise<void> {
    const { sentinelOf } = options
    const fixed =
      sentinelOf === undefined ? dataArguments(port, folder) : await sentinelArguments(port, folder, sentinelOf)
    server = await launch([...fixed, ...args])
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

/** A port that nothing listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

function dataArguments(port: number, folder: string): readonly string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendfsync', 'always']
}

// A Sentinel writes what it learns into its file, so each has one of its own.
async function sentinelArguments(port: number, folder: string, masterPort: number): Promise<readonly string[]> {
  const file = join(folder, 'sentinel.conf')
  await writeFile(
    file,
    `port ${port}
sentinel monitor main 127.0.0.1 ${masterPort} 1
`,
  )
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
      if (output.includes('Ready to accept connections') || output.includes('+monitor')) resolve(server)
    })
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`Cannot start redis-server: exit code is ${code}\n${output}`)))
  })
}

function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    server.once('exit', () => resolve())
    // SIGKILL ends a stopped process too; with appendfsync always the log on disk is complete.
    server.kill('SIGKILL')
  })
}
