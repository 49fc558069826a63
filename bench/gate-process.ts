// One real gate as a process of its own, with an app behind it, both as they would run; and what the gate says of itself.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { goodClaims, jwksOf, makeKey, signToken, type TestKey } from '../test/support/tokens.ts'

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url))

export interface GateUnderLoad {
  readonly port: number
  readonly processId: number | undefined
  readonly keys: Readonly<Record<string, TestKey>>
  /** A token that the gate admits, or one that it does not where another key signs. */
  mint(algorithm: string, jti: string, signer?: TestKey): string
  /** The sum of the series of this name whose labels contain the text. */
  metric(name: string, labels?: string): Promise<number>
  /** Several at one moment. */
  metrics(): Promise<(name: string, labels?: string) => number>
  stop(): Promise<void>
}

export interface GateStart {
  /** For the Node that runs the gate. */
  readonly nodeArguments?: readonly string[]
  /** What comes before that Node: a program that runs what follows it. */
  readonly launcher?: readonly string[]
  /** The built gate, where it is not the source. */
  readonly program?: string
  /** Variables that it has besides ours. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts app and gate; the gate writes no access log. */
export async function startGateUnderLoad(how: GateStart = {}): Promise<GateUnderLoad> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
  const algorithms = ['RS256', 'ES256', 'ES512']
  const keys = Object.fromEntries(algorithms.map((algorithm) => [algorithm, makeKey(algorithm)]))
  writeFileSync(join(folder, 'jwks.json'), jwksOf(...Object.values(keys)))
  const app = fork(new URL('./load-app.ts', import.meta.url))
  const [appPort] = (await once(app, 'message')) as [number]
  writeFileSync(
    join(folder, 'sidegate.yaml'),
    `
listen: 127.0.0.1:0
upstream: http://127.0.0.1:${appPort}
admin: { listen: 127.0.0.1:0 }
log: { access: none, format: json }
issuers:
  - issuer: https://id.example.com
    audiences: [orders]
    algorithms: [${algorithms.join(', ')}]
    keys: { jwksFile: ${folder}/jwks.json }
`,
  )
  const { gate, line } = await startGate(join(folder, 'sidegate.yaml'), how)
  const nowSeconds = Math.floor(Date.now() / 1000)
  const metrics = async () => {
    const text = await (await fetch(`http://127.0.0.1:${line.admin.port}/metrics`)).text()
    return (name: string, labels = '') => sumOf(text, name, labels)
  }
  return {
    port: line.listen.port,
    processId: gate.pid,
    keys,
    mint: (algorithm, jti, signer = keys[algorithm]!) =>
      signToken(signer, goodClaims({ jti, exp: nowSeconds + 3500 }, nowSeconds), { kid: keys[algorithm]?.keyId }),
    metrics,
    metric: async (name, labels) => (await metrics())(name, labels),
    stop: async () => {
      await Promise.all([end(gate), end(app)])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a process of this folder and waits for its answer to what it is told. */
export async function ask<T>(file: string, order: object): Promise<T> {
  const child: ChildProcess = fork(new URL(`./${file}`, import.meta.url))
  child.send(order)
  const [answer] = (await once(child, 'message')) as [T]
  child.kill()
  return answer
}

/** Starts a gate alone; answers its process and the line that tells its ports. */
export async function startGate(config: string, how: GateStart) {
  const { launcher = [], nodeArguments = [], program = CLI, environment = {} } = how
  const [first = '', ...rest] = [...launcher, process.execPath, ...nodeArguments, program, 'run', '--config', config]
  const gate = spawn(first, rest, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const leave = () => gate.kill('SIGKILL')
  process.once('exit', leave)
  gate.once('exit', () => process.off('exit', leave))
  let output = ''
  gate.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  while (!output.includes('Sidegate is running')) {
    if (gate.exitCode !== null || gate.signalCode !== null)
      throw new Error(`Cannot start the gate: ${output}${readFileSync(config, 'utf8')}`)
    await sleep(20)
  }
  const running = output.split('\n').find((text) => text.includes('Sidegate is running')) ?? ''
  return { gate, line: JSON.parse(running) as { listen: { port: number }; admin: { port: number } } }
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  if (child.kill('SIGKILL')) await exited
}

function sumOf(text: string, name: string, labels: string): number {
  return text
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
