// Everything that the demo needs, on this machine and for a while: an app, an issuer, a folder with keys and tokens, and the gate
// itself, with the in-memory list.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSidegate, type Sidegate } from '../assembly/composition-root.ts'
import { readMaterials } from '../assembly/settings/file-contents.ts'
import { loadConfig } from '../config/load.ts'
import { closeServer, listenOn } from '../http/listener/listen.ts'
import type { Clock } from '../model/clock.ts'
import { version } from '../runtime/version.ts'
import type { Log } from '../telemetry/logs/log.ts'
import { generateKey } from '../token/signing/mint.ts'
import { createDemoApp, type DemoRule } from './app.ts'
import {
  createDemoIssuer,
  DEMO_AUDIENCE,
  DEMO_LIFETIME_SECONDS,
  DEMO_WINDOW_SECONDS,
  type DemoIssuer,
  type DemoTokens,
} from './issuer.ts'
import { type DemoPlaces, fileOf } from './steps.ts'

const HOST = '127.0.0.1'

export interface DemoStage {
  readonly places: DemoPlaces
  /** The settings that the gate runs with, as they would stand in a file. */
  readonly settingsText: string
  /** Makes new tokens, and puts each into its file. */
  renewTokens(): Promise<DemoTokens & { readonly admin: string }>
  close(): Promise<void>
}

/** Builds and starts everything. The ports are those of the defaults where they are free, else any. */
export async function openStage(parts: StageParts): Promise<DemoStage> {
  const folder = await mkdtemp(join(tmpdir(), 'sidegate-demo-'))
  const issuer = await createDemoIssuer()
  const servers: Server[] = [issuer.server]
  const closeAll = async () => {
    await Promise.all(servers.map(closeServer))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    return await setStage(parts, { folder, issuer, servers, closeAll })
  } catch (error) {
    await closeAll()
    throw error
  }
}

interface StageParts {
  readonly log: Log
  readonly clock: Clock
}

interface Scenery {
  readonly folder: string
  readonly issuer: DemoIssuer
  /** Those to close in the end. */
  readonly servers: Server[]
  readonly closeAll: () => Promise<void>
}

async function setStage(parts: StageParts, { folder, issuer, servers, closeAll }: Scenery): Promise<DemoStage> {
  const issuerUrl = urlOf((await listenOn(issuer.server, { host: HOST, port: 0 })).port)
  const nowSeconds = () => Math.floor(parts.clock() / 1000)
  let adminUrl = ''
  let takenBackSeconds = 0
  const app = createDemoApp({
    signIn: async () => {
      // What was taken back up to now includes the tokens of this very second.
      while (nowSeconds() <= takenBackSeconds) await sleep(50)
      return issuer.visitorToken(issuerUrl, nowSeconds())
    },
    revoke: async (rule) => {
      const effect = await revoke(adminUrl, admin, rule)
      takenBackSeconds = nowSeconds()
      return effect
    },
  })
  servers.push(app)
  const appUrl = urlOf((await listenOn(app, { host: HOST, port: 0 })).port)
  const admin = randomBytes(24).toString('base64url')
  await writeFile(join(folder, 'admin-token'), admin, { mode: 0o600 })
  await writeFile(join(folder, 'signing.pem'), (await generateKey('EdDSA')).privatePem, { mode: 0o600 })

  const { gate, addresses, settingsText } = await startGate(parts, { appUrl, issuerUrl, folder })
  adminUrl = urlOf(addresses.admin.port)
  const places = { gate: urlOf(addresses.proxy.port), admin: adminUrl, folder }

  return {
    places,
    settingsText,
    renewTokens: async () => {
      const tokens = await issuer.tokens(issuerUrl, nowSeconds())
      for (const [name, token] of Object.entries(tokens) as [keyof DemoTokens, string][])
        await replaceFile(fileOf(name, places), token)
      return { ...tokens, admin }
    },
    close: async () => {
      await gate.stop()
      await closeAll()
    },
  }
}

/** A port that was free a moment ago can be taken by the start: then any other will do. */
async function startGate(parts: StageParts, at: Omit<GatePlaces, 'listen' | 'admin'>) {
  const wanted = [await freePort(8080), await freePort(9090)] as const
  for (const [listen, admin] of [wanted, [0, 0]] as const) {
    const settingsText = demoSettings({ listen: `${HOST}:${listen}`, admin: `${HOST}:${admin}`, ...at })
    const gate = await buildGate(settingsText, parts)
    try {
      return { gate, addresses: await gate.start(), settingsText }
    } catch (error) {
      await gate.stop()
      if ((error as { code?: string }).code !== 'EADDRINUSE') throw error
    }
  }
  throw new Error('Cannot start the demo: no port is free')
}

async function buildGate(settingsText: string, parts: StageParts): Promise<Sidegate> {
  const loaded = loadConfig({ file: { path: 'demo settings', text: settingsText }, environment: {}, flags: {} })
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems))
  const read = await readMaterials(loaded.config)
  if ('problems' in read) throw new Error(JSON.stringify(read.problems))
  return createSidegate({
    config: loaded.config,
    materials: read.materials,
    monotonic: () => performance.now(),
    environment: {},
    version,
    ...parts,
  })
}

/** Writes a rule by the admin API, and answers in a sentence what it matches. */
async function revoke(adminUrl: string, adminToken: string, rule: DemoRule): Promise<string> {
  const response = await fetch(`${adminUrl}/revocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...rule, reason: 'asked for on the page of the demo' }),
  })
  if (response.status !== 201) throw new Error(`Cannot revoke: status is ${response.status}`)
  const { effects } = (await response.json()) as { effects: readonly string[] }
  return effects.join('; ')
}

/** In one step: a shell that reads the file meanwhile gets the old token or the new one, never half of one. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

interface GatePlaces {
  readonly listen: string
  readonly admin: string
  readonly appUrl: string
  readonly issuerUrl: string
  readonly folder: string
}

function demoSettings(at: GatePlaces): string {
  return `listen: ${at.listen}
upstream: ${at.appUrl}
admin: { listen: '${at.admin}', tokenFile: ${at.folder}/admin-token }
issuers:
  - issuer: ${at.issuerUrl}
    audiences: [${DEMO_AUDIENCE}]
    keys: { jwksUri: '${at.issuerUrl}/jwks.json' }
routes:
  - { path: /, methods: [GET], access: public }
  - { path: /demo/page/*, methods: [GET], access: public }
  - { path: /demo/sign-in, methods: [POST], access: public }
  - { path: /public/*, access: public }
  - { path: /admin/*, scopes: [admin] }
forward:
  identity: { x-auth-subject: sub, x-auth-session: sid, x-auth-scope: scope }
refresh:
  window: ${DEMO_WINDOW_SECONDS}s
  lifetime: ${DEMO_LIFETIME_SECONDS}s
  key: { privateKeyFile: ${at.folder}/signing.pem, algorithm: EdDSA, keyId: demo }
`
}

function urlOf(port: number): string {
  return `http://${HOST}:${port}`
}

/** The wanted port where nobody has it, else 0 for any. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(wanted, HOST, () => probe.close(() => resolve(wanted)))
  })
}
