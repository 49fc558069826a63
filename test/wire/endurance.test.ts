// What is left in the gate after many clients have left in the middle, and after more came than it has descriptors for.
// Where the heap is measured, the gate is a process of its own, as `sidegate run` starts it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createWorld, sumOf } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { type GateProcess, killProcesses, startProcess } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const piece = Buffer.alloc(65_536)
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
const openTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

// holds: clients-leave-thousand, memory-over-hours
test('a thousand clients that leave in the middle leave no socket, timer or request behind', async () => {
  const socketsBefore = openSockets()
  const timersBefore = openTimers()
  let asked = 0
  const app = await startApp((req, res) => {
    asked++
    if (req.url === '/down') {
      res.write(piece)
      res.on('drain', () => res.write(piece))
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
  await eventually(() => expect(openSockets()).toBeLessThanOrEqual(socketsBefore))
  expect(openTimers()).toBeLessThanOrEqual(timersBefore + 2)
}, 60_000)

/** The gate collects all garbage at once when it is sent SIGUSR2, so that its heap can be compared. */
const COLLECTING = `--expose-gc --import "data:text/javascript,process.on('SIGUSR2',()=>globalThis.gc())"`

interface Held {
  readonly heapBytes: number
  readonly handles: number
}

/** What the gate holds when it has nothing to do: the least of a few looks, as a scrape makes garbage of its own. */
async function heldBy(gate: GateProcess): Promise<Held> {
  const looks: Held[] = []
  for (let look = 0; look < 5; look++) {
    gate.child.kill('SIGUSR2')
    const text = await (await fetch(`http://127.0.0.1:${gate.adminPort}/metrics`)).text()
    looks.push({
      heapBytes: sumOf(text, 'nodejs_heap_size_used_bytes', {}),
      handles: sumOf(text, 'nodejs_active_handles_total', {}),
    })
  }
  return {
    heapBytes: Math.min(...looks.map(({ heapBytes }) => heapBytes)),
    handles: Math.min(...looks.map(({ handles }) => handles)),
  }
}

// holds: clients-leave-thousand
test('after a thousand clients that left in the middle the heap of the gate is what it was, and so are its sockets', async () => {
  let asked = 0
  const app = await startApp((req, res) => {
    asked++
    if (req.url === '/down') {
      res.write(piece)
      res.on('drain', () => res.write(piece))
    }
    req.resume()
  })
  const atApp = new Set<object>()
  app.server.on('connection', (socket) => {
    atApp.add(socket)
    socket.on('close', () => atApp.delete(socket))
  })
  const world = createWorld()
  closing.push(world.remove, app.close, killProcesses)
  const settings = join(world.folder, 'sidegate.yaml')
  writeFileSync(settings, world.settings(app.url))
  const gate = await startProcess(['run', '--config', settings], { NODE_OPTIONS: COLLECTING })
  const head = `HTTP/1.1\r\n${host}Authorization: Bearer ${world.mint()}\r\n`
  const ways = [
    `GET /think ${head}\r\n`,
    `GET /down ${head}\r\n`,
    `POST /up ${head}Content-Length: 1000\r\n\r\nhello`,
    `POST /up ${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    `GET /half ${head}`,
  ]
  const inFlight = async () =>
    sumOf(await (await fetch(`http://127.0.0.1:${gate.adminPort}/metrics`)).text(), 'sidegate_requests_in_flight', {})

  async function comeAndLeave(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const before = asked
      const clients = Array.from({ length: 50 }, (_, at) => {
        const client = rawClient(gate.port)
        client.send(ways[at % ways.length] ?? '')
        client.socket.pause()
        return client
      })
      // A fifth of them never say enough to be asked about
      await vi.waitFor(() => expect(asked).toBe(before + 40), { interval: 5, timeout: 10_000 })
      for (const client of clients) client.socket.resetAndDestroy()
      await vi.waitFor(() => expect(atApp.size).toBe(0), { interval: 5, timeout: 10_000 })
    }
    await vi.waitFor(async () => expect(await inFlight()).toBe(0), { interval: 20, timeout: 10_000 })
  }
  await comeAndLeave(6)
  const before = await heldBy(gate)
  await comeAndLeave(20)
  const after = await heldBy(gate)
  expect(after.heapBytes - before.heapBytes).toBeLessThan(1024 * 1024)
  expect(after.handles).toBeLessThanOrEqual(before.handles)
}, 120_000)

/** A proxy as a process that may have this many descriptors; answers its port. */
async function startProxyProcess(upstream: URL, openFiles: number): Promise<number> {
  const support = pathToFileURL(`${import.meta.dirname}/../support/proxy.ts`).href
  const code = `
    const { startProxy } = await import(${JSON.stringify(support)})
    const proxy = await startProxy(new URL(${JSON.stringify(upstream.href)}))
    await (await fetch('http://127.0.0.1:' + proxy.port + '/warm')).arrayBuffer()
    process.send({ port: proxy.port })
    process.on('message', () => {})`
  const command = `ulimit -n ${openFiles} && exec "$0" --input-type=module -e "$1"`
  const child: ChildProcess = spawn('sh', ['-c', command, process.execPath, code], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  closing.push(() => void child.kill('SIGKILL'))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return port
}

// holds: no-file-descriptors-left
test('a proxy whose file descriptors are all taken lives on, and serves again once some are free', async () => {
  const app = await startApp((_req, res) => void res.end('ok'))
  closing.push(app.close)
  const port = await startProxyProcess(app.url, 96)
  const clients = Array.from({ length: 200 }, () => rawClient(port))
  await vi.waitFor(() => expect(clients.filter((client) => client.isClosed()).length).toBeGreaterThan(50), {
    timeout: 10_000,
  })
  for (const client of clients) client.socket.destroy()
  await vi.waitFor(
    async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`)
      expect(await response.text()).toBe('ok')
    },
    { timeout: 10_000, interval: 100 },
  )
}, 30_000)
