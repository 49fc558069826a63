// An application in every kind of trouble: the client gets a plain answer or sees that the answer is not whole, the next
// request is served, and the process lives.
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort, listen } from '../support/listen.ts'
import { okAnswer, type RawOrigin, startApp, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient, statuses } from '../support/raw-client.ts'

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
async function rawApp(onBytes?: Parameters<typeof startRawOrigin>[0]): Promise<RawOrigin> {
  const origin = await startRawOrigin(onBytes)
  closing.push(origin.close)
  return origin
}

/** Sends one request on a connection of its own and answers what comes back until its end, or until the answer is whole. */
async function ask(proxy: TestProxy, line = 'GET / HTTP/1.1', rest = '\r\n'): Promise<string> {
  const client = rawClient(proxy.port)
  client.send(`${line}\r\n${host}Connection: close\r\n${rest}`)
  return client.closed()
}

// holds: app-not-there
test('an application that is not there: 502 upstream_unreachable', async () => {
  const port = await freePort()
  const proxy = await open(new URL(`http://127.0.0.1:${port}`))
  expect(await ask(proxy)).toMatch(/^HTTP\/1\.1 502[\s\S]*refusal:upstream_unreachable/)
  expect(proxy.outcomes).toMatchObject([{ status: 502, fault: 'upstream_unreachable', upstreamError: 'refused' }])
})

test('an application whose name is unknown: 502 upstream_unreachable', async () => {
  // The dot keeps the machine from asking for the name in its own domains as well. How long it asks is not the subject
  const proxy = await open(new URL('http://app.invalid.:80'), { limits: { upstreamConnectTimeoutMs: 30_000 } })
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  await eventually(() => expect(client.isClosed()).toBe(true), 1_400)
  expect(client.text()).toMatch(/^HTTP\/1\.1 502[\s\S]*refusal:upstream_unreachable/)
})

test('an application that does not take the connection: 504 upstream_timeout', async () => {
  // RFC 5737 keeps 192.0.2.0/24 for documentation: nobody answers there
  const proxy = await open(new URL('http://192.0.2.1:80'), { limits: { upstreamConnectTimeoutMs: 200 } })
  const text = await ask(proxy)
  if (/upstream_unreachable/.test(text)) return
  expect(text).toMatch(/^HTTP\/1\.1 504[\s\S]*refusal:upstream_timeout/)
  expect(proxy.outcomes).toMatchObject([{ fault: 'upstream_timeout', upstreamError: 'connect_timeout' }])
})

// holds: app-hangs
test('an application that does not answer: 504 upstream_timeout, and its connection is closed', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url, { limits: { upstreamResponseTimeoutMs: 300 } })
  expect(await ask(proxy)).toMatch(/^HTTP\/1\.1 504[\s\S]*refusal:upstream_timeout/)
  expect(proxy.outcomes).toMatchObject([{ fault: 'upstream_timeout', upstreamError: 'response_timeout' }])
  await eventually(() => expect(origin.sockets.size).toBe(0))
})

// holds: reset-before-answer
test('an application that resets before it answers: 502, and a fresh connection is not tried twice', async () => {
  const origin = await rawApp((socket) => socket.resetAndDestroy())
  const proxy = await open(origin.url)
  expect(await ask(proxy)).toMatch(/^HTTP\/1\.1 502[\s\S]*refusal:upstream_failed/)
  expect(proxy.outcomes).toMatchObject([{ fault: 'upstream_failed', upstreamError: 'reset' }])
  expect(origin.received).toHaveLength(1)
})

const wrong: Record<string, string> = {
  // holds: garbage-from-app
  'status 099': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
  'status 999': 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
  'status 600': 'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n',
  'a status that is no number': 'HTTP/1.1 2OK Odd\r\nContent-Length: 0\r\n\r\n',
  'no space after the version': 'HTTP/1.1200 OK\r\n\r\n',
  // holds: garbage-from-app
  garbage: 'SSH-2.0-OpenSSH_9.6\r\n',
  'a 101 nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  // holds: smuggling-by-answers
  'both framings': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk',
  'a coding beside chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'a control character in a header': 'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nok',
  'a header name that is no token': 'HTTP/1.1 200 OK\r\nX A: a\r\nContent-Length: 2\r\n\r\nok',
  '2,000 headers': `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(2_000)}Content-Length: 2\r\n\r\nok`,
  // holds: too-many-answer-headers
  'headers of 70 KiB': `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(71_680)}\r\nContent-Length: 2\r\n\r\nok`,
}
for (const [sentence, answer] of Object.entries(wrong)) {
  test(`an application that answers with ${sentence}: 502, and the next request is served`, async () => {
    let isWrong = true
    const origin = await rawApp((socket) => socket.write(isWrong ? answer : okAnswer, 'latin1'))
    const proxy = await open(origin.url)
    const text = await ask(proxy)
    expect(statuses(text)).toEqual([502])
    expect(text).toContain('refusal:upstream_failed')
    expect(proxy.outcomes).toMatchObject([{ fault: 'upstream_failed' }])
    isWrong = false
    expect(statuses(await ask(proxy))).toEqual([200])
    expect(proxy.errors).toEqual([])
  })
}

// holds: answer-headers-stay
test('200 Set-Cookie lines arrive, each by itself', async () => {
  const cookies = Array.from({ length: 200 }, (_, n) => `Set-Cookie: c${n}=1\r\n`).join('')
  const origin = await rawApp((socket) => socket.write(`HTTP/1.1 200 OK\r\n${cookies}Content-Length: 2\r\n\r\nok`))
  const proxy = await open(origin.url)
  expect([...(await ask(proxy)).matchAll(/^Set-Cookie: /gm)]).toHaveLength(200)
})

const cutShort: Record<string, string> = {
  'with its length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc',
  'in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
}
for (const [sentence, answer] of Object.entries(cutShort)) {
  for (const isReset of [false, true]) {
    const how = isReset ? 'resets' : 'closes'
    // holds: app-breaks-off-after-head, answer-cut-short, reset-in-middle-body
    test(`an application that ${how} in the middle of a body ${sentence}: the client sees that it is not whole`, async () => {
      const origin = await rawApp((socket) => {
        socket.write(answer, () => setImmediate(() => (isReset ? socket.resetAndDestroy() : socket.end())))
      })
      const proxy = await open(origin.url)
      const text = await ask(proxy)
      expect(text).not.toMatch(/0\r\n\r\n$/)
      expect(text.length).toBeLessThan(answer.length + 200)
      await eventually(() => expect(proxy.outcomes).toHaveLength(1))
      expect(proxy.outcomes[0]).toMatchObject({ fault: 'upstream_failed', clientAborted: false })
    })
  }
}

test('bytes after the end of an answer do not become the next answer', async () => {
  const origin = await rawApp((socket) => socket.write(`${okAnswer}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`))
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  for (const count of [1, 2, 3]) {
    client.send(`GET /${count} HTTP/1.1\r\n${host}\r\n`)
    await client.until((text) => statuses(text).length === count && text.endsWith('ok'))
  }
  expect(client.text()).not.toContain('evil')
  client.socket.destroy()
})

/** Answers the first request of each connection, and closes at the second without a word. */
function closesAtSecond(): Parameters<typeof startRawOrigin>[0] {
  const counts = new WeakMap<object, number>()
  return (socket) => {
    const count = (counts.get(socket) ?? 0) + 1
    counts.set(socket, count)
    if (count === 1) socket.write(okAnswer)
    else socket.destroy()
  }
}

// holds: reset-before-answer, kept-connections-close
test('a safe request that met a connection closed while idle is sent once more', async () => {
  const origin = await rawApp(closesAtSecond())
  const proxy = await open(origin.url)
  const client = rawClient(proxy.port)
  client.send(`GET /1 HTTP/1.1\r\n${host}\r\n`)
  await client.until((text) => text.endsWith('ok'))
  client.send(`GET /2 HTTP/1.1\r\n${host}\r\n`)
  await client.until((text) => statuses(text).length === 2 && text.endsWith('ok'))
  client.socket.destroy()
  expect(statuses(client.text())).toEqual([200, 200])
  expect(origin.text().match(/GET \/2/g)).toHaveLength(2)
  expect(proxy.outcomes).toHaveLength(2)
})

// holds: kept-connections-close
test('an unsafe request is never sent a second time', async () => {
  const rests = ['\r\n', 'Content-Length: 0\r\n\r\n', 'Content-Length: 5\r\n\r\nhello']
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const rest of rests) {
      const origin = await rawApp(closesAtSecond())
      const proxy = await open(origin.url)
      const client = rawClient(proxy.port)
      client.send(`GET /1 HTTP/1.1\r\n${host}\r\n`)
      await client.until((text) => text.endsWith('ok'))
      client.send(`${method} /2 HTTP/1.1\r\n${host}${rest}`)
      await client.until((text) => statuses(text).length === 2)
      client.socket.destroy()
      expect(statuses(client.text()), `${method} ${rest}`).toEqual([200, 502])
      expect(origin.received, `${method} ${rest}`).toEqual([expect.stringContaining(`${method} /2`)])
    }
  }
})

// holds: more-requests-than-app-takes
test('more requests than the application may hold and a few more: 503 overloaded at once', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url, { limits: { upstreamConnections: 2 } })
  const clients = Array.from({ length: 11 }, () => rawClient(proxy.port))
  for (const client of clients) client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(proxy.outcomes).toHaveLength(1))
  expect(proxy.outcomes[0]).toMatchObject({ status: 503, fault: 'overloaded' })
  await eventually(() => expect(clients.map((client) => client.text()).join('')).toMatch(/retry-after: 1/))
  for (const client of clients) client.socket.destroy()
  await eventually(() => expect(proxy.server.inFlight()).toBe(0))
  // The places are free again
  for (const socket of origin.sockets) socket.destroy()
  await eventually(() => expect(proxy.outcomes).toHaveLength(11))
})

// holds: http-1-0
test('an application with HTTP/1.0 and a body that ends with the connection is passed on', async () => {
  const origin = await rawApp((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'))
  const proxy = await open(origin.url)
  expect(await ask(proxy)).toMatch(/^HTTP\/1\.1 200[\s\S]*9\r\nall of it\r\n0\r\n\r\n$/)
})

// holds: exceptions-in-our-own-parts
test('a decision that throws or rejects is answered 500, is told to the log and forwards nothing', async () => {
  const origin = await rawApp()
  const proxy = await open(origin.url, {
    decide: (view) => {
      if (view.path === '/throws') throw new Error('broken')
      return Promise.reject(new Error('broken'))
    },
  })
  for (const path of ['/throws', '/rejects']) {
    expect(await ask(proxy, `GET ${path} HTTP/1.1`)).toMatch(/^HTTP\/1\.1 500[\s\S]*refusal:internal/)
  }
  expect(proxy.outcomes).toMatchObject([
    { status: 500, fault: 'internal' },
    { status: 500, fault: 'internal' },
  ])
  expect(proxy.errors).toHaveLength(2)
  expect(origin.text()).toBe('')
})

// holds: exceptions-in-our-own-parts
test('an observer that throws harms nobody', async () => {
  const origin = await rawApp()
  const proxy = await open(origin.url)
  proxy.outcomes.push = () => {
    throw new Error('broken')
  }
  expect(statuses(await ask(proxy))).toEqual([200])
  await eventually(() => expect(proxy.errors).toHaveLength(1))
})

test('while it drains, what is open finishes, its connection closes, and nobody new is let in', async () => {
  const waiting: ServerResponse[] = []
  const app = await startApp((_req, res) => void waiting.push(res))
  closing.push(app.close)
  const proxy = await startProxy(app.url)
  const idle = rawClient(proxy.port)
  await eventually(() => expect(idle.socket.connecting).toBe(false))
  const busy = rawClient(proxy.port)
  busy.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(waiting).toHaveLength(1))
  const drained = proxy.server.drain(10_000)
  await idle.closed()
  waiting[0]?.end('done')
  expect(await busy.closed()).toMatch(/connection: close[\s\S]*done/)
  await drained
  const late = rawClient(proxy.port)
  expect(await late.closed()).toBe('')
})

test('what does not finish while it drains is ended at the deadline', async () => {
  const origin = await rawApp(() => {})
  const proxy = await startProxy(origin.url)
  const client = rawClient(proxy.port)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  await eventually(() => expect(proxy.server.inFlight()).toBe(1))
  await proxy.server.drain(100)
  expect(await client.closed()).toBe('')
  expect(proxy.outcomes).toHaveLength(1)
})

test('a policy with another upstream takes over for the next request', async () => {
  const before = await rawApp()
  const after = await rawApp()
  const proxy = await open(before.url)
  await ask(proxy)
  proxy.setPolicy({ upstream: after.url })
  await ask(proxy)
  expect([before.received.length, after.received.length]).toEqual([1, 1])
})

// holds: slow-headers-and-bodies
test('a request that does not arrive in time is answered 408', async () => {
  const origin = await rawApp(() => {})
  const proxy = await open(origin.url, { limits: { requestTimeoutMs: 300, headersTimeoutMs: 300 } })
  const slowHead = rawClient(proxy.port)
  slowHead.send('GET / HTTP/1.1\r\nHost')
  const slowBody = rawClient(proxy.port)
  slowBody.send(`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhe`)
  expect(statuses(await slowHead.closed())).toEqual([408])
  expect(statuses(await slowBody.closed())).toEqual([408])
  expect(proxy.outcomes.map((outcome) => outcome.status)).toEqual([408, 408])
  await eventually(() => expect(origin.sockets.size).toBe(0))
})

// holds: slow-headers-and-bodies
test('a body that never ends after its request was answered gets no second answer', async () => {
  const origin = await rawApp((socket) => socket.write(okAnswer))
  const proxy = await open(origin.url, { limits: { requestTimeoutMs: 300, headersTimeoutMs: 300 } })
  const client = rawClient(proxy.port)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhe`)
  expect(statuses(await client.closed())).toEqual([200])
})

test('a server on the port of another cannot be had', async () => {
  const other = createServer()
  const port = await listen(other)
  const origin = await rawApp()
  const proxy = await open(origin.url)
  await proxy.server.drain(0)
  await expect(proxy.server.listen({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE')
  await new Promise<void>((resolve) => other.close(() => resolve()))
})
