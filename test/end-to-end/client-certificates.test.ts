// Clients are known by their certificates: what a reload of the authority, of the revoked certificates and of the TLS version
// does to new connections, to kept-alive ones, to open answers and to WebSockets.
import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { makeCertificates, type TestCertificates, type TestPair } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { killProcesses, startProcess } from '../support/process.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type RawSecureClient, rawSecureClient, secureRequest } from '../support/secure-client.ts'

// One starts several processes: on a busy machine a start takes some seconds.
vi.setConfig({ testTimeout: 120_000 })

let ours: TestCertificates
let others: TestCertificates
let good: TestPair
let lost: TestPair
beforeAll(() => {
  ours = makeCertificates()
  others = makeCertificates()
  good = ours.issue('good')
  lost = ours.issue('lost')
})
afterAll(() => {
  ours.remove()
  others.remove()
})

let world: World
let app: Awaited<ReturnType<typeof startApp>>
let slow: ServerResponse[]
beforeEach(async () => {
  world = createWorld()
  slow = []
  app = await startApp((req, res) => {
    if (req.url === '/slow') slow.push(res)
    else res.end('quick')
  })
  new WebSocketServer({ server: app.server }).on('connection', (socket) => socket.on('error', () => {}))
})
afterEach(async () => {
  await stopGateways()
  await app.close()
  world.remove()
})

const own = ({ certificate, privateKey }: TestPair) => ({ ca: ours.authority, cert: certificate, key: privateKey })

function write(name: string, text: string): string {
  const path = join(world.folder, name)
  writeFileSync(path, text)
  return path
}

const settings = (more = '') =>
  `${world.settings(app.url)}
tls:
  certFile: ${ours.certificateFile}
  keyFile: ${ours.keyFile}
  clientCaFile: ${join(world.folder, 'clients.pem')}
${more}`

const asking = () => `authorization: Bearer ${world.mint()}\r\nhost: a\r\n\r\n`

type Port = Pick<Gateway, 'port'>

async function keepAlive(gate: Port, pair: TestPair): Promise<RawSecureClient> {
  const client = await rawSecureClient(gate.port, own(pair))
  client.send(`GET / HTTP/1.1\r\n${asking()}`)
  await eventually(() => expect(client.text()).toContain('quick'))
  return client
}

interface OpenSocket {
  readonly closed: Promise<unknown>
  readonly isOpen: () => boolean
}

async function openSocket(gate: Port, pair: TestPair): Promise<OpenSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${gate.port}/`, {
    ...own(pair),
    headers: { authorization: `Bearer ${world.mint()}` },
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return {
    closed: new Promise((resolve) => socket.once('close', resolve)),
    isOpen: () => socket.readyState === WebSocket.OPEN,
  }
}

const statusFor = async (gate: Port, pair: TestPair, more = {}) =>
  (await secureRequest(gate.port, { ...own(pair), headers: { authorization: `Bearer ${world.mint()}` }, ...more }))
    .status

describe('another authority', () => {
  // holds: client-certificate-of-removed-authority
  it('ends what clients of the one before hold open: an idle connection, a WebSocket, an answer once it is whole', async () => {
    write('clients.pem', ours.authority)
    const gate = await startGateway(settings())
    const [idle, busy] = [await keepAlive(gate, good), await keepAlive(gate, good)]
    const webSocket = await openSocket(gate, good)
    busy.send(`GET /slow HTTP/1.1\r\n${asking()}`)
    await eventually(() => expect(slow).toHaveLength(1))

    write('clients.pem', others.authority)
    await gate.reload(settings())
    await Promise.all([idle.closed, webSocket.closed])
    await expect(statusFor(gate, good)).rejects.toThrow()
    slow[0]?.end('done')
    expect((await busy.closed).text).toContain('done')
  })

  it('beside the one before ends idle connections once, and clients of both come in', async () => {
    write('clients.pem', ours.authority)
    const gate = await startGateway(settings())
    const idle = await keepAlive(gate, good)
    write('clients.pem', `${ours.authority}${others.authority}`)
    await gate.reload(settings())
    await idle.closed
    expect(await statusFor(gate, good)).toBe(200)
    expect(await statusFor(gate, others.issue('new'))).toBe(200)
  })
})

describe('revoked client certificates', () => {
  const withList = () => settings(`  clientCrlFile: ${join(world.folder, 'revoked.pem')}`)

  // holds: revoked-client-certificate
  it('are refused, and no others; those revoked by a reload lose what they hold open', async () => {
    write('clients.pem', ours.authority)
    write('revoked.pem', ours.revoke([]))
    const gate = await startGateway(withList())
    const idle = await keepAlive(gate, lost)
    const webSocket = await openSocket(gate, lost)
    write('revoked.pem', ours.revoke([lost]))
    await gate.reload(withList())
    await Promise.all([idle.closed, webSocket.closed])
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      await expect(statusFor(gate, lost, { maxVersion })).rejects.toThrow()
      expect(await statusFor(gate, good, { maxVersion })).toBe(200)
    }
  })

  it('a list that cannot be used is not taken: what was in force stays', async () => {
    write('clients.pem', ours.authority)
    write('revoked.pem', ours.revoke([lost]))
    const gate = await startGateway(withList())
    write('revoked.pem', others.revoke([]))
    await expect(gate.reload(withList())).rejects.toThrow(
      /revoked\.pem" as revoked client certificates: no certificate in "tls.clientCaFile" has signed list 1 in it/,
    )
    await expect(statusFor(gate, lost)).rejects.toThrow()
    expect(await statusFor(gate, good)).toBe(200)
  })

  it('a list without an authority is a mistake in the settings', async () => {
    write('revoked.pem', ours.revoke([lost]))
    const text = withList().replace(/ {2}clientCaFile.*\n/, '')
    await expect(startGateway(text)).rejects.toThrow(/tls.clientCrlFile.*no client is asked for one.*tls.clientCaFile/)
  })
})

describe('two workers that follow their files', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    killProcesses()
    await redis.stop()
  })

  const start = async () => {
    write('server.pem', ours.certificate)
    write('server.key', ours.privateKey)
    write('clients.pem', ours.authority)
    write('revoked.pem', ours.revoke([]))
    const text = settings(`  clientCrlFile: ${join(world.folder, 'revoked.pem')}
workers: 2
revocation: { redis: '${redis.url}' }
`)
      .replace(ours.certificateFile, join(world.folder, 'server.pem'))
      .replace(ours.keyFile, join(world.folder, 'server.key'))
    const gate = await startProcess(['run', '--config', write('sidegate.yaml', text)])
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${gate.adminPort}/readyz`)).status).toBe(200))
    return gate
  }
  /** Connections go to the workers in turn: four reach both. */
  const four = <T>(make: () => Promise<T>) => Promise.all([make(), make(), make(), make()])
  const answers = (client: RawSecureClient) => client.text().split('quick').length - 1

  // holds: client-certificate-of-removed-authority
  // holds: revoked-client-certificate
  it('let connections live through a new certificate of the server, and end them where other clients are let in', async () => {
    const gate = await start()
    const kept = await four(() => keepAlive(gate, lost))
    const webSockets = await four(() => openSocket(gate, lost))
    const shown = async () => (await secureRequest(gate.port, own(good))).shown

    const next = ours.issue('next')
    write('server.pem', next.certificate)
    write('server.key', next.privateKey)
    await eventually(async () => expect(await four(shown)).toEqual(['next', 'next', 'next', 'next']))
    for (const client of kept) client.send(`GET / HTTP/1.1\r\n${asking()}`)
    await eventually(() => expect(kept.map(answers)).toEqual([2, 2, 2, 2]))
    expect(webSockets.map(({ isOpen }) => isOpen())).toEqual([true, true, true, true])

    write('revoked.pem', ours.revoke([lost]))
    await Promise.all([...kept, ...webSockets].map(({ closed }) => closed))
    await four(() => expect(statusFor(gate, lost)).rejects.toThrow())
    expect(await four(() => statusFor(gate, good))).toEqual([200, 200, 200, 200])

    const old = await four(() => keepAlive(gate, good))
    write('revoked.pem', others.revoke([]))
    write('clients.pem', others.authority)
    await Promise.all(old.map(({ closed }) => closed))
    await four(() => expect(statusFor(gate, good)).rejects.toThrow())
    expect(await four(() => statusFor(gate, others.issue('new')))).toEqual([200, 200, 200, 200])
  })
})

describe('the oldest version of TLS', () => {
  it('is 1.2, or 1.3 where the settings say so; a reload ends connections of the older one', async () => {
    write('clients.pem', ours.authority)
    const gate = await startGateway(settings())
    const old = await rawSecureClient(gate.port, { ...own(good), maxVersion: 'TLSv1.2' })
    old.send(`GET / HTTP/1.1\r\n${asking()}`)
    await eventually(() => expect(old.text()).toContain('quick'))
    await gate.reload(settings("  minVersion: '1.3'"))
    await old.closed
    await expect(statusFor(gate, good, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/)
    expect(await statusFor(gate, good)).toBe(200)
  })

  it('is a word, so that 1.30 is no version; a number is named with what would be right', async () => {
    write('clients.pem', ours.authority)
    await expect(startGateway(settings('  minVersion: 1.1'))).rejects.toThrow(/tls.minVersion.*1\.2.*1\.3/)
  })
})
