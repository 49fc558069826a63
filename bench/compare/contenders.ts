// The gates that are compared, each started on the core of the gates: ours as the image runs it, and what people would use instead.
// What cannot be had on this machine is left out, and said.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { version } from '../../src/runtime/version.ts'
import { freePort } from '../../test/support/listen.ts'
import { startGate } from '../gate-process.ts'
import { isInstalled, ON_GATE_CORE, versionOf } from '../machine.ts'
import { isReady } from '../ready.ts'
import { haproxyFile, nginxGate, oauth2ProxyFlags, sidegateFile } from './settings.ts'
import { type Algorithm, endProcess, nginxArguments, type Stage, startListening } from './stage.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const peers = join(root, 'bench', 'peers')
const cache = join(root, 'node_modules', '.cache', 'sidegate-bench')
const POLL_MS = 20
const OAUTH2_PROXY = 'github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6'

/** What is known of a gate before it runs. */
export interface Contender {
  readonly id: string
  readonly title: string
  readonly version: string
  /** What it checks of each request, in words. */
  readonly checks: string
  readonly algorithm: Algorithm
  readonly start: (stage: Stage) => Promise<Started>
}

interface Started {
  readonly port: number
  readonly processId: number
  readonly stop: () => Promise<void>
}

/** A gate that runs. */
export type Runner = Omit<Contender, 'start'> & Started

const node = process.version.slice(1)

/** All of them, ours first. `ids` names those that are wanted; absent: all. Says what it leaves out. */
export function contenders(ids?: readonly string[]): readonly Contender[] {
  const isWanted = (id: string) => ids === undefined || ids.includes(id)
  return all.filter(({ id, missing }) => {
    if (!isWanted(id)) return false
    const why = missing?.()
    if (why !== undefined) console.log(`Without ${id}: ${why}`)
    return why === undefined
  })
}

const all: readonly (Contender & { readonly missing?: () => string | undefined })[] = [
  {
    id: 'sidegate',
    title: 'Sidegate',
    version: `${version}, Node ${node}`,
    checks: 'token remembered after its first sight; time, revocation, route each time',
    algorithm: 'ES256',
    start: startSidegate,
  },
  {
    id: 'open-forward',
    title: 'Its forward without the gate',
    version: `${version}, Node ${node}`,
    checks: 'nothing',
    algorithm: 'ES256',
    start: startOpenForward,
  },
  {
    id: 'http-proxy',
    title: 'http-proxy + jose + ioredis',
    version: `${versionIn(peers, 'http-proxy')} + ${versionIn(root, 'jose')} + ${versionIn(root, 'ioredis')}, Node ${node}`,
    checks: 'signature and claims, one EXISTS in Redis, each time',
    algorithm: 'ES256',
    missing: installPeers,
    start: (stage) => startNode(stage, join(peers, 'http-proxy-jose-ioredis.js')),
  },
  haproxy('ES256'),
  haproxy('RS256'),
  {
    id: 'oauth2-proxy',
    title: 'oauth2-proxy, bearer tokens',
    version: OAUTH2_PROXY.slice(OAUTH2_PROXY.lastIndexOf('@v') + 2),
    checks: 'RS256 signature and claims each time; no revocation',
    algorithm: 'RS256',
    missing: buildOauth2Proxy,
    start: (stage) => startProgram(join(cache, 'oauth2-proxy'), (port) => oauth2ProxyFlags(stage, port)),
  },
  {
    id: 'nginx',
    title: 'nginx, plain proxy',
    version: versionOf('nginx', '-v'),
    checks: 'nothing',
    algorithm: 'ES256',
    start: (stage) =>
      startProgram('nginx', (port) => nginxArguments(stage.folder, 'gate', nginxGate(port, stage.appPort))),
  },
  {
    id: 'tcp-relay',
    title: 'TCP relay in Node',
    version: `Node ${node}`,
    checks: 'nothing, reads nothing',
    algorithm: 'ES256',
    start: (stage) => startNode(stage, join(peers, 'tcp-relay.js')),
  },
]

function haproxy(algorithm: Algorithm): Contender {
  return {
    id: `haproxy-${algorithm.toLowerCase()}`,
    title: `HAProxy jwt_verify ${algorithm}`,
    version: versionOf('haproxy', '-v'),
    checks: 'signature, issuer, audience and expiry each time; no revocation',
    algorithm,
    start: (stage) =>
      startProgram('haproxy', (port) => {
        const file = join(stage.folder, `haproxy-${algorithm}.cfg`)
        writeFileSync(file, haproxyFile(port, stage, algorithm))
        return ['-db', '-f', file]
      }),
  }
}

/** The bundle, with the flags for Node and the variables that the image gives it. */
export function shippedProgram(): { readonly program: string; readonly nodeArguments: readonly string[] } {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
  const [, ...given] = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1] ?? '[]') as string[]
  const program = join(root, 'dist-bundle', 'sidegate.mjs')
  if (!existsSync(program)) throw new Error('Cannot measure what ships: run npm run build -- --bundle first')
  return { program, nodeArguments: given.filter((argument) => argument.startsWith('-')) }
}

async function startSidegate(stage: Stage): Promise<Started> {
  const file = join(stage.folder, 'sidegate.yaml')
  writeFileSync(file, sidegateFile(stage))
  const how = { ...shippedProgram(), launcher: ON_GATE_CORE, environment: { NODE_ENV: 'production' } }
  const { gate, line } = await startGate(file, how)
  while (!(await isReady(line.admin.port))) await sleep(POLL_MS)
  return { port: line.listen.port, processId: gate.pid ?? 0, stop: () => endProcess(gate) }
}

async function startOpenForward(stage: Stage): Promise<Started> {
  const file = join(stage.folder, 'open-forward.mjs')
  await build({
    entryPoints: [join(peers, 'open-forward.ts')],
    outfile: file,
    ...({ bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' } as const),
    banner: { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" },
  })
  return startNode(stage, file, shippedProgram().nodeArguments)
}

function startNode(stage: Stage, file: string, nodeArguments: readonly string[] = []): Promise<Started> {
  return startProgram(process.execPath, () => [...nodeArguments, file], {
    NODE_ENV: 'production',
    UPSTREAM_PORT: String(stage.appPort),
    REDIS: stage.redisUrl,
    KEYS: stage.keySet,
  })
}

async function startProgram(
  program: string,
  given: (port: number) => readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const port = await freePort()
  const [first = '', ...rest] = [...ON_GATE_CORE, program, ...given(port)]
  const child = await startListening(first, rest, port, { ...environment, PORT: String(port) })
  return { port, processId: child.pid ?? 0, stop: () => endProcess(child) }
}

function versionIn(folder: string, name: string): string {
  const file = join(folder, 'node_modules', name, 'package.json')
  const lock = join(folder, 'package-lock.json')
  if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as { packages: Record<string, { version: string }> }
  return packages[`node_modules/${name}`]?.version ?? 'unknown'
}

function installPeers(): string | undefined {
  if (existsSync(join(peers, 'node_modules', 'http-proxy'))) return undefined
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: peers, stdio: 'ignore' })
  return status === 0 ? undefined : 'npm ci in bench/peers fails'
}

/** Takes minutes, once. */
function buildOauth2Proxy(): string | undefined {
  if (existsSync(join(cache, 'oauth2-proxy'))) return undefined
  if (!isInstalled('go')) return 'there is no Go to build it with'
  console.log(`Building ${OAUTH2_PROXY}`)
  try {
    execFileSync('go', ['install', OAUTH2_PROXY], { env: { ...process.env, GOBIN: cache }, stdio: 'ignore' })
    return undefined
  } catch {
    return `go install ${OAUTH2_PROXY} fails`
  }
}
