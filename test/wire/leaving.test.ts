// A pod that is about to go: each connection is closed after its next answer, and nothing else changes for anybody.
import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createLeaving, type Leaving } from '../../src/http/drain.ts'
import { refuse } from '../../src/model/refusal.ts'
import { freePort, listen } from '../support/listen.ts'
import { type RawOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { type RawClient, rawClient, statuses } from '../support/raw-client.ts'

const TEN_MINUTES_MS = 600_000
const request = 'GET / HTTP/1.1\r\nHost: app.example\r\n\r\n'

const closing: (() => Promise<void>)[] = []
let nowMs: number
let leaving: Leaving
let origin: RawOrigin
let proxy: TestProxy

beforeEach(async () => {
  nowMs = 0
  leaving = createLeaving(() => nowMs)
  origin = await startRawOrigin()
  closing.push(origin.close)
  proxy = await open(origin.url)
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function open(upstream: URL, options: Parameters<typeof startProxy>[1] = {}): Promise<TestProxy> {
  const opened = await startProxy(upstream, { isLeaving: leaving.isUnderWay, ...options })
  closing.push(opened.close)
  return opened
}

/** A connection that has been answered once and is kept. */
async function keptConnection(to: TestProxy): Promise<RawClient> {
  const client = rawClient(to.port)
  client.send(request)
  await client.until((text) => text.endsWith('ok'))
  expect(client.text()).not.toMatch(/^connection: close\r$/im)
  return client
}

test('a kept connection stays open until its next answer, which closes it', async () => {
  const client = await keptConnection(proxy)
  leaving.begin()
  client.send(request)
  const text = await client.closed()
  expect(statuses(text)).toEqual([200, 200])
  expect(text.slice(text.lastIndexOf('HTTP/1.1'))).toMatch(/^connection: close\r$[\s\S]*ok$/im)
})

test('new connections are accepted and served, one request each', async () => {
  leaving.begin()
  for (let round = 0; round < 3; round++) {
    const client = rawClient(proxy.port)
    client.send(request)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 [\s\S]*ok$/)
  }
  expect(proxy.outcomes.map(({ status }) => status)).toEqual([200, 200, 200])
})

test('a refusal closes its connection too', async () => {
  const strict = await open(origin.url, { decide: () => refuse('token_missing') })
  leaving.begin()
  const client = rawClient(strict.port)
  client.send(request)
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 401 [\s\S]*^connection: close\r$/im)
})

test('an app that has stopped before the gate is told as 503 draining', async () => {
  const port = await freePort()
  const alone = await open(new URL(`http://127.0.0.1:${port}`))
  leaving.begin()
  const client = rawClient(alone.port)
  client.send(request)
  const text = await client.closed()
  expect(text).toMatch(/^HTTP\/1\.1 503 [\s\S]*refusal:draining/)
  expect(text).toMatch(/^retry-after: 1\r$/im)
})

// holds: drain-called-by-anybody
test('when it has ended, connections are kept again', async () => {
  leaving.begin()
  nowMs += TEN_MINUTES_MS
  const client = await keptConnection(proxy)
  client.send(request)
  expect(statuses(await client.until((text) => statuses(text).length === 2 && text.endsWith('ok')))).toEqual([200, 200])
  expect(client.isClosed()).toBe(false)
  client.socket.destroy()
})

test('a WebSocket goes on, and a new one can be opened', async () => {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data} too`)))
  const port = await listen(server)
  closing.push(async () => {
    for (const socket of sockets.clients) socket.terminate()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const tunnelled = await open(new URL(`http://127.0.0.1:${port}`))
  const before = await openSocket(tunnelled)
  leaving.begin()
  const after = await openSocket(tunnelled)
  expect(await answerOf(before)).toBe('here too')
  expect(await answerOf(after)).toBe('here too')
})

async function openSocket(to: TestProxy): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${to.port}/ws`)
  await new Promise((resolve, reject) => {
    socket.on('open', resolve).on('error', reject)
  })
  return socket
}

function answerOf(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('message', (data) => resolve(data.toString()))
    socket.send('here')
  })
}
