// A pod without a cluster: a network namespace with one address, the gate and its app in it as real processes, and what the
// kubelet does with them, in its order and with the probes of the pod spec. Wants root and iproute2.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSidecar, LISTEN_PORT } from '../../src/kubernetes/injection/sidecar.ts'
import { appProbePath } from '../../src/model/app-probe.ts'
import type { World } from './gateway.ts'
import { program } from './program.ts'

const APP = join(import.meta.dirname, 'pod-app.ts')
const APP_PORT = 3000
/** A range for tests of networks (RFC 2544): nobody else's addresses. */
const NETWORK = '198.18'
/** Longer than a kubelet waits: a machine that stands still for a second says nothing of the pod. */
const PROBE_TIMEOUT_MS = 10_000

/** What the chart, the snippets and `sidegate inject` put into a pod. */
const sidecar = buildSidecar({
  image: 'not-used',
  upstream: `http://127.0.0.1:${APP_PORT}`,
  appProbes: { app: { readiness: `http://127.0.0.1:${APP_PORT}/health` } },
})

/** Why there can be no pod here; nothing where there can. */
export function whyNoPod(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces here'
  const name = `sidegate-try-${process.pid}`
  const made = spawnSync('ip', ['netns', 'add', name])
  if (made.status !== 0) return 'iproute2 is missing, or may make no network namespaces'
  spawnSync('ip', ['netns', 'delete', name])
  return undefined
}

/** One container of a pod. */
interface Container {
  readonly child: ChildProcess
  readonly output: () => string
  /** The exit code. */
  readonly exited: Promise<number | null>
}

export interface Pod {
  readonly name: string
  /** `http://198.18.1.2:8080`: what endpoints hold. */
  readonly address: string
  readonly ip: string
  /** The address of the node, as the pod sees it. */
  readonly nodeIp: string
  startGate(): Container
  startApp(kind?: 'server' | 'job'): Container
  /** The startup probe of the sidecar: the app is started when it has succeeded. */
  hasStarted(): Promise<boolean>
  /** Readiness of the pod: of all its containers. */
  isReady(): Promise<boolean>
  /** What the readiness probes of the gate and of the app say, as statuses; 0 where nobody answers. */
  readiness(): Promise<readonly [gate: number, app: number]>
  /** The hook of the gate, which the kubelet runs as soon as the pod is deleted: the status. */
  preStop(): Promise<number>
  remove(): Promise<void>
}

/** Makes the network of a pod and writes its settings. `number` is from 1 to 254, and different for each pod. */
export function makePod(world: World, number: number, more = ''): Pod {
  const name = `sg-${process.pid}-${number}`
  const [nodeIp, ip] = [`${NETWORK}.${number}.1`, `${NETWORK}.${number}.2`]
  const [outside, inside] = [`sgo${process.pid % 100_000}-${number}`, `sgi${process.pid % 100_000}-${number}`]
  for (const line of [
    `netns add ${name}`,
    `link add ${outside} type veth peer name ${inside} netns ${name}`,
    `address add ${nodeIp}/30 dev ${outside}`,
    `link set ${outside} up`,
    `-n ${name} address add ${ip}/30 dev ${inside}`,
    `-n ${name} link set ${inside} up`,
    `-n ${name} link set lo up`,
  ])
    runIp(line)
  const settings = join(world.folder, `${name}.yaml`)
  // What the sidecar itself says by its variables is left out.
  const common = world.settings(new URL(`http://127.0.0.1:${APP_PORT}`), more)
  writeFileSync(settings, common.replace(/^listen:.*$/m, '').replace(/^admin:.*$/m, ''))
  const children: ChildProcess[] = []

  function start(given: readonly string[], variables: Readonly<Record<string, string>> = {}): Container {
    let text = ''
    const child = spawn('ip', ['netns', 'exec', name, process.execPath, ...given], {
      env: { PATH: process.env.PATH, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString('utf8')
      })
    return { child, output: () => text, exited: once(child, 'close').then(([code]) => code as number | null) }
  }

  const probe = async ({ path, port }: { readonly path: string; readonly port: number }): Promise<number> => {
    try {
      const answer = await fetch(`http://${ip}:${port}${path}`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
      await answer.text()
      return answer.status
    } catch {
      return 0
    }
  }
  const ofApp = { ...sidecar.readinessProbe.httpGet, path: appProbePath('app', 'readiness') }
  const readiness = () => Promise.all([probe(sidecar.readinessProbe.httpGet), probe(ofApp)])

  return {
    name,
    ip,
    nodeIp,
    address: `http://${ip}:${LISTEN_PORT}`,
    startGate: () => {
      const given = sidecar.args.map((argument) => (argument.endsWith('.yaml') ? settings : argument))
      return start([program, ...given], Object.fromEntries(sidecar.env?.map((each) => [each.name, each.value]) ?? []))
    },
    startApp: (kind = 'server') => start([APP, String(APP_PORT), name, kind]),
    hasStarted: async () => (await probe(sidecar.startupProbe.httpGet)) === 200,
    isReady: async () => (await readiness()).every((status) => status === 200),
    readiness,
    preStop: () => probe(sidecar.lifecycle.preStop.httpGet),
    remove: async () => {
      const ended = children.map((child) =>
        child.exitCode === null && child.kill('SIGKILL') ? once(child, 'exit') : [],
      )
      await Promise.all(ended)
      // First the link: the namespace goes on for a moment without a name.
      runIp(`link delete ${outside}`)
      runIp(`netns delete ${name}`)
    },
  }
}

function runIp(line: string): void {
  const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Cannot run "ip ${line}": ${stderr}`)
}
