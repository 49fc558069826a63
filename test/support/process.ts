// `sidegate run` as a process of its own, as Kubernetes would start it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { eventually } from './eventually.ts'
import { program as sidegate } from './program.ts'

export interface GateProcess {
  readonly child: ChildProcess
  readonly port: number
  readonly adminPort: number
  /** Everything written to standard output and standard error. */
  readonly output: () => string
  /** When it has ended and everything that it wrote is in `output`. */
  readonly exited: Promise<number | null>
}

export interface Finished {
  readonly exitCode: number | null
  readonly output: string
}

const children = new Set<ChildProcess>()

/** Starts `sidegate`, or another build of it, with these arguments and waits until it logs that it is running. */
export async function startProcess(
  given: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  sign = 'Sidegate is running',
  program = sidegate,
): Promise<GateProcess> {
  const { child, output } = spawnSidegate(given, environment, 'pipe', program)
  const exited = once(child, 'close').then(([code]) => code as number | null)
  await eventually(() => {
    if (child.exitCode === null && !output().includes(sign)) throw new Error(`not running yet: ${output()}`)
  }, 1000)
  if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output()}`)
  const line = output()
    .split('\n')
    .find((text) => text.includes(sign))
  const { listen, admin } = JSON.parse(line ?? '{}') as { listen: { port: number }; admin?: { port: number } }
  return { child, port: listen.port, adminPort: admin?.port ?? 0, output, exited }
}

/** Runs `sidegate` with these arguments to its end. */
export async function finishProcess(
  given: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  program = sidegate,
): Promise<Finished> {
  const { child, output } = spawnSidegate(given, environment, 'pipe', program)
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { exitCode, output: output() }
}

/** Starts `sidegate` with its standard output on a file, and waits for nothing: what it says is not heard here. */
export function startUnheard(
  given: readonly string[],
  standardOutput: number,
): Omit<GateProcess, 'port' | 'adminPort'> {
  const { child, output } = spawnSidegate(given, {}, standardOutput)
  return { child, output, exited: once(child, 'close').then(([code]) => code as number | null) }
}

/** Ends what still runs. */
export function killProcesses(): void {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
}

function spawnSidegate(
  given: readonly string[],
  environment: NodeJS.ProcessEnv,
  standardOutput: number | 'pipe' = 'pipe',
  program = sidegate,
) {
  let text = ''
  const child = spawn(process.execPath, [program, ...given], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', standardOutput, 'pipe'],
  })
  children.add(child)
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8')
    })
  return { child, output: () => text }
}
