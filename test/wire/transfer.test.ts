// Bodies and their flow: every size, both ways, as it was; held up when a reader is slow; and ended on both sides as soon
// as one side is gone.
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { eventually, withinASecond } from '../support/eventually.ts'
import { type RawOrigin, type Seen, startApp, startEchoOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
async function open(upstream: URL, options: Parameters<typeof startProxy>[1] = {}): Promise<TestProxy> {
  const proxy = await startProxy(upstream, options)
  closing.push(proxy.close)
  return proxy
}
async function app(listener: Parameters<typeof startApp>[0]) {
  const started = await startApp(listener)
  closing.push(started.close)
  return started
}
async function rawApp(onBytes?: Parameters<typeof startRawOrigin>[0]): Promise<RawOrigin> {
  const origin = await startRawOrigin(onBytes)
  closing.push(origin.close)
  return origin
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

for (const size of [1, 256, 4096, 4097]) {
  test(`small answers of ${size} bytes come down as they are, one behind the other on one connection`, async () => {
    const body = Buffer.from(Array.from({ length: size }, (_, index) => index % 256))
    const { url } = await app((_req, res) => res.setHeader('content-length', size).end(body))
    const proxy = await open(url)
    const ask = `GET / HTTP/1.1\r\n${host}`
    const received = await exchangeRaw(proxy.port, `${ask}\r\n${ask}\r\n${ask}Connection: close\r\n\r\n`)
    expect(statuses(received)).toEqual([200, 200, 200])
    expect(received.split(`\r\n\r\n${body.toString('latin1')}`)).toHaveLength(4)
  })
}

/** An upload by Node's own client. */
function upload(port: number, method: string, body: Buffer, isChunked: boolean): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const headers = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }
    const req = request({ port, host: '127.0.0.1', method, headers, agent: false }, (res) => {
      let text = ''
      res.on('data', (chunk) => {
        text += chunk
      })
      res.on('end', () => resolve(JSON.parse(text) as Seen))
    })
    req.on('error', reject)
    req.end(body)
  })
}

for (const size of [0, 1, 65_536, 20 * 1024 * 1024]) {
  for (const isChunked of [false, true]) {
    // holds: bodies-of-every-size
    test(`${size} bytes go up ${isChunked ? 'in chunks' : 'with their length'}`, async () => {
      const origin = await startEchoOrigin()
      closing.push(origin.close)
      const proxy = await open(origin.url)
      const body = randomBytes(size)
      const seen = await upload(proxy.port, 'POST', body, isChunked)
      expect(seen.bodyBytes).toBe(size)
      expect(seen.bodySha256).toBe(sha256(body))
      await eventually(() => expect(proxy.outcomes).toHaveLength(1))
      expect(proxy.outcomes[0]).toMatchObject({ status: 200, fault: undefined, clientAborted: false })
    })

    test(`${size} bytes come down ${isChunked ? 'in chunks' : 'with their length'}`, async () => {
      const body = randomBytes(size)
      const { url } = await app((_req, res) => {
        if (!isChunked) res.setHeader('content-length', size)
        res.end(body)
        if (isChunked) res.flushHeaders()
      })
      const proxy = await open(url)
      const response = await fetch(`http://127.0.0.1:${proxy.port}/`)
      expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(body))
    })
  }
}

test('a slow reader holds up the application, not our memory', async () => {
  let taken = 0
  const chunk = Buffer.alloc(65_536)
  const { url } = await app((_req, res) => {
    const more = (): void => {
      let isFree = true
      while (isFree && taken < 512 * 1024 * 1024) {
        isFree = res.write(chunk)
        taken += chunk.length
      }
    }
    res.on('drain', more)
    more()
  })
  const proxy = await open(url)
  const client = rawClient(proxy.port)
  await eventually(() => expect(client.socket.connecting).toBe(false))
  client.socket.pause()
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  // It has stopped when it takes no more for a while: kernel buffers on two connections, and a little of ours
  let before = -1
  await vi.waitFor(
    () => {
      const isStill = taken > 0 && taken === before
      before = taken
      expect(isStill).toBe(true)
    },
    { interval: 300, timeout: 15_000 },
  )
  expect(taken).toBeLessThan(32 * 1024 * 1024)
  client.socket.resume()
  await eventually(() => expect(taken).toBeGreaterThan(before))
  client.socket.destroy()
})

test('a slow application holds up the client', async () => {
  const origin = await rawApp((socket) => socket.pause())
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 536870912\r\n\r\n`)
  const chunk = Buffer.alloc(65_536)
  let sent = 0
  const more = (): void => {
    let isFree = true
    while (isFree && sent < 512 * 1024 * 1024) {
      isFree = client.socket.write(chunk)
      sent += chunk.length
    }
  }
  client.socket.on('drain', more)
  more()
  // Until the application is connected nothing moves either
  await eventually(() => expect(origin.sockets.size).toBe(1))
  let before = -1
  await vi.waitFor(
    () => {
      const isStill = sent === before
      before = sent
      expect(isStill).toBe(true)
    },
    { interval: 300, timeout: 15_000 },
  )
  expect(sent).toBeLessThan(32 * 1024 * 1024)
  // With reading held up the kernel tells nobody that the client has left; the application's end is noticed at once
  client.socket.destroy()
  for (const socket of origin.sockets) socket.destroy()
  await eventually(() => expect(proxy.outcomes).toHaveLength(1))
})

// holds: clients-leave-thousand
test('a client that leaves while the application thinks ends the request there', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(origin.text()).toContain('\r\n\r\n'))
  client.socket.destroy()
  await withinASecond(() => expect(origin.sockets.size).toBe(0))
  expect(proxy.outcomes).toMatchObject([{ status: 499, clientAborted: true, fault: undefined }])
})

// holds: events-one-by-one
test('a client that leaves during the download ends it at the application', async () => {
  const origin = await rawApp((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc'))
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await client.until((text) => text.endsWith('abc'))
  client.socket.destroy()
  await withinASecond(() => expect(origin.sockets.size).toBe(0))
  expect(proxy.outcomes).toMatchObject([{ status: 200, clientAborted: true, fault: undefined }])
})

const halfUploads: Record<string, string> = {
  'in chunks': 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  'with its length': 'Content-Length: 1000\r\n\r\nhello',
}
/** Who only closes may still read: it is answered. Nobody reads after a reset. */
const partings = [
  { how: 'leaves', leave: 'destroy', outcome: { status: 400, clientAborted: false, fault: 'message_invalid' } },
  { how: 'resets', leave: 'resetAndDestroy', outcome: { status: 499, clientAborted: true, fault: undefined } },
] as const
for (const [sentence, part] of Object.entries(halfUploads)) {
  for (const { how, leave, outcome } of partings) {
    // holds: clients-leave-thousand
    test(`a client that ${how} during an upload ${sentence} ends it at the application, which sees no end of it`, async () => {
      const origin = await rawApp(() => {})
      const proxy = await open(origin.url)
      const client = rawClient(proxy.port)
      client.send(`POST / HTTP/1.1\r\n${host}${part}`)
      await eventually(() => expect(origin.text()).toContain('hello'))
      client.socket[leave]()
      await withinASecond(() => expect(origin.sockets.size).toBe(0))
      expect(origin.text()).toMatch(/hello(\r\n)?$/)
      await eventually(() => expect(proxy.outcomes).toMatchObject([outcome]))
    })
  }
}

test('a client that leaves with pipelined requests ends all of them', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`GET /1 HTTP/1.1\r\n${host}\r\nGET /2 HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(origin.received.filter((text) => text !== '')).toHaveLength(2))
  client.socket.destroy()
  await withinASecond(() => expect(origin.sockets.size).toBe(0))
  expect(proxy.outcomes).toHaveLength(2)
})

test('a client that leaves while it is being judged is reported when the judgement has come, and nothing is forwarded', async () => {
  const origin = await rawApp()
  let judge: () => void = () => {}
  const proxy = await open(origin.url, {
    decide: () =>
      new Promise((resolve) => {
        judge = () => resolve(tokenPermit(verifiedToken()))
      }),
  })
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(proxy.server.inFlight()).toBe(1))
  client.socket.destroy()
  await client.closed()
  await eventually(() => expect(proxy.server.inFlight()).toBe(0))
  judge()
  await eventually(() => expect(proxy.outcomes).toHaveLength(1))
  expect(proxy.outcomes[0]).toMatchObject({ clientAborted: true, decision: { decision: 'permit' } })
  expect(origin.text()).toBe('')
})

// holds: events-one-by-one
test('events come one by one', async () => {
  let say: (text: string) => void = () => {}
  const { url } = await app((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.flushHeaders()
    say = (text) => res.write(`data: ${text}\n\n`)
  })
  const proxy = await open(url)
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await client.until((text) => text.includes('text/event-stream'), 'the head without any event')
  for (const word of ['one', 'two', 'three']) {
    say(word)
    await client.until((text) => text.includes(`data: ${word}\n\n`))
  }
  client.socket.destroy()
})

test('a body in chunks that grows past the bound is refused, and the application sees no end of it', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url, { limits: { bodyBytes: 1_000 } })
  const chunk = `400\r\n${'a'.repeat(1_024)}\r\n`
  const text = await exchangeRaw(
    proxy.port,
    `POST / HTTP/1.1\r\n${host}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`,
  )
  expect(statuses(text)).toEqual([413])
  expect(origin.text()).not.toContain('\r\n0\r\n\r\n')
})

// holds: answer-before-body-read
test('an answer that comes before the body was read reaches the client, and the upload stops', async () => {
  const origin = await rawApp((socket) => {
    if (socket.writableEnded) return
    socket.end('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig')
  })
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 104857600\r\n\r\n`)
  const chunk = Buffer.alloc(65_536)
  const more = (): void => {
    while (!client.socket.destroyed && client.socket.write(chunk)) if (client.text() !== '') break
  }
  client.socket.on('drain', more)
  more()
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 413[\s\S]*big$/)
})

test('a refusal reaches a client that goes on sending before it reads', async () => {
  const origin = await rawApp()
  const proxy = await open(origin.url, { decide: () => ({ decision: 'refuse', reason: 'token_missing' }) })
  const client = rawClient(proxy.port)
  client.socket.pause()
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 400000\r\n\r\n`)
  // Turns and not a time: after a second the proxy reads on no longer
  for (let sent = 0; sent < 20; sent++) {
    client.send(Buffer.alloc(1_000))
    await new Promise(setImmediate)
  }
  client.socket.resume()
  const timer = setInterval(() => client.send(Buffer.alloc(1_000)), 10)
  const text = await client.closed()
  clearInterval(timer)
  expect(text).toMatch(/^HTTP\/1\.1 401[\s\S]*www-authenticate: Bearer\r\n[\s\S]*connection: close/)
  expect(origin.text()).toBe('')
})

test('after a refusal with a small body the connection is used again', async () => {
  const origin = await rawApp()
  const proxy = await open(origin.url, {
    decide: (view) =>
      view.path === '/a' ? { decision: 'refuse', reason: 'token_missing' } : tokenPermit(verifiedToken()),
  })
  const client = rawClient(proxy.port)
  client.send(`POST /a HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n${host}\r\n`)
  expect(statuses(await client.until((text) => text.endsWith('ok')))).toEqual([401, 200])
  client.socket.destroy()
})

// holds: expect-and-interim-answers
test('Expect: 100-continue is answered once the application wants the body, and not passed on', async () => {
  const origin = await startEchoOrigin()
  closing.push(origin.close)
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hello')
  expect(statuses(await client.until((text) => text.includes('"bodyBytes":5')))).toEqual([100, 200])
  expect(origin.seen[0]?.rawHeaders.map((text) => text.toLowerCase())).not.toContain('expect')
  client.socket.destroy()
})

test('Expect: 100-continue of a request that is refused gets no 100', async () => {
  const origin = await rawApp()
  const proxy = await open(origin.url, { decide: () => ({ decision: 'refuse', reason: 'token_missing' }) })
  const text = await exchangeRaw(
    proxy.port,
    `POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  )
  expect(statuses(text)).toEqual([401])
})

// holds: http-1-0
test('an HTTP/1.0 client gets no chunks, and its connection closes', async () => {
  const { url } = await app((_req, res) => {
    res.write('one')
    res.end('two')
  })
  const proxy = await open(url)
  const text = await exchangeRaw(proxy.port, `GET / HTTP/1.0\r\n${host}TE: chunked\r\n\r\n`)
  expect(text).not.toMatch(/transfer-encoding/i)
  expect(text).toMatch(/\r\n\r\nonetwo$/)
})

// holds: bodies-of-every-size
test('HEAD, 204 and 304 have no body, and the connection goes on', async () => {
  const { url } = await app((req, res) => {
    if (req.method === 'HEAD') res.setHeader('content-length', '5').end()
    else res.writeHead(req.url === '/204' ? 204 : 304).end()
  })
  const proxy = await open(url)
  const client = rawClient(proxy.port)
  client.send(`HEAD / HTTP/1.1\r\n${host}\r\nGET /204 HTTP/1.1\r\n${host}\r\nGET /304 HTTP/1.1\r\n${host}\r\n`)
  const text = await client.until((sofar) => statuses(sofar).length === 3 && sofar.endsWith('\r\n\r\n'))
  expect(statuses(text)).toEqual([200, 204, 304])
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 5\r\n/i)
  expect(
    text
      .split('\r\n\r\n')
      .slice(0, 3)
      .every((head) => head.startsWith('HTTP/1.1')),
  ).toBe(true)
  client.socket.destroy()
})

// holds: trailers
test('response trailers and early hints are dropped', async () => {
  const { url } = await app((_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    res.writeHead(200, { trailer: 'x-sum' })
    res.write('body')
    res.addTrailers({ 'x-sum': '1' })
    res.end()
  })
  const proxy = await open(url)
  const text = await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  expect(statuses(text)).toEqual([200])
  expect(text).not.toMatch(/x-sum|link/)
  expect(text).toMatch(/4\r\nbody\r\n0\r\n\r\n$/)
})

test('a download ends when its token expires, and the client sees that it is not whole', async () => {
  const origin = await rawApp((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
  )
  const proxy = await open(origin.url, { decide: () => tokenPermit(verifiedToken({}, 2_000)) })
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await client.until((text) => text.includes('abc'))
  await eventually(() => expect(proxy.counts.stream).toBe(1))
  expect(client.isClosed()).toBe(false)
  proxy.turnClockTo(2_000_000)
  expect(await client.closed()).not.toMatch(/0\r\n\r\n$/)
  await eventually(() => expect(origin.sockets.size).toBe(0))
  expect(proxy.ended).toEqual([['stream', 'token_expired']])
  expect(proxy.counts.stream).toBe(0)
  expect(proxy.outcomes).toMatchObject([{ status: 200, fault: 'token_expired', clientAborted: false }])
})

test('an upload ends when its token is revoked: the client is told, and the application sees no end of it', async () => {
  const origin = await rawApp(() => {})
  const permit = tokenPermit(verifiedToken())
  const proxy = await open(origin.url, { decide: () => permit })
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
  await eventually(() => expect(origin.text()).toContain('hello'))
  proxy.revoke('token_revoked')
  proxy.lifetime.askAll()
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 401[\s\S]*refusal:token_revoked/)
  await eventually(() => expect(origin.sockets.size).toBe(0))
  expect(origin.text()).not.toContain('0\r\n\r\n')
  expect(proxy.outcomes).toMatchObject([{ status: 401, fault: 'token_revoked' }])
})

test('a request that was admitted and has arrived is answered, although its token expires while the application thinks', async () => {
  const finishers: (() => void)[] = []
  const { url } = await app((req, res) => {
    req.resume().on('end', () => {
      finishers.push(() => res.end('done'))
    })
  })
  const permit = tokenPermit(verifiedToken({}, 2_000))
  const proxy = await open(url, { decide: () => permit })
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`)
  await eventually(() => expect(finishers).toHaveLength(1))
  proxy.turnClockTo(2_000_000)
  proxy.lifetime.askAll()
  finishers[0]?.()
  expect(statuses(await client.until((text) => text.includes('done')))).toEqual([200])
  client.socket.destroy()
})
