// Requests that wait for a free connection to the application, and clients that hold one without reading: none of it goes on
// without a bound, and nothing goes out for a token that is no longer good.
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type RawOrigin, startApp, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'
import { rawClient, statuses } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** An application with one connection, which a stream holds until it is told to end. */
async function startBusy(options: Parameters<typeof startProxy>[1] = {}) {
  const origin: RawOrigin = await startRawOrigin((socket, sofar) => {
    if (sofar.endsWith('\r\n\r\n')) socket.write(sofar.includes('/stream') ? 'HTTP/1.1 200 OK\r\n\r\nbegun' : answer)
  })
  closing.push(origin.close)
  const { limits, ...rest } = options
  const proxy: TestProxy = await startProxy(origin.url, { ...rest, limits: { upstreamConnections: 1, ...limits } })
  closing.push(proxy.close)
  const stream = rawClient(proxy.port)
  stream.send(`GET /stream HTTP/1.1\r\n${host}\r\n`)
  await stream.until((text) => text.includes('begun'))
  const ask = (line: string) => {
    const client = rawClient(proxy.port)
    client.send(`${line} HTTP/1.1\r\n${host}\r\n`)
    return client
  }
  return { origin, proxy, ask, endStream: () => stream.socket.destroy() }
}

describe('a request that waits for a connection', () => {
  test('is sent as soon as there is one, in turn', async () => {
    const { origin, ask, endStream } = await startBusy()
    const clients = ['GET /first', 'POST /second', 'GET /third'].map(ask)
    await eventually(() => expect(origin.received).toHaveLength(1))
    endStream()
    for (const client of clients) expect(statuses(await client.until((text) => text.endsWith('ok')))).toEqual([200])
    const paths = origin.received.flatMap((text) => text.match(/(?<=(GET|POST) )\S+/g) ?? [])
    expect(paths).toEqual(['/stream', '/first', '/second', '/third'])
    for (const client of clients) client.socket.destroy()
  })

  test('is refused when it has waited as long as the application may think', async () => {
    const { ask, proxy } = await startBusy({ limits: { upstreamResponseTimeoutMs: 200 } })
    const client = ask('GET /')
    expect(statuses(await client.until((text) => text.includes('overloaded')))).toEqual([503])
    expect(proxy.outcomes).toMatchObject([{ status: 503, fault: 'overloaded' }])
    client.socket.destroy()
  })

  test('makes room for another one when its client leaves', async () => {
    const { ask, proxy, endStream } = await startBusy()
    const waiting = Array.from({ length: 4 }, () => ask('GET /'))
    await eventually(() => expect(proxy.server.inFlight()).toBe(5))
    const fifth = ask('GET /')
    expect(statuses(await fifth.until((text) => text.includes('overloaded')))).toEqual([503])
    for (const client of waiting) client.socket.destroy()
    await eventually(() => expect(proxy.server.inFlight()).toBe(1))
    const next = ask('GET /next')
    await eventually(() => expect(proxy.server.inFlight()).toBe(2))
    endStream()
    expect(statuses(await next.until((text) => text.endsWith('ok')))).toEqual([200])
    for (const client of [fifth, next]) client.socket.destroy()
  })

  test('is not sent once its token is revoked, and is told so', async () => {
    const { origin, ask, proxy } = await startBusy({ decide: () => tokenPermit(verifiedToken()) })
    const client = ask('DELETE /account')
    await eventually(() => expect(proxy.server.inFlight()).toBe(2))
    proxy.revoke('token_revoked')
    proxy.lifetime.askAll()
    expect(statuses(await client.until((text) => text.includes('token_revoked')))).toEqual([401])
    // The stream was ended as well: its connection is free
    await eventually(() => expect(proxy.server.inFlight()).toBe(0))
    expect(origin.text()).not.toContain('/account')
    client.socket.destroy()
  })

  test('is served by an application that another has taken the place of meanwhile', async () => {
    const { ask, proxy, endStream } = await startBusy()
    const client = ask('GET /old')
    await eventually(() => expect(proxy.server.inFlight()).toBe(2))
    const other = await startApp((_req, res) => res.end('other'))
    closing.push(other.close)
    proxy.setPolicy({ upstream: other.url })
    const later = ask('GET /new')
    await later.until((text) => text.includes('other'))
    endStream()
    expect(statuses(await client.until((text) => text.endsWith('ok')))).toEqual([200])
    for (const each of [client, later]) each.socket.destroy()
  })
})

describe('a client that does not read its answer', () => {
  const piece = Buffer.alloc(65_536, 'x')

  /** An answer without an end, which the client has asked for. */
  async function startDownload(sendTimeoutMs: number) {
    const app = await startApp((_req, res) => {
      const more = (): void => {
        while (res.write(piece));
      }
      res.on('drain', more)
      more()
    })
    closing.push(app.close)
    const proxy = await startProxy(app.url, { limits: { sendTimeoutMs } })
    closing.push(proxy.close)
    const client = rawClient(proxy.port)
    client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
    return { proxy, client }
  }

  // holds: readers-that-stall
  test('is let go after a while, and the application is too', async () => {
    const { proxy, client } = await startDownload(400)
    client.socket.pause()
    await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 200, clientAborted: true }]))
    client.socket.destroy()
  })

  test('is waited for as long as it takes a little now and then', async () => {
    const { proxy, client } = await startDownload(400)
    for (let round = 0; round < 12; round++) {
      client.socket.pause()
      await new Promise((resolve) => setTimeout(resolve, 100))
      client.socket.resume()
      const before = client.socket.bytesRead
      await eventually(() => expect(client.socket.bytesRead).toBeGreaterThan(before + 500_000), 500, 1)
    }
    expect(proxy.outcomes).toEqual([])
    client.socket.destroy()
  })

  test('may be waited for without end', async () => {
    const { proxy, client } = await startDownload(0)
    client.socket.pause()
    await eventually(() => expect(proxy.server.inFlight()).toBe(1))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(proxy.outcomes).toEqual([])
    client.socket.destroy()
  })
})
