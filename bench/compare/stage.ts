// What every gate stands between and works with: an nginx as the app, a Redis with rules, keys, and 5,000 tokens of each kind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/listen.ts'
import { startRedis } from '../../test/support/redis.ts'
import { goodClaims, jwksOf, makeKey, publicPem, signToken, type TestKey } from '../../test/support/tokens.ts'
import { writeLog } from '../rules.ts'

const TOKENS = 5_000
const LIFETIME_SECONDS = 6 * 3600
const RULES = 100_000
const START_MS = 20_000
export type Algorithm = 'ES256' | 'RS256'

/** Everything but the gates. */
export interface Stage {
  readonly folder: string
  readonly appPort: number
  readonly redisUrl: string
  readonly rules: number
  /** The public keys, as a JWK Set. */
  readonly keySet: string
  /** The same, a file in PEM for each algorithm. */
  readonly keyFile: (algorithm: Algorithm) => string
  readonly tokens: (algorithm: Algorithm) => readonly string[]
  /** The same, as a file for Lua. */
  readonly tokensFile: (algorithm: Algorithm) => string
  readonly stop: () => Promise<void>
}

/** Starts app and Redis, and signs the tokens. */
export async function startStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
  const keys: Record<Algorithm, TestKey> = { ES256: makeKey('ES256'), RS256: makeKey('RS256') }
  const keySet = jwksOf(keys.ES256, keys.RS256)
  const tokens = { ES256: signTokens(keys.ES256), RS256: signTokens(keys.RS256) }
  const fileOf = (algorithm: Algorithm, kind: string) => join(folder, `${algorithm}.${kind}`)
  for (const algorithm of ['ES256', 'RS256'] as const) {
    writeFileSync(fileOf(algorithm, 'pem'), publicPem(keys[algorithm]))
    writeFileSync(fileOf(algorithm, 'lua'), `return {${tokens[algorithm].map((token) => `"${token}"`).join(',')}}`)
  }
  writeFileSync(join(folder, 'download'), Buffer.alloc(2 ** 20, 'x'))
  writeFileSync(join(folder, 'jwks.json'), keySet)

  const redis = await startRedis()
  await writeLog(redis, RULES)
  const appPort = await freePort()
  const app = await startListening('nginx', nginxArguments(folder, 'app', appServer(appPort, folder)), appPort)
  return {
    folder,
    appPort,
    redisUrl: redis.url,
    rules: RULES,
    keySet,
    keyFile: (algorithm) => fileOf(algorithm, 'pem'),
    tokens: (algorithm) => tokens[algorithm],
    tokensFile: (algorithm) => fileOf(algorithm, 'lua'),
    stop: async () => {
      await endProcess(app)
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function signTokens(key: TestKey): readonly string[] {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const exp = nowSeconds + LIFETIME_SECONDS
  return Array.from({ length: TOKENS }, (_, index) =>
    signToken(key, goodClaims({ jti: `bench-${key.algorithm}-${index}`, exp }, nowSeconds)),
  )
}

function appServer(port: number, folder: string): string {
  return `server {
    listen 127.0.0.1:${port} backlog=1024;
    location / { default_type application/json; return 200 '{"order":"${'x'.repeat(188)}"}'; }
    location = /download { alias ${folder}/download; }
    location = /jwks.json { alias ${folder}/jwks.json; }
  }`
}

/** One process of nginx in the foreground; `servers` go into its http block. */
export function nginxArguments(folder: string, name: string, servers: string): readonly string[] {
  const file = join(folder, `${name}.conf`)
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`).join(' ')
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/${name}.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; ${temporary}
  keepalive_requests 100000000; client_body_buffer_size 16k; sendfile on; tcp_nopush on;
  ${servers}
}
`,
  )
  return ['-c', file]
}

/** Starts a program and waits until something listens on the port. Throws with what the program says where it ends instead. */
export async function startListening(
  program: string,
  given: readonly string[],
  port: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(program, given, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const leave = () => child.kill('SIGKILL')
  process.once('exit', leave)
  child.once('exit', () => process.off('exit', leave))
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-2_000)
  })
  const endMs = performance.now() + START_MS
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > endMs) throw new Error(`Cannot start "${program}": ${said}`)
    await sleep(20)
  }
  return child
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
