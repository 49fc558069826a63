// An app with https: whom the gate takes for the app, for requests and for tunnels, and what the log says where it does not.
import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { UpstreamTls } from '../../src/http/limits.ts'
import { makeCertificates, type TestCertificates, type TestPair } from '../support/certificates.ts'
import { listen } from '../support/listen.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { exchangeRaw } from '../support/raw-client.ts'

let ours: TestCertificates
let others: TestCertificates
beforeAll(() => {
  ours = makeCertificates()
  others = makeCertificates()
  return () => {
    ours.remove()
    others.remove()
  }
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

let app: Server
let port: number
let connections: TLSSocket[]
beforeEach(async () => {
  ;({ app, port, connections } = await startSecureApp(ours))
})

/** Answers each request with the name that was asked for in the handshake, and echoes what comes over a WebSocket. */
async function startSecureApp(pair: TestPair) {
  const sockets: TLSSocket[] = []
  const server = createServer({ cert: pair.certificate, key: pair.privateKey }, (req, res) =>
    res.end(`asked for ${String((req.socket as TLSSocket).servername)}`),
  )
  server.on('secureConnection', (socket) => sockets.push(socket))
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (text) => socket.send(`${text}`)))
  const number = await listen(server)
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { app: server, port: number, connections: sockets }
}

async function start(tls: Partial<UpstreamTls>, host = 'localhost', scheme = 'https'): Promise<TestProxy> {
  const upstreamTls = { authority: undefined, serverName: undefined, ...tls }
  const proxy = await startProxy(new URL(`${scheme}://${host}:${port}`), { upstreamTls })
  closing.push(proxy.close)
  return proxy
}

const ask = (proxy: TestProxy) => fetch(`http://127.0.0.1:${proxy.port}/`)

/** What comes back over a WebSocket, or what went wrong with it. */
function echoOf(proxy: TestProxy, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: 'shop.example' } })
    socket.on('open', () => socket.send(text))
    socket.on('message', (answer) => {
      resolve(String(answer))
      socket.close()
    })
    socket.on('error', (error) => resolve(error.message))
  })
}

test('an app with a private authority is reached, by requests and by WebSockets', async () => {
  const proxy = await start({ authority: ours.authority })
  expect(await (await ask(proxy)).text()).toBe('asked for localhost')
  expect(await echoOf(proxy, 'hello')).toBe('hello')
  expect(connections.map(({ servername }) => servername)).toEqual(['localhost', 'localhost'])
  expect(proxy.errors).toEqual([])
})

test('an app with an address and no name needs a certificate for the address', async () => {
  const proxy = await start({ authority: ours.authority }, '127.0.0.1')
  expect(await (await ask(proxy)).text()).toBe('asked for false')
  expect(await echoOf(proxy, 'hello')).toBe('hello')
})

test('the name of the certificate can be set', async () => {
  const proxy = await start({ authority: ours.authority, serverName: 'localhost' }, '127.0.0.1')
  expect(await (await ask(proxy)).text()).toBe('asked for localhost')
  expect(await echoOf(proxy, 'hello')).toBe('hello')
})

// holds: app-certificate-decided-by-host
test('what a client writes into Host decides neither whom the gate trusts nor when it connects', async () => {
  const proxy = await start({ authority: ours.authority })
  for (const host of ['localhost', 'evil.example', '127.0.0.1', 'shop.example'])
    expect(await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toContain(
      'asked for localhost',
    )
  expect(connections).toHaveLength(1)
})

const wrong: Record<string, [tls: () => Partial<UpstreamTls>, says: RegExp]> = {
  'no authority that is known': [() => ({}), /set "upstreamTls\.caFile" to a file/],
  'another authority': [() => ({ authority: others.authority }), /set "upstreamTls\.caFile" to a file/],
  'another name': [
    () => ({ authority: ours.authority, serverName: 'shop.example' }),
    /set "upstreamTls\.serverName" to a name in it.*DNS:localhost/,
  ],
}
for (const [sentence, [tls, says]] of Object.entries(wrong)) {
  test(`an app with ${sentence} gets no request and no WebSocket, and the log says once what to set`, async () => {
    const proxy = await start(tls())
    for (let count = 0; count < 3; count++) expect((await ask(proxy)).status).toBe(502)
    expect(await echoOf(proxy, 'hello')).toBe('Unexpected server response: 502')
    expect(proxy.errors).toHaveLength(1)
    expect(proxy.errors[0]).toMatch(says)
    expect(proxy.errors[0]).toContain(`"upstream":"https://localhost:${port}"`)
  })
}

test('an app that speaks plain HTTP where https is set is told in the log', async () => {
  const plain = createPlainServer((_req, res) => res.end('plain'))
  closing.push(() => plain.close())
  app.close()
  port = await listen(plain)
  const proxy = await start({ authority: ours.authority })
  expect((await ask(proxy)).status).toBe(502)
  expect(proxy.errors).toHaveLength(1)
  expect(proxy.errors[0]).toMatch(/does not speak TLS on this port: begin \\?"upstream\\?" with \\?"http:/)
})

test('other certificates of a reload count for the next connection', async () => {
  const proxy = await start({ authority: others.authority })
  expect((await ask(proxy)).status).toBe(502)
  proxy.setPolicy({ upstreamTls: { authority: ours.authority, serverName: undefined } })
  expect((await ask(proxy)).status).toBe(200)
  expect(await echoOf(proxy, 'hello')).toBe('hello')
  proxy.setPolicy({ upstreamTls: { authority: others.authority, serverName: undefined } })
  expect((await ask(proxy)).status).toBe(502)
  expect(await echoOf(proxy, 'hello')).toBe('Unexpected server response: 502')
})
