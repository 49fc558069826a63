// Streams both ways at once over plain HTTP: an answer that begins while the body is still coming, as in a conversation.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorld, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { rawClient } from '../support/raw-client.ts'

let world: World
const closing: (() => unknown)[] = []
beforeEach(() => {
  world = createWorld()
  closing.push(world.remove)
})
afterEach(async () => {
  await stopGateways()
  for (const close of closing.splice(0).reverse()) await close()
})

async function startGate(listener: Parameters<typeof startApp>[0]) {
  const app = await startApp(listener)
  closing.push(app.close)
  return startGateway(world.settings(app.url))
}

/** One chunk of a message. */
const chunkOf = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

/** What the chunks of an answer hold so far, however it was cut; ends in `(end)` behind the last chunk. */
function bodyOf(text: string): string {
  let body = ''
  let at = text.indexOf('\r\n\r\n') + 4
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text.slice(at))
    if (line === null) return body
    const bytes = Number.parseInt(line[1] ?? '', 16)
    if (bytes === 0) return `${body}(end)`
    at += line[0].length
    body += text.slice(at, at + bytes)
    at += bytes + 2
  }
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

// holds: events-one-by-one
test('a conversation: each event of the body is answered before the next one is sent', async () => {
  const received: string[] = []
  let isBodyEnded = false
  const gate = await startGate(async (req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('data: hello\n\n')
    for await (const piece of req) {
      received.push(String(piece))
      res.write(`data: got ${received.length}\n\n`)
    }
    isBodyEnded = true
    res.write('data: all of it\n\n')
    res.end('data: bye\n\n')
  })
  const client = rawClient(gate.port)
  client.send(
    `POST /talk HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer ${world.mint()}\r\n` +
      'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
  )
  const sent = Array.from({ length: 20 }, (_, n) => `event ${n}: ${'å'.repeat(n)}\n`)
  for (const [index, event] of sent.entries()) {
    client.send(Buffer.from(chunkOf(event)))
    await client.until((text) => bodyOf(text).endsWith(`data: got ${index + 1}\n\n`), `the answer to event ${index}`)
    expect(received).toEqual(sent.slice(0, index + 1))
  }
  expect(isBodyEnded).toBe(false)
  client.send('0\r\n\r\n')
  const answers = ['hello', ...sent.map((_, index) => `got ${index + 1}`), 'all of it', 'bye']
  expect(bodyOf(await client.closed())).toBe(`${answers.map((answer) => `data: ${answer}\n\n`).join('')}(end)`)
})

test('16 MiB go up and come back at the same time, every byte as it was', async () => {
  const gate = await startGate((req, res) => req.pipe(res))
  const body = randomBytes(16 * 1024 * 1024)
  const upload = request({
    ...{ host: '127.0.0.1', port: gate.port, method: 'POST', agent: false },
    headers: { authorization: `Bearer ${world.mint()}` },
  })
  const half = body.length / 2
  upload.write(body.subarray(0, half))
  const [response] = (await once(upload, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  let returned = 0
  response.on('data', (piece: Buffer) => {
    pieces.push(piece)
    returned += piece.length
    // All of the first half is back before the second is sent: nothing waits for the end of the body
    if (returned === half) upload.end(body.subarray(half))
  })
  await once(response, 'end')
  expect(returned).toBe(body.length)
  expect(sha256(Buffer.concat(pieces))).toBe(sha256(body))
})
