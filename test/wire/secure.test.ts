// The listener over TLS: what it speaks, whom it lets in, how it changes its certificate, and that nothing that is not TLS
// brings it down.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { Agent } from 'node:https'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { ListenerCertificates } from '../../src/http/listener/listener.ts'
import { makeCertificates, type TestCertificates } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listen.ts'
import { startApp, startEchoOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { exchangeRaw, rawClient } from '../support/raw-client.ts'
import { rawSecureClient, secureRequest } from '../support/secure-client.ts'

let ours: TestCertificates
let others: TestCertificates
let ca: string
let shown: ListenerCertificates
beforeAll(() => {
  ours = makeCertificates()
  others = makeCertificates()
  ca = ours.authority
  shown = { certificate: ours.certificate, privateKey: ours.privateKey, clientAuthority: undefined }
  return () => {
    ours.remove()
    others.remove()
  }
})

const closing: (() => unknown)[] = []
let origin: Awaited<ReturnType<typeof startEchoOrigin>>
beforeEach(async () => {
  origin = await startEchoOrigin()
  closing.push(origin.close)
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startProxy>[1] = {}, upstream = origin.url): Promise<TestProxy> {
  const proxy = await startProxy(upstream, { certificates: shown, ...options })
  closing.push(proxy.close)
  return proxy
}

const headersOf = (index: number) => {
  const { rawHeaders } = origin.seen.at(index) ?? { rawHeaders: [] }
  return Object.fromEntries(
    rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]]] : [])),
  )
}

describe('a listener with a certificate', () => {
  it('serves over TLS 1.2 and 1.3, and tells the application that it was https', async () => {
    const { port } = await start()
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const answer = await secureRequest(port, { ca, minVersion: version, maxVersion: version, path: '/x?y' })
      expect([answer.status, answer.shown]).toEqual([200, 'localhost'])
    }
    expect(headersOf(-1)).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(port),
      forwarded: `for=127.0.0.1;host="127.0.0.1:${port}";proto=https`,
    })
    await secureRequest(port, { ca, headers: { host: 'localhost' } })
    expect(headersOf(-1)['x-forwarded-port']).toBe('443')
  })

  it('refuses TLS 1.1', async () => {
    const { port } = await start()
    const old = { ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(secureRequest(port, old)).rejects.toThrow(/alert protocol version/)
  })

  it('refuses suites with CBC, SHA-1 or no forward secrecy', async () => {
    const { port } = await start()
    for (const ciphers of ['ECDHE-RSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'AES128-GCM-SHA256', 'AES256-SHA']) {
      const weak = { ca, maxVersion: 'TLSv1.2', ciphers } as const
      await expect(secureRequest(port, weak)).rejects.toThrow(/handshake failure/)
    }
  })

  it('speaks HTTP/1.1 with who could do more, and nothing with who can only do HTTP/2', async () => {
    const { port } = await start()
    const both = await rawSecureClient(port, { ca, ALPNProtocols: ['h2', 'http/1.1'] })
    expect(both.socket.alpnProtocol).toBe('http/1.1')
    both.socket.destroy()
    await expect(rawSecureClient(port, { ca, ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/)
  })

  it('lets no client renegotiate', async () => {
    const { port } = await start()
    const { socket } = await rawSecureClient(port, { ca, maxVersion: 'TLSv1.2' })
    const error = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve)
      socket.renegotiate({}, resolve)
    })
    expect(String(error)).toMatch(/renegotiation/)
    socket.destroy()
  })

  const messages: Record<string, [bytes: string, status: number]> = {
    'two lengths': ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx', 400],
    'no HTTP': ['hello\r\n\r\n', 400],
    'no Host': ['GET / HTTP/1.1\r\n\r\n', 400],
    'a hundred and one headers': [`GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(100)}\r\n`, 431],
    'a head of 17 KiB': [`GET / HTTP/1.1\r\nHost: a\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`, 431],
    CONNECT: ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  }
  for (const [name, [bytes, status]] of Object.entries(messages)) {
    it(`is as strict as over plain HTTP: ${name} gives ${status}`, async () => {
      const { port } = await start()
      const client = await rawSecureClient(port, { ca })
      client.send(bytes)
      expect((await client.closed).text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(origin.seen).toEqual([])
    })
  }
})

describe('what is not TLS', () => {
  const noise: Record<string, string> = {
    'plain HTTP': 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'random bytes': '\x80\xff\x00\x17 some bytes that mean nothing\r\n\r\n',
    'a handshake that is cut off': '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
    'a record that is too long': `\x16\x03\x01\xff\xff${'\x01'.repeat(70_000)}`,
  }
  for (const [name, bytes] of Object.entries(noise)) {
    it(`is closed and does no harm: ${name}`, async () => {
      const proxy = await start({ limits: { headersTimeoutMs: 300 } })
      expect(await exchangeRaw(proxy.port, bytes)).not.toContain('HTTP/1.1 200')
      // This handshake is given no longer than theirs, and a busy machine may miss it
      await eventually(async () => expect((await secureRequest(proxy.port, { ca })).status).toBe(200))
      expect(proxy.errors).toEqual([])
    })
  }

  it('may not hold a connection open in silence', async () => {
    const proxy = await start({ limits: { headersTimeoutMs: 300 } })
    await rawClient(proxy.port).closed()
  })

  // holds: flooding-with-handshakes
  it('keeps no good client out, however many connections say nothing', async () => {
    const refused: string[] = []
    const proxy = await start({ maxConnections: 100, onRefusedConnection: (cause) => refused.push(cause) })
    const silent = Array.from({ length: 150 }, () => rawClient(proxy.port))
    await Promise.all(silent.map(({ socket }) => once(socket, 'connect')))
    await eventually(() => expect(refused.length).toBeGreaterThanOrEqual(125))
    expect(refused).not.toContain('handshake_failed')
    expect((await secureRequest(proxy.port, { ca })).status).toBe(200)
    expect(proxy.server.connections().handshake).toBeLessThanOrEqual(25)
    expect(proxy.errors).toHaveLength(1)
    for (const { socket } of silent) socket.destroy()
  })

  it('may be a client that resets in the middle of the handshake, two hundred times', async () => {
    const proxy = await start()
    for (let round = 0; round < 10; round++) {
      const clients = Array.from({ length: 20 }, () => rawClient(proxy.port))
      await Promise.all(
        clients.map(async ({ socket, closed }) => {
          await once(socket, 'connect')
          socket.write('\x16\x03\x01')
          socket.resetAndDestroy()
          await closed()
        }),
      )
    }
    expect((await secureRequest(proxy.port, { ca })).status).toBe(200)
    expect(proxy.errors).toEqual([])
  })
})

describe('a listener that asks clients for a certificate', () => {
  const asking = () => ({ certificates: { ...shown, clientAuthority: ours.authority } })

  it('lets in who has one of the authority, and nobody else', async () => {
    const { port } = await start(asking())
    const client = ours.issue('client')
    const stranger = others.issue('client')
    const own = { ca, cert: client.certificate, key: client.privateKey }
    expect((await secureRequest(port, own)).status).toBe(200)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      await expect(secureRequest(port, { ca, maxVersion })).rejects.toThrow()
      const strange = { ca, cert: stranger.certificate, key: stranger.privateKey, maxVersion }
      await expect(secureRequest(port, strange)).rejects.toThrow()
    }
    expect(origin.seen).toHaveLength(1)
  })

  it('goes on asking when its certificates are renewed, also without an authority', async () => {
    const { port, server } = await start(asking())
    const client = ours.issue('client')
    const own = { ca, cert: client.certificate, key: client.privateKey }
    server.renewCertificates({ ...shown, clientAuthority: undefined })
    expect((await secureRequest(port, own)).status).toBe(200)
    await expect(secureRequest(port, { ca })).rejects.toThrow()
    server.renewCertificates({ ...shown, clientAuthority: others.authority })
    await expect(secureRequest(port, own)).rejects.toThrow()
    expect(origin.seen).toHaveLength(1)
  })
})

it('refuses revoked clients also when its certificates are renewed without an authority', async () => {
  const [good, lost] = [ours.issue('good'), ours.issue('lost')]
  const revokedClients = [ours.revoke([lost])]
  const { port, server } = await start({ certificates: { ...shown, clientAuthority: ours.authority, revokedClients } })
  server.renewCertificates({ ...shown, clientAuthority: undefined })
  expect((await secureRequest(port, { ca, cert: good.certificate, key: good.privateKey })).status).toBe(200)
  await expect(secureRequest(port, { ca, cert: lost.certificate, key: lost.privateKey })).rejects.toThrow()
})

describe('another authority of clients', () => {
  // holds: client-certificate-of-removed-authority
  it('ends connections of the one before: idle ones at once, others after their answer', async () => {
    const waiting: ServerResponse[] = []
    let asked = 0
    const app = await startApp((req, res) => {
      asked += 1
      if (req.url === '/slow') waiting.push(res)
      else res.end('quick')
    })
    closing.push(app.close)
    const certificates = { ...shown, clientAuthority: ours.authority }
    const { port, server } = await start({ certificates }, app.url)
    const client = ours.issue('client')
    const own = { ca, cert: client.certificate, key: client.privateKey }
    const [idle, busy] = [await rawSecureClient(port, own), await rawSecureClient(port, own)]
    idle.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    busy.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => expect([idle.text().includes('quick'), waiting.length]).toEqual([true, 1]))

    server.renewCertificates({ ...ours.issue('next'), clientAuthority: ours.authority })
    idle.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => expect(asked).toBe(3))

    server.renewCertificates({ ...shown, clientAuthority: others.authority })
    await idle.closed
    busy.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
    waiting[0]?.end('done')
    expect((await busy.closed).text).toContain('done')
    expect(asked).toBe(3)
  })
})

describe('another certificate', () => {
  it('is shown to new connections, and leaves open requests and connections alone', async () => {
    const waiting: ServerResponse[] = []
    const app = await startApp((req, res) => {
      if (req.url === '/slow') waiting.push(res)
      else res.end('quick')
    })
    closing.push(app.close)
    const { port, server } = await start({}, app.url)
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca })
    closing.push(() => agent.destroy())
    expect((await secureRequest(port, { agent })).shown).toBe('localhost')
    const slow = Array.from({ length: 20 }, () => secureRequest(port, { ca, path: '/slow' }))
    await eventually(() => expect(waiting).toHaveLength(20))

    const next = ours.issue('next')
    server.renewCertificates({ ...next, clientAuthority: undefined })
    expect((await secureRequest(port, { ca })).shown).toBe('next')
    expect((await secureRequest(port, { agent })).shown).toBe('localhost')
    for (const res of waiting) res.end('done')
    expect((await Promise.all(slow)).map(({ text }) => text)).toEqual(slow.map(() => 'done'))
  })

  it('that cannot be used is not taken', async () => {
    const { port, server } = await start()
    const broken = { ...shown, privateKey: others.privateKey }
    expect(() => server.renewCertificates(broken)).toThrow()
    expect((await secureRequest(port, { ca })).shown).toBe('localhost')
  })

  it('has no session of the one before taken up again', async () => {
    const { port, server } = await start()
    const resume = async (session: Buffer | undefined) => {
      const client = await rawSecureClient(port, { ca, maxVersion: 'TLSv1.2', ...(session && { session }) })
      const wasResumed = client.socket.isSessionReused()
      const next = client.socket.getSession()
      client.socket.destroy()
      return { wasResumed, next }
    }
    const { next } = await resume(undefined)
    expect((await resume(next)).wasResumed).toBe(true)
    server.renewCertificates({ ...ours.issue('next'), clientAuthority: undefined })
    expect((await resume(next)).wasResumed).toBe(false)
  })
})

describe('a WebSocket over TLS', () => {
  it('carries messages both ways, and ends when the proxy does', async () => {
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    const protocols: unknown[] = []
    sockets.on('connection', (socket, req) => {
      protocols.push(req.headers['x-forwarded-proto'])
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    const upstream = new URL(`http://127.0.0.1:${await listen(server)}`)
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const proxy = await start({}, upstream)
    const client = new WebSocket(`wss://127.0.0.1:${proxy.port}/`, { ca })
    await once(client, 'open')
    const large = Buffer.alloc(1_000_000, 7)
    for (const message of ['hello', large]) {
      client.send(message)
      const [data] = await once(client, 'message')
      expect(Buffer.compare(data as Buffer, Buffer.from(message))).toBe(0)
    }
    expect(protocols).toEqual(['https'])
    proxy.server.renewCertificates({ ...ours.issue('next'), clientAuthority: undefined })
    client.send('still there')
    await once(client, 'message')
    const closed = once(client, 'close')
    await proxy.server.drain(0)
    await closed
  })
})

describe('draining over TLS', () => {
  it('is not held up by idle connections, unused ones and unfinished handshakes', async () => {
    const proxy = await start({ limits: { headersTimeoutMs: 60_000 } })
    const used = await rawSecureClient(proxy.port, { ca })
    used.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => expect(used.text()).toContain('200 OK'))
    const unused = await rawSecureClient(proxy.port, { ca })
    const silent = rawClient(proxy.port)
    silent.send('\x16\x03\x01')
    // The kernel hands connections over in their order
    expect((await secureRequest(proxy.port, { ca })).status).toBe(200)
    await proxy.server.drain(60_000)
    await Promise.all([used.closed, unused.closed, silent.closed()])
  })

  it('lets an open request finish', async () => {
    const waiting: ServerResponse[] = []
    const app = await startApp((_req, res) => void waiting.push(res))
    closing.push(app.close)
    const proxy = await start({}, app.url)
    const slow = secureRequest(proxy.port, { ca })
    await eventually(() => expect(waiting).toHaveLength(1))
    const drained = proxy.server.drain(60_000)
    await expect(secureRequest(proxy.port, { ca })).rejects.toThrow()
    waiting[0]?.end('done')
    expect((await slow).text).toBe('done')
    await drained
  })
})
