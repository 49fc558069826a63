// What is left after many clients have left, and how much memory a stalled transfer takes: the proxy of the second test is a
// process of its own, so that what it holds is its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { get, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { startApp } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
const openTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

test('a thousand clients that leave in the middle leave no socket, timer or request behind', async () => {
  const socketsBefore = openSockets()
  const timersBefore = openTimers()
  let asked = 0
  const chunk = Buffer.alloc(65_536)
  const app = await startApp((req, res) => {
    asked++
    if (req.url === '/down') {
      res.write(chunk)
      res.on('drain', () => res.write(chunk))
    }
    req.resume()
  })
  const proxy = await startProxy(app.url, { limits: { upstreamConnections: 32 } })
  const ways = [
    `GET /think HTTP/1.1\r\n${host}\r\n`,
    `GET /down HTTP/1.1\r\n${host}\r\n`,
    `POST /up HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\nhello`,
    `POST /up HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  ]
  for (let round = 0; round < 50; round++) {
    const before = asked
    const clients = Array.from({ length: 20 }, (_, at) => {
      const client = rawClient(proxy.port)
      client.send(ways[at % ways.length] ?? '')
      client.socket.pause()
      return client
    })
    await vi.waitFor(() => expect(asked).toBe(before + 20), { interval: 5, timeout: 10_000 })
    for (const client of clients) client.socket.resetAndDestroy()
    await vi.waitFor(() => expect(proxy.server.inFlight()).toBe(0), { interval: 5, timeout: 10_000 })
  }
  expect(proxy.outcomes).toHaveLength(1_000)
  expect(proxy.outcomes.every((outcome) => outcome.clientAborted)).toBe(true)
  expect(proxy.errors).toEqual([])
  await proxy.close()
  await app.close()
  await vi.waitFor(() => expect(openSockets()).toBeLessThanOrEqual(socketsBefore))
  expect(openTimers()).toBeLessThanOrEqual(timersBefore + 2)
}, 60_000)

const MEBIBYTE = 1024 * 1024
const total = 256 * MEBIBYTE
const chunk = Buffer.alloc(MEBIBYTE / 4, 'x')

interface ProxyProcess {
  readonly port: number
  /** The most memory that it has had beyond what it began with, in bytes. */
  readonly grown: () => Promise<number>
}

/** `openFiles` is how many descriptors the process may have; absent: as many as this one. */
async function startProxyProcess(upstream: URL, openFiles?: number): Promise<ProxyProcess> {
  const support = pathToFileURL(`${import.meta.dirname}/../support/proxy.ts`).href
  const code = `
    const { startProxy } = await import(${JSON.stringify(support)})
    const proxy = await startProxy(new URL(${JSON.stringify(upstream.href)}))
    await (await fetch('http://127.0.0.1:' + proxy.port + '/warm')).arrayBuffer()
    const first = process.memoryUsage.rss()
    let most = first
    const look = () => { most = Math.max(most, process.memoryUsage.rss()) }
    if (${openFiles === undefined}) setInterval(look, 20)
    process.on('message', () => process.send({ grown: most - first }))
    process.send({ port: proxy.port })`
  const bound = openFiles === undefined ? '' : `ulimit -n ${openFiles} && `
  const command = `${bound}exec "$0" --input-type=module -e "$1"`
  const child: ChildProcess = spawn('sh', ['-c', command, process.execPath, code], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  closing.push(() => void child.kill('SIGKILL'))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const grown = async (): Promise<number> => {
    const answer = once(child, 'message')
    child.send('how much')
    const [{ grown: bytes }] = (await answer) as [{ grown: number }]
    return bytes
  }
  return { port, grown }
}

/** Resolves when a count has grown and stands still: everything in between is full. */
async function stands(count: () => number): Promise<void> {
  let before = -1
  await vi.waitFor(
    () => {
      const now = count()
      const isStill = now > 0 && now === before
      before = now
      expect(isStill).toBe(true)
    },
    { interval: 300, timeout: 20_000 },
  )
}

test('256 MiB down to a reader that stalls take less than 64 MiB', async () => {
  let sent = 0
  const app = await startApp((req, res) => {
    if (req.url === '/warm') return void res.end(Buffer.alloc(32 * MEBIBYTE))
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length
        if (!res.write(chunk)) return void res.once('drain', more)
      }
      res.end()
    }
    more()
  })
  closing.push(app.close)
  const proxy = await startProxyProcess(app.url)
  const asked = get({ host: '127.0.0.1', port: proxy.port, path: '/' })
  const [response] = await once(asked, 'response')
  await stands(() => sent)
  expect(sent).toBeLessThan(total / 2)
  let received = 0
  for await (const bytes of response) {
    received += (bytes as Buffer).length
    // Slower than the application, so that the way between stays full to the end
    if (received % MEBIBYTE < 65_536) await pause(2)
  }
  expect(received).toBe(total)
  expect(await proxy.grown()).toBeLessThan(64 * MEBIBYTE)
}, 60_000)

test('256 MiB up to an application that stalls take less than 64 MiB', async () => {
  let received = 0
  let read: () => void = () => {}
  const app = await startApp((req, res) => {
    if (req.url === '/warm') return void res.end(Buffer.alloc(32 * MEBIBYTE))
    read = () => {
      void (async () => {
        for await (const bytes of req) {
          received += (bytes as Buffer).length
          if (received % MEBIBYTE < 65_536) await pause(2)
        }
        res.end('done')
      })()
    }
  })
  closing.push(app.close)
  const proxy = await startProxyProcess(app.url)
  const upload = request({ host: '127.0.0.1', port: proxy.port, method: 'POST', headers: { 'content-length': total } })
  const answered = once(upload, 'response')
  let sent = 0
  const more = (): void => {
    while (sent < total) {
      sent += chunk.length
      if (!upload.write(chunk)) return void upload.once('drain', more)
    }
    upload.end()
  }
  more()
  await stands(() => sent)
  expect(sent).toBeLessThan(total / 2)
  read()
  const [response] = await answered
  expect(response.statusCode).toBe(200)
  response.resume()
  expect(received).toBe(total)
  expect(await proxy.grown()).toBeLessThan(64 * MEBIBYTE)
}, 60_000)

test('a proxy whose file descriptors are all taken lives on, and serves again once some are free', async () => {
  const app = await startApp((_req, res) => void res.end('ok'))
  closing.push(app.close)
  const proxy = await startProxyProcess(app.url, 96)
  const clients = Array.from({ length: 200 }, () => rawClient(proxy.port))
  await vi.waitFor(() => expect(clients.filter((client) => client.isClosed()).length).toBeGreaterThan(50), {
    timeout: 10_000,
  })
  for (const client of clients) client.socket.destroy()
  await vi.waitFor(
    async () => {
      const response = await fetch(`http://127.0.0.1:${proxy.port}/`)
      expect(await response.text()).toBe('ok')
    },
    { timeout: 10_000, interval: 100 },
  )
}, 30_000)
