// WebSocket through the proxy: the same decision and the same headers as any request, a tunnel only after a proven
// handshake, and no tunnel that outlives its token.
import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import { accept, handshake, proven } from '../support/handshake.ts'
import { freePort, listen } from '../support/listen.ts'
import { type RawOrigin, startEchoOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
async function open(upstream: URL, options: Parameters<typeof startProxy>[1] = {}): Promise<TestProxy> {
  const proxy = await startProxy(upstream, options)
  closing.push(proxy.close)
  return proxy
}
async function rawApp(onBytes?: Parameters<typeof startRawOrigin>[0]): Promise<RawOrigin> {
  const origin = await startRawOrigin(onBytes)
  closing.push(origin.close)
  return origin
}

/** A WebSocket application that says everything back. */
async function echoSockets(): Promise<{ url: URL; requests: IncomingMessage[]; sockets: Set<Socket> }> {
  const http = createHttpServer()
  const server = new WebSocketServer({ server: http, maxPayload: 64 * 1024 * 1024 })
  const requests: IncomingMessage[] = []
  const sockets = new Set<Socket>()
  server.on('headers', (headers) =>
    headers.push('X-App: yes', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Keep-Alive: timeout=5'),
  )
  server.on('connection', (socket, req) => {
    requests.push(req)
    sockets.add(req.socket)
    req.socket.on('close', () => sockets.delete(req.socket))
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const port = await listen(http)
  closing.push(async () => {
    for (const client of server.clients) client.terminate()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  })
  return { url: new URL(`http://127.0.0.1:${port}`), requests, sockets }
}

function connected(socket: WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket)).on('error', reject)
  })
}

// holds: autobahn
test('messages of every size go both ways and come back as they were', async () => {
  const app = await echoSockets()
  const proxy = await open(app.url)
  const socket = await connected(new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`, { maxPayload: 64 * 1024 * 1024 }))
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 16 * 1024 * 1024]) {
    const bytes = randomBytes(size)
    const back = new Promise<Buffer>((resolve) => {
      socket.once('message', (data) => resolve(data as Buffer))
    })
    socket.send(bytes)
    expect(Buffer.compare(await back, bytes)).toBe(0)
  }
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve)
  })
  socket.close(4_000)
  expect(await closed).toBe(4_000)
  expect(proxy.outcomes).toMatchObject([{ status: 101, upstreamStatus: 101, fault: undefined }])
  await eventually(() => expect(app.sockets.size).toBe(0))
  expect(proxy.counts.websocket ?? 0).toBe(0)
})

// holds: identity-headers-from-outside
test('an upgrade carries the same headers as a request: ours, and none that only we may send', async () => {
  const app = await echoSockets()
  const permit = tokenPermit(verifiedToken({ sub: 'alice' }))
  const proxy = await open(app.url, { decide: () => permit })
  const socket = await connected(
    new WebSocket(`ws://127.0.0.1:${proxy.port}//ws`, {
      headers: {
        'X-Auth-Subject': 'root',
        'X-Auth_Subject': 'root',
        'X-Forwarded-For': '10.0.0.1',
        'X-Kept': '1',
        TE: 'trailers',
      },
    }),
  )
  const lines = (app.requests[0]?.rawHeaders ?? []).map((text) => text.toLowerCase())
  expect(app.requests[0]?.url).toBe('//ws')
  expect(lines.filter((_text, index) => lines[index - 1] === 'x-auth-subject')).toEqual(['alice'])
  expect(lines).toContain('x-kept')
  expect(lines.join()).not.toMatch(/root|10\.0\.0\.1|trailers|auth_/)
  socket.terminate()
})

test('the path of an upgrade goes out byte for byte, an empty query included', async () => {
  const origin = await rawApp((socket) => socket.write(proven))
  const proxy = await open(origin.url)
  const target = '//a/../b%2fc?'
  const client = rawClient(proxy.port)
  client.send(handshake({}, `GET ${target} HTTP/1.1`))
  await client.until((text) => text.includes('101'))
  expect(origin.text()).toMatch(new RegExp(`^GET ${target.replaceAll(/[.?]/g, '\\$&')} HTTP/1\\.1\r\n`))
  client.socket.destroy()
})

test('the 101 is cleaned like every answer, and brings the next token', async () => {
  const app = await echoSockets()
  const permit = tokenPermit(verifiedToken())
  const proxy = await open(app.url, {
    decide: () => permit,
    refresh: async () => [{ name: 'x-refreshed-token', value: 'next' }],
  })
  const client = rawClient(proxy.port)
  client.send(handshake())
  const text = await client.until((sofar) => sofar.includes('\r\n\r\n'))
  expect(text).toMatch(/^HTTP\/1\.1 101 /)
  expect(text).toContain('x-refreshed-token: next')
  expect(text).toMatch(/cache-control: no-store/)
  expect(text.match(/set-cookie: /gi)).toHaveLength(2)
  expect(text.match(/^connection: /gim)).toHaveLength(1)
  expect(text).not.toMatch(/keep-alive/i)
  client.socket.destroy()
})

// holds: upgrade-goes-around-decision
test('an upgrade without permission is refused like a request, and the application hears nothing', async () => {
  const app = await echoSockets()
  const proxy = await open(app.url, { decide: () => ({ decision: 'refuse', reason: 'token_missing' }) })
  const text = await exchangeRaw(proxy.port, handshake())
  expect(text).toMatch(/^HTTP\/1\.1 401[\s\S]*www-authenticate: Bearer\r\n[\s\S]*connection: close/)
  expect(app.requests).toEqual([])
  expect(proxy.outcomes).toMatchObject([{ status: 401 }])
})

test('an upgrade whose message is ambiguous is refused', async () => {
  const app = await echoSockets()
  const proxy = await open(app.url)
  expect(statuses(await exchangeRaw(proxy.port, handshake({ Connection: 'Upgrade, X-Auth-Subject' })))).toEqual([400])
  expect(app.requests).toEqual([])
})

const notTunnelled: Record<string, [bytes: string, status: number]> = {
  'version 8': [handshake({ 'Sec-WebSocket-Version': '8' }), 400],
  'no version': [handshake({ 'Sec-WebSocket-Version': undefined }), 400],
  'no key': [handshake({ 'Sec-WebSocket-Key': undefined }), 400],
  'a key that is too short': [handshake({ 'Sec-WebSocket-Key': 'dGhl' }), 400],
  'a body': [handshake({ 'Content-Length': '5' }), 400],
}
for (const [sentence, [bytes, status]] of Object.entries(notTunnelled)) {
  // holds: h2c-other-upgrades
  test(`a handshake with ${sentence} is refused`, async () => {
    const app = await echoSockets()
    const proxy = await open(app.url)
    expect(statuses(await exchangeRaw(proxy.port, bytes))).toEqual([status])
    expect(app.requests).toEqual([])
  })
}

const plain: Record<string, string> = {
  h2c: handshake({ Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__', Connection: 'Upgrade, HTTP2-Settings' }),
  'an unknown protocol': handshake({ Upgrade: 'foo' }),
  POST: handshake({ 'Content-Length': '0' }, 'POST /ws HTTP/1.1'),
  'no Connection: Upgrade': handshake({ Connection: 'keep-alive' }),
  'HTTP/1.0': handshake({}, 'GET /ws HTTP/1.0'),
}
for (const [sentence, bytes] of Object.entries(plain)) {
  test(`an upgrade by ${sentence} is no tunnel: it is refused, or served as the plain request it also is`, async () => {
    const origin = await startEchoOrigin()
    closing.push(origin.close)
    const proxy = await open(origin.url)
    const client = rawClient(proxy.port)
    client.send(bytes)
    const text = await client.until((sofar) => sofar.includes('\r\n\r\n'))
    expect([200, 400]).toContain(statuses(text)[0])
    const lines = origin.seen.flatMap((seen) => seen.rawHeaders.map((part) => part.toLowerCase()))
    expect(lines.filter((part) => ['upgrade', 'http2-settings'].includes(part))).toEqual([])
    client.socket.destroy()
  })
}

// holds: h2c-other-upgrades
test('h2c is served as a plain request', async () => {
  const origin = await startEchoOrigin()
  closing.push(origin.close)
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(
    handshake({ Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__', Connection: 'Upgrade, HTTP2-Settings' }),
  )
  await client.until((text) => text.includes('"method":"GET"'))
  client.send('GET /next HTTP/1.1\r\nHost: app.example\r\n\r\n')
  expect(statuses(await client.until((text) => text.includes('"/next"')))).toEqual([200, 200])
  client.socket.destroy()
})

// holds: app-refuses-handshake
test('what the client sends before the application has agreed is held back', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`${handshake()}GET /smuggled HTTP/1.1\r\nHost: app.example\r\n\r\n`)
  await eventually(() => expect(origin.text()).toContain('\r\n\r\n'))
  expect(origin.text()).not.toContain('smuggled')
  for (const socket of origin.sockets) socket.write(proven)
  await eventually(() => expect(origin.text()).toContain('smuggled'))
  client.socket.destroy()
  await eventually(() => expect(origin.sockets.size).toBe(0))
})

for (const status of ['200 OK', '426 Upgrade Required', '404 Not Found']) {
  test(`an application that answers ${status} makes no tunnel: the answer is passed on and the connection closes`, async () => {
    const origin = await rawApp((socket, sofar) => {
      if (sofar.endsWith('\r\n\r\n')) {
        socket.write(`HTTP/1.1 ${status}\r\nX-Hop: 1\r\nConnection: X-Hop\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nno`)
      }
    })
    const proxy = await open(origin.url)
    const client = rawClient(proxy.port)
    client.send(`${handshake()}GET /smuggled HTTP/1.1\r\nHost: app.example\r\n\r\n`)
    const text = await client.closed()
    expect(statuses(text)).toEqual([Number(status.slice(0, 3))])
    expect(text).toMatch(/connection: close[\s\S]*\r\n\r\nno$/)
    expect(text).toContain('X-Kept')
    expect(text).not.toMatch(/x-hop/i)
    expect(origin.text()).not.toContain('smuggled')
    expect(proxy.outcomes).toMatchObject([{ status: Number(status.slice(0, 3)) }])
  })
}

const wrong: Record<string, string> = {
  'a 101 with a wrong Sec-WebSocket-Accept': proven.replace(accept, accept.toLowerCase()),
  'a 101 without Sec-WebSocket-Accept': proven.replace(/Sec-WebSocket-Accept.*\r\n/, ''),
  'a 101 to another protocol': proven.replace('Upgrade: websocket', 'Upgrade: h2c'),
  'status 099': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
  'status 999': 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
  garbage: 'SSH-2.0-OpenSSH_9.6\r\n',
  'a header with a control character': 'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nok',
}
for (const [sentence, answer] of Object.entries(wrong)) {
  test(`an application that answers an upgrade with ${sentence}: 502, no tunnel`, async () => {
    const origin = await rawApp((socket) => socket.write(answer))
    const proxy = await open(origin.url)
    const text = await exchangeRaw(proxy.port, handshake())
    expect(statuses(text)).toEqual([502])
    expect(text).toContain('refusal:upstream_failed')
    expect(proxy.outcomes).toMatchObject([{ status: 502, fault: 'upstream_failed' }])
    await eventually(() => expect(origin.sockets.size).toBe(0))
  })
}

test('an upgrade to an application that is not there: 502', async () => {
  const port = await freePort()
  const proxy = await open(new URL(`http://127.0.0.1:${port}`))
  expect(await exchangeRaw(proxy.port, handshake())).toMatch(/^HTTP\/1\.1 502[\s\S]*upstream_unreachable/)
  expect(proxy.outcomes).toMatchObject([{ upstreamError: 'refused' }])
})

test('an upgrade to an application that does not answer: 504', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url, { limits: { upstreamResponseTimeoutMs: 200 } })
  expect(await exchangeRaw(proxy.port, handshake())).toMatch(/^HTTP\/1\.1 504[\s\S]*upstream_timeout/)
})

test('an upgrade to an application that hangs up: 502', async () => {
  const origin = await rawApp((socket) => socket.destroy())
  const proxy = await open(origin.url)
  expect(await exchangeRaw(proxy.port, handshake())).toMatch(/^HTTP\/1\.1 502[\s\S]*upstream_failed/)
})

test('a client that leaves before the 101 is reported, and the application is left too', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(handshake())
  await eventually(() => expect(origin.text()).toContain('\r\n\r\n'))
  client.socket.destroy()
  await eventually(() => expect(origin.sockets.size).toBe(0))
  await eventually(() => expect(proxy.outcomes).toHaveLength(1))
  expect(proxy.outcomes[0]).toMatchObject({ clientAborted: true })
})

for (const side of ['client', 'application']) {
  // holds: websocket-side-dies
  test(`when the ${side} resets, the other side is closed`, async () => {
    const app = await echoSockets()
    const proxy = await open(app.url)
    const client = rawClient(proxy.port)
    client.send(handshake())
    await client.until((text) => text.includes('\r\n\r\n'))
    await eventually(() => expect(app.sockets.size).toBe(1))
    if (side === 'client') client.socket.resetAndDestroy()
    else for (const socket of app.sockets) socket.resetAndDestroy()
    await client.closed()
    await eventually(() => expect(app.sockets.size).toBe(0))
  })
}

// holds: token-ends-while-socket-open
test('a WebSocket whose token is revoked is closed with 1008, on both sides', async () => {
  const app = await echoSockets()
  const permit = tokenPermit(verifiedToken())
  const proxy = await open(app.url, { decide: () => permit })
  const socket = await connected(new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`))
  const echoed = new Promise((resolve) => {
    socket.once('message', resolve)
  })
  socket.send('hello')
  await echoed
  expect(proxy.counts.websocket).toBe(1)
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve)
  })
  proxy.revoke('token_revoked')
  proxy.lifetime.askAll()
  expect(await closed).toBe(1008)
  await eventually(() => expect(app.sockets.size).toBe(0))
  expect(proxy.ended).toEqual([['websocket', 'token_revoked']])
  expect(proxy.counts.websocket).toBe(0)
})

// holds: token-ends-while-socket-open
test('a WebSocket ends within a second of its token', async () => {
  const app = await echoSockets()
  const permit = tokenPermit(verifiedToken({}, 2_000))
  const proxy = await open(app.url, { decide: () => permit })
  const socket = await connected(new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve)
  })
  proxy.turnClockTo(2_000_000)
  expect(await closed).toBe(1008)
  expect(proxy.ended).toEqual([['websocket', 'token_expired']])
})

// holds: malformed-frames
test('in the middle of a frame no close frame is put: the connection just ends', async () => {
  const origin = await rawApp((socket) =>
    socket.write(Buffer.concat([Buffer.from(proven), Buffer.from([0x82, 0x05, 0x61])])),
  )
  const permit = tokenPermit(verifiedToken())
  const proxy = await open(origin.url, { decide: () => permit })
  const client = rawClient(proxy.port)
  client.send(handshake())
  await client.until((text) => text.endsWith('\x82\x05a'))
  proxy.revoke('token_revoked')
  proxy.lifetime.askAll()
  expect((await client.closed()).endsWith('\x82\x05a')).toBe(true)
})

test('an application that resets while the next token is still being made: 502, and no tunnel', async () => {
  const origin = await rawApp((socket, sofar) => {
    if (sofar.endsWith('\r\n\r\n')) socket.write(proven)
  })
  let give: () => void = () => {}
  const proxy = await open(origin.url, {
    decide: () => tokenPermit(verifiedToken()),
    refresh: () => new Promise((resolve) => (give = () => resolve([]))),
  })
  const client = rawClient(proxy.port)
  const asked = give
  client.send(handshake())
  await eventually(() => expect(give).not.toBe(asked))
  for (const socket of origin.sockets) socket.resetAndDestroy()
  await eventually(() => expect(origin.sockets.size).toBe(0))
  give()
  expect(statuses(await client.until((text) => text.includes('upstream_failed')))).toEqual([502])
  expect(proxy.counts.websocket ?? 0).toBe(0)
  await client.closed()
})

describe('an answer that is no upgrade, to a client that asked for one', () => {
  async function startStream() {
    const origin = await rawApp((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n'),
    )
    const proxy = await open(origin.url, { decide: () => tokenPermit(verifiedToken({}, 2000)) })
    const client = rawClient(proxy.port)
    client.send(handshake())
    await client.until((text) => text.includes('data: 1'))
    return { origin, proxy, client }
  }

  test('that breaks off while the next token is still being made: 502', async () => {
    for (const how of ['resetAndDestroy', 'destroy'] as const) {
      const origin = await rawApp((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n'),
      )
      const refresh = vi.fn(() => new Promise<[]>((resolve) => (give = () => resolve([]))))
      let give: () => void = () => {}
      const proxy = await open(origin.url, { decide: () => tokenPermit(verifiedToken()), refresh })
      const client = rawClient(proxy.port)
      client.send(handshake())
      await eventually(() => expect(refresh).toHaveBeenCalled())
      for (const socket of origin.sockets) socket[how]()
      await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 502, fault: 'upstream_failed' }]))
      give()
      expect(statuses(await client.closed()), how).toEqual([502])
    }
  })

  test('ends with its token, like every stream', async () => {
    const { origin, proxy, client } = await startStream()
    expect(proxy.server.inFlight()).toBe(1)
    proxy.turnClockTo(2_000_000)
    await client.closed()
    await eventually(() => expect(origin.sockets.size).toBe(0))
    expect(proxy.ended).toEqual([['stream', 'token_expired']])
    await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 200, fault: 'token_expired' }]))
  })

  test('ends when the token is revoked', async () => {
    const { proxy, client } = await startStream()
    proxy.revoke('token_revoked')
    proxy.lifetime.askAll()
    await client.closed()
    expect(proxy.ended).toEqual([['stream', 'token_revoked']])
  })

  test('ends with its client', async () => {
    const { origin, proxy, client } = await startStream()
    client.socket.destroy()
    await eventually(() => expect(origin.sockets.size).toBe(0))
    await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 200, clientAborted: true }]))
    expect(proxy.ended).toEqual([])
  })

  test('that breaks off is seen to', async () => {
    const { origin, proxy, client } = await startStream()
    for (const socket of origin.sockets) socket.resetAndDestroy()
    expect(await client.closed()).not.toContain('0\r\n\r\n')
    await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 200, fault: 'upstream_failed' }]))
  })
})
