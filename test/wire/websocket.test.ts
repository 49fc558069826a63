// What two WebSocket peers say to each other through the proxy arrives as it was said: kinds of messages, pings, fragments,
// subprotocols, compression, and how a connection ends. Both peers are the `ws` package.
import { createServer, type IncomingMessage } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { eventually, withinASecond } from '../support/eventually.ts'
import { listen } from '../support/listen.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const permit = tokenPermit(verifiedToken())

interface Stage {
  readonly sockets: WebSocketServer
  readonly proxy: TestProxy
}
interface Pair {
  readonly client: WebSocket
  /** The other end, at the application. */
  readonly app: WebSocket
  readonly request: IncomingMessage
  readonly proxy: TestProxy
}

/** An application behind a proxy that admits the holder of a token. */
async function stage(server: ServerOptions = {}): Promise<Stage> {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http, ...server })
  const port = await listen(http)
  closing.push(async () => {
    for (const socket of sockets.clients) socket.terminate()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  })
  const proxy = await startProxy(new URL(`http://127.0.0.1:${port}`), { decide: () => permit })
  closing.push(proxy.close)
  return { sockets, proxy }
}

/** One connection, both ends of it. */
async function connect({ sockets, proxy }: Stage, protocols: string[], options: ClientOptions): Promise<Pair> {
  const accepted = new Promise<[WebSocket, IncomingMessage]>((resolve) => {
    sockets.once('connection', (socket, req) => resolve([socket, req]))
  })
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`, protocols, options)
  await new Promise((resolve, reject) => {
    client.on('open', resolve).on('error', reject)
  })
  const [app, request] = await accepted
  for (const end of [client, app]) end.on('error', () => {})
  return { client, app, request, proxy }
}
async function pair(protocols: string[] = [], client: ClientOptions = {}, server: ServerOptions = {}): Promise<Pair> {
  return connect(await stage(server), protocols, client)
}

/** The next message, as text, and whether it was binary. */
function nextMessage(socket: WebSocket): Promise<[text: string, isBinary: boolean]> {
  return new Promise((resolve) => {
    socket.once('message', (data, isBinary) => resolve([data.toString(), isBinary]))
  })
}
function nextClose(socket: WebSocket): Promise<[code: number, reason: string]> {
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve([code, reason.toString()]))
  })
}
function nextBytes(socket: WebSocket, event: 'ping' | 'pong'): Promise<string> {
  return new Promise((resolve) => {
    socket.once(event, (data) => resolve(data.toString()))
  })
}

const directions = {
  'from the client to the application': ({ client, app }: Pair) => [client, app],
  'from the application to the client': ({ client, app }: Pair) => [app, client],
} as const satisfies Record<string, (pair: Pair) => readonly [from: WebSocket, to: WebSocket]>

for (const [direction, ends] of Object.entries(directions)) {
  test(`text stays text and binary stays binary ${direction}`, async () => {
    const [from, to] = ends(await pair())
    for (const [data, isBinary] of [
      ['grüße €', false],
      [Buffer.from('bytes'), true],
      ['', false],
      [Buffer.alloc(0), true],
    ] as const) {
      const arrived = nextMessage(to)
      from.send(data)
      expect(await arrived).toEqual([data.toString(), isBinary])
    }
  })

  test(`a ping ${direction} is answered by the other end, with what was in it`, async () => {
    const [from, to] = ends(await pair())
    const [ping, pong] = [nextBytes(to, 'ping'), nextBytes(from, 'pong')]
    from.ping('are you there')
    expect(await Promise.all([ping, pong])).toEqual(['are you there', 'are you there'])
  })

  // holds: autobahn
  test(`a message in fragments, with a ping between them, is one message ${direction}`, async () => {
    const [from, to] = ends(await pair())
    const [ping, message] = [nextBytes(to, 'ping'), nextMessage(to)]
    from.send('in ', { fin: false })
    from.ping('between')
    from.send('many ', { fin: false })
    from.send('parts', { fin: true })
    expect(await ping).toBe('between')
    expect(await message).toEqual(['in many parts', false])
  })

  test.for([
    [1000, ''],
    [1000, 'done'],
    [1001, 'going away'],
    [1008, 'against the rules'],
    [3000, 'registered'],
    [4000, 'our own'],
    [4999, 'the last one, ü'],
  ] as const)(`code %i with reason "%s" closes ${direction}`, async ([code, reason]) => {
    const made = await pair()
    const [from, to] = ends(made)
    const closed = [nextClose(to), nextClose(from)]
    from.close(code, reason)
    const heard = [code, reason]
    expect(await Promise.all(closed)).toEqual([heard, heard])
    await eventually(() => expect(made.proxy.counts.websocket).toBe(0))
    expect(made.proxy.ended).toEqual([])
  })

  // holds: websocket-side-dies
  test(`an end without a close frame is seen at once ${direction}`, async () => {
    const made = await pair()
    const [from, to] = ends(made)
    expect(made.proxy.counts.websocket).toBe(1)
    const closes: [code: number, reason: string][] = []
    void nextClose(to).then((close) => closes.push(close))
    from.terminate()
    await withinASecond(() => expect(closes).toEqual([[1006, '']]))
    await eventually(() => expect(made.proxy.counts.websocket).toBe(0))
    expect(made.proxy.outcomes).toMatchObject([{ status: 101 }])
  })
}

test('a hundred connections that end abruptly on either side leave no socket behind', async () => {
  const made = await stage()
  const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const before = openSockets()
  for (let turn = 0; turn < 100; turn++) {
    const { client, app } = await connect(made, [], {})
    const end = turn % 2 === 0 ? client : app
    end.terminate()
  }
  await eventually(() => expect(openSockets()).toBe(before))
  expect(made.proxy.counts.websocket).toBe(0)
  expect(made.proxy.outcomes).toHaveLength(100)
})

test('the application chooses among the subprotocols that the client offers', async () => {
  const choose = { handleProtocols: (offered: Set<string>) => [...offered].at(-1) ?? false }
  const { client, request } = await pair(['chat.v1', 'chat.v2'], {}, choose)
  expect(request.headers['sec-websocket-protocol']).toBe('chat.v1,chat.v2')
  expect(client.protocol).toBe('chat.v2')
})

// holds: autobahn
test('compression is agreed between the two ends, and what they compress goes through compressed', async () => {
  const perMessageDeflate = { threshold: 0, serverNoContextTakeover: true, clientMaxWindowBits: 10 }
  const { client, app, request } = await pair([], { perMessageDeflate: true }, { perMessageDeflate })
  expect(client.extensions).toBe('permessage-deflate')
  expect(app.extensions).toBe('permessage-deflate')
  const text = 'again and again '.repeat(65_536)
  for (const [from, to] of [
    [client, app],
    [app, client],
  ] as const) {
    const arrived = nextMessage(to)
    from.send(text)
    expect(await arrived).toEqual([text, false])
  }
  expect(request.socket.bytesRead).toBeLessThan(text.length / 50)
  expect(request.socket.bytesWritten).toBeLessThan(text.length / 50)
})

test('without compression at the application there is none at the client', async () => {
  const { client } = await pair([], { perMessageDeflate: true }, { perMessageDeflate: false })
  expect(client.extensions).toBe('')
})
