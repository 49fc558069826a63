// Everything that the demo needs, on this machine and for a while: an app, an issuer, a folder with keys and tokens, and the gate
// itself, with the in-memory list.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, createApp } from '../app.ts'
import { closeServer, listenOn } from '../assembly/listening.ts'
import { readMaterials } from '../assembly/materials.ts'
import { loadConfig } from '../config/load.ts'
import type { Clock } from '../model/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { generateKey } from '../token/mint.ts'
import { version } from '../version.ts'
import { createDemoApp } from './app.ts'
import { createDemoIssuer, DEMO_AUDIENCE, type DemoIssuer, type DemoTokens } from './issuer.ts'
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
  const app = createDemoApp()
  const closeAll = async () => {
    await Promise.all([closeServer(app), closeServer(issuer.server)])
    await rm(folder, { recursive: true, force: true })
  }
  try {
    return await setStage(parts, { folder, issuer, app, closeAll })
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
  readonly app: Server
  readonly closeAll: () => Promise<void>
}

async function setStage(parts: StageParts, { folder, issuer, app, closeAll }: Scenery): Promise<DemoStage> {
  const issuerUrl = urlOf((await listenOn(issuer.server, { host: HOST, port: 0 })).port)
  const appUrl = urlOf((await listenOn(app, { host: HOST, port: 0 })).port)
  const admin = randomBytes(24).toString('base64url')
  await writeFile(join(folder, 'admin-token'), admin, { mode: 0o600 })
  await writeFile(join(folder, 'signing.pem'), (await generateKey('EdDSA')).privatePem, { mode: 0o600 })

  const { gate, addresses, settingsText } = await startGate(parts, { appUrl, issuerUrl, folder })
  const places = { gate: urlOf(addresses.proxy.port), admin: urlOf(addresses.admin.port), folder }

  return {
    places,
    settingsText,
    renewTokens: async () => {
      const tokens = await issuer.tokens(issuerUrl, Math.floor(parts.clock() / 1000))
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

async function buildGate(settingsText: string, parts: StageParts): Promise<App> {
  const loaded = loadConfig({ file: { path: 'demo settings', text: settingsText }, environment: {}, flags: {} })
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems))
  const read = await readMaterials(loaded.config)
  if ('problems' in read) throw new Error(JSON.stringify(read.problems))
  return createApp({
    config: loaded.config,
    materials: read.materials,
    monotonic: () => performance.now(),
    fetch: globalThis.fetch,
    version,
    ...parts,
  })
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
  - { path: /public/*, access: public }
  - { path: /admin/*, scopes: [admin] }
refresh:
  window: 60s
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
