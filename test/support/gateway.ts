// A whole gate, as `sidegate run` builds it, with an issuer's key, a signing key and an admin token in real files.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSidegate, type Sidegate } from '../../src/assembly/composition-root.ts'
import { readMaterials } from '../../src/assembly/settings/file-contents.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatProblem } from '../../src/config/problems.ts'
import { createLog } from '../../src/telemetry/logs/log.ts'
import { goodClaims, jwksOf, makeKey, privatePem, signToken, type TestKey } from './tokens.ts'

export const ISSUER = 'https://id.example.com'
export const ADMIN_TOKEN = 'admin-token-of-the-tests-32-chars'

/** Files that gates share: one issuer, one signing key. */
export interface World {
  readonly folder: string
  readonly issuerKey: TestKey
  /** A token of the issuer; times are relative to now. */
  mint(claims?: Record<string, unknown>, header?: Record<string, unknown>): string
  /** One with thirty seconds left, of two minutes. */
  due(claims?: Record<string, unknown>, header?: Record<string, unknown>): string
  /** The signing key, as settings name it. */
  signingKey(keyId?: string): string
  /** The settings that every gate of this world begins with. */
  settings(upstream: URL, more?: string): string
  remove(): void
}

export function createWorld(issuerAlgorithm = 'ES256'): World {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-world-'))
  const issuerKey = makeKey(issuerAlgorithm)
  writeFileSync(join(folder, 'jwks.json'), jwksOf(issuerKey))
  writeFileSync(join(folder, 'signing.pem'), privatePem(makeKey('EdDSA')))
  writeFileSync(join(folder, 'admin-token'), `${ADMIN_TOKEN}\n`)
  let count = 0
  const nowSeconds = () => Math.floor(Date.now() / 1000)
  const mint: World['mint'] = (claims = {}, header = {}) => {
    count++
    return signToken(issuerKey, goodClaims({ jti: `token-${count}`, ...claims }, nowSeconds()), header)
  }
  return {
    ...{ folder, issuerKey, mint },
    due: (claims, header) => mint({ iat: nowSeconds() - 90, exp: nowSeconds() + 30, ...claims }, header),
    signingKey: (keyId = 'own') => `{ privateKeyFile: ${folder}/signing.pem, algorithm: EdDSA, keyId: ${keyId} }`,
    settings: (upstream, more = '') => `
listen: 127.0.0.1:0
upstream: ${upstream.origin}
admin: { listen: 127.0.0.1:0, tokenFile: ${folder}/admin-token }
issuers:
  - issuer: ${ISSUER}
    audiences: [orders]
    keys: { jwksFile: ${folder}/jwks.json }
${more}`,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface Gateway {
  readonly app: Sidegate
  readonly port: number
  readonly adminPort: number
  /** Every line of the log. */
  readonly lines: Record<string, unknown>[]
  request(path: string, options?: RequestOptions): Promise<Response>
  admin(path: string, options?: RequestInit): Promise<Response>
  /** The value of one series, such as `sidegate_decisions_total{reason="token_revoked"}`: labels in any order, a part of them. */
  metric(name: string, labels?: Record<string, string>): Promise<number>
  reload(settingsText: string): Promise<void>
}

export interface RequestOptions extends Omit<RequestInit, 'headers'> {
  readonly token?: string
  readonly headers?: Record<string, string>
}

const running: Sidegate[] = []

/** Starts a gate with these settings; `clock` is what it takes for the time. */
export async function startGateway(
  settingsText: string,
  clock: () => number = Date.now,
  environment: Record<string, string> = {},
): Promise<Gateway> {
  const { config, materials } = await prepare(settingsText, clock)
  const lines: Record<string, unknown>[] = []
  const to = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) }
  const app = createSidegate({
    config,
    materials,
    log: createLog({ ...config.log, format: 'json' }, { isTerminal: false, to }),
    clock,
    monotonic: () => performance.now(),
    environment,
    version: 'test',
  })
  const addresses = await app.start()
  running.push(app)
  const base = `http://127.0.0.1:${addresses.proxy.port}`
  const adminBase = `http://127.0.0.1:${addresses.admin.port}`
  const admin = (path: string, options: RequestInit = {}) => fetch(`${adminBase}${path}`, options)
  return {
    app,
    port: addresses.proxy.port,
    adminPort: addresses.admin.port,
    lines,
    request: (path, { token, headers = {}, ...options } = {}) =>
      fetch(`${base}${path}`, {
        redirect: 'manual',
        ...options,
        headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
      }),
    admin,
    metric: async (name, labels = {}) => sumOf(await (await admin('/metrics')).text(), name, labels),
    reload: async (text) => {
      const next = await prepare(text, clock)
      app.reload(next.config, next.materials)
    },
  }
}

/** Stops every gate that was started since the last call. */
export async function stopGateways(): Promise<void> {
  await Promise.all(running.splice(0).map((app) => app.stop()))
}

/** The sum of the series of this name that have these labels. */
export function sumOf(text: string, name: string, labels: Record<string, string>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** The reason of a refusal, from its problem document. */
export async function reasonOf(response: Response): Promise<string | undefined> {
  const text = await response.text()
  return /urn:sidegate:refusal:(\w+)/.exec(text)?.[1]
}

async function prepare(text: string, clock: () => number) {
  const loaded = loadConfig({ file: { path: 'sidegate.yaml', text }, environment: {}, flags: {} })
  if ('problems' in loaded) throw new Error(loaded.problems.map(formatProblem).join('\n'))
  const read = await readMaterials(loaded.config, clock)
  if ('problems' in read) throw new Error(read.problems.map(formatProblem).join('\n'))
  return { config: loaded.config, materials: read.materials }
}

/** The next token that a response carries. */
export function nextOf(response: Response): string | null {
  return response.headers.get('x-refreshed-token')
}
