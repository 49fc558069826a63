// How much memory do large bodies take on their way through a gate, as `sidegate run` starts it? Both ways: first held up,
// then slowly, then as fast as it goes.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { get, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { type GateProcess, killProcesses, startProcess } from '../support/process.ts'

const MEBIBYTE = 1024 * 1024
const TOTAL = 1024 * MEBIBYTE
const BOUND = 64 * MEBIBYTE
const SLOW_MS = 1_500
const chunk = Buffer.alloc(MEBIBYTE / 4, 'x')

let world: World
const closing: (() => unknown)[] = []
beforeEach(() => {
  world = createWorld()
  closing.push(world.remove)
})
afterEach(async () => {
  killProcesses()
  for (const close of closing.splice(0).reverse()) await close()
})

const PROBE = new URL('../support/memory-probe.ts', import.meta.url)

async function startGate(upstream: URL): Promise<GateProcess> {
  const file = join(world.folder, 'sidegate.yaml')
  writeFileSync(file, world.settings(upstream))
  return startProcess(['run', '--config', file], { NODE_OPTIONS: `--import ${PROBE.href}` })
}

interface Memory {
  readonly rss: number
  /** The heap and what V8 keeps outside of it. */
  readonly allocated: number
}

/** The most that the gate has had since this was asked last. */
async function mostMemory(gate: GateProcess): Promise<Memory> {
  const told = () => [...gate.output().matchAll(/^memory (.*)$/gm)]
  const before = told().length
  gate.child.kill('SIGUSR2')
  await vi.waitFor(() => expect(told()).toHaveLength(before + 1), { timeout: 10_000 })
  return JSON.parse(told().at(-1)?.[1] ?? '{}') as Memory
}

/** What there is now; the answer of the function returned is the most that was added to it. */
async function watchMemory(gate: GateProcess): Promise<() => Promise<Memory>> {
  await mostMemory(gate)
  const first = await mostMemory(gate)
  return async () => {
    const { rss, allocated } = await mostMemory(gate)
    return { rss: rss - first.rss, allocated: allocated - first.allocated }
  }
}

/** Writes the whole body as fast as it is taken. */
function writeAll(to: NodeJS.WritableStream, onWritten: (bytes: number) => void): void {
  let left = TOTAL
  const more = (): void => {
    while (left > 0) {
      left -= chunk.length
      onWritten(chunk.length)
      if (!to.write(chunk)) return void to.once('drain', more)
    }
    to.end()
  }
  more()
}

/** Reads everything: slowly at first, then at full speed. Answers how many bytes there were. */
async function readSlowlyAtFirst(from: Readable): Promise<number> {
  const slowUntilMs = performance.now() + SLOW_MS
  let bytes = 0
  for await (const piece of from) {
    bytes += (piece as Buffer).length
    if (performance.now() < slowUntilMs) await pause(5)
  }
  return bytes
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

/** The gate has seen the token, and has answered a few times. */
async function warmUp(gate: GateProcess, authorization: string): Promise<void> {
  for (let count = 0; count < 20; count++) {
    const response = await fetch(`http://127.0.0.1:${gate.port}/small`, { headers: { authorization } })
    expect(await response.text()).toBe('small')
  }
}

// holds: readers-that-stall
test('1 GiB down, to a reader that stalls, then is slow, then is not, takes less than 64 MiB', async () => {
  let sent = 0
  const app = await startApp((req, res) => {
    if (req.url === '/small') return void res.end('small')
    writeAll(res, (bytes) => {
      sent += bytes
    })
  })
  closing.push(app.close)
  const gate = await startGate(app.url)
  const authorization = `Bearer ${world.mint()}`
  await warmUp(gate, authorization)
  const grown = await watchMemory(gate)
  const asked = get({ host: '127.0.0.1', port: gate.port, path: '/large', headers: { authorization } })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  await stands(() => sent)
  expect(sent).toBeLessThan(BOUND)
  expect(await readSlowlyAtFirst(response)).toBe(TOTAL)
  const { rss, allocated } = await grown()
  expect(rss).toBeLessThan(BOUND)
  expect(allocated).toBeLessThan(BOUND)
}, 120_000)

// holds: readers-that-stall
test('1 GiB up, to an application that stalls, then is slow, then is not, takes less than 64 MiB', async () => {
  let received = 0
  let read: (() => void) | undefined
  const app = await startApp((req, res) => {
    if (req.url === '/small') return void res.end('small')
    read = async () => {
      received = await readSlowlyAtFirst(req)
      res.end('done')
    }
  })
  closing.push(app.close)
  const gate = await startGate(app.url)
  const authorization = `Bearer ${world.mint()}`
  await warmUp(gate, authorization)
  const grown = await watchMemory(gate)
  const headers = { authorization, 'content-length': TOTAL }
  const upload = request({ host: '127.0.0.1', port: gate.port, path: '/large', method: 'POST', headers })
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>
  let sent = 0
  writeAll(upload, (bytes) => {
    sent += bytes
  })
  // Until the application is asked nothing moves either
  await eventually(() => expect(read).toBeDefined())
  await stands(() => sent)
  expect(sent).toBeLessThan(BOUND)
  read?.()
  const [response] = await answered
  response.resume()
  expect(response.statusCode).toBe(200)
  expect(received).toBe(TOTAL)
  const { rss, allocated } = await grown()
  expect(rss).toBeLessThan(BOUND)
  expect(allocated).toBeLessThan(BOUND)
}, 120_000)
