// A slow log reader never blocks the gate: a reader that stops, goes away or has no room left stops neither the gate nor its end,
// and takes a bounded amount of memory.
import { openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createLogOutput } from '../../../src/telemetry/logs/log-output.ts'
import { ADMIN_TOKEN, createWorld, sumOf, type World } from '../../support/gateway.ts'
import { freePort } from '../../support/listen.ts'
import { type EchoOrigin, startEchoOrigin } from '../../support/origin.ts'
import { type GateProcess, killProcesses, startProcess, startUnheard } from '../../support/process.ts'
import { rawClient } from '../../support/raw-client.ts'

/** A reader that takes a chunk only when it is told to. */
function createReader() {
  const taken: string[] = []
  let next: ((error?: Error) => void) | undefined
  const stream = new Writable({
    decodeStrings: false,
    autoDestroy: false,
    write: (chunk: string, _encoding, done) => {
      taken.push(chunk)
      next = done
    },
  })
  return { stream, taken, take: (error?: Error) => next?.(error) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('what waits for the reader', () => {
  test('is written in its order, all lines of a turn at once', async () => {
    const { stream, taken, take } = createReader()
    const output = createLogOutput(stream)
    output.write('one\n')
    output.write('two\n')
    expect(taken).toEqual([])
    await turn()
    expect(taken).toEqual(['one\ntwo\n'])
    output.write('three\n')
    output.flush()
    take()
    await turn()
    expect(taken).toEqual(['one\ntwo\n', 'three\n'])
  })

  test('is bounded: what comes beyond is left out, counted, and told once the reader takes lines again', async () => {
    const { stream, take } = createReader()
    const output = createLogOutput(stream)
    let lost = 0
    const told: number[] = []
    output.onLost((lines) => {
      lost += lines
    })
    output.onRecovered((lines) => told.push(lines))
    const line = `${'x'.repeat(1023)}\n`
    for (let count = 0; count < 500; count++) output.write(line)
    expect(output.isBehind()).toBe(false)
    await turn()
    for (let count = 500; count < 2000; count++) output.write(line)
    expect(output.isBehind()).toBe(true)
    expect(lost).toBe(2000 - 1024)
    take()
    await turn()
    expect(told).toEqual([])
    take()
    await turn()
    expect(told).toEqual([2000 - 1024])
    expect(output.isBehind()).toBe(false)
  })

  test('is counted where it cannot be written', async () => {
    const { stream, take } = createReader()
    const output = createLogOutput(stream)
    let lost = 0
    output.onLost((lines) => {
      lost += lines
    })
    output.write('one\n')
    output.write('two\n')
    await turn()
    take(new Error('no space left on device'))
    await turn()
    expect(lost).toBe(2)
  })
})

describe('a gate as a process', () => {
  let world: World
  let app: EchoOrigin
  beforeAll(async () => {
    world = createWorld()
    app = await startEchoOrigin()
  })
  afterEach(killProcesses)
  afterAll(async () => {
    await app.close()
    world.remove()
  })

  function settingsFile(text: string): string {
    const path = join(world.folder, 'sidegate.yaml')
    writeFileSync(path, text)
    return path
  }

  const metricsOf = async (adminPort: number) => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  const revoke = (adminPort: number, value: string) =>
    fetch(`http://127.0.0.1:${adminPort}/revocations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ kind: 'token', value }),
    })
  const statusOf = async (port: number) =>
    (await fetch(`http://127.0.0.1:${port}/x`, { headers: { authorization: `Bearer ${world.mint()}` } })).status

  /** Requests without a token, one after the other on one connection, each with a long path. */
  async function refuse(port: number, requests: number): Promise<void> {
    const client = rawClient(port)
    client.send(`GET /${'a'.repeat(250)} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(requests))
    await client.until((text) => text.split('HTTP/1.1 401').length > requests, `${requests} refusals`)
    client.socket.destroy()
  }

  /** More refusals than the reader, the pipe and the gate's own room can hold, and the reader takes none of their lines. */
  async function startBehind(): Promise<GateProcess> {
    const gate = await startProcess([
      'run',
      '--config',
      settingsFile(world.settings(app.url, 'log: { refusedPerSecond: 0 }\nlimits: { drainTimeout: 1s }\n')),
    ])
    gate.child.stdout?.pause()
    for (let count = 0; count < 8; count++) await refuse(gate.port, 1000)
    return gate
  }

  // holds: floods-of-log-lines
  test('goes on while nobody reads its log, in bounded memory; later it tells what was left out, and of every rule', async () => {
    const gate = await startBehind()
    for (let count = 0; count < 16; count++) await refuse(gate.port, 1000)
    const metrics = await metricsOf(gate.adminPort)
    const leftOut = sumOf(metrics, 'sidegate_log_lines_left_out_total', { cause: 'reader' })
    expect(leftOut).toBeGreaterThan(16_000)
    expect(sumOf(metrics, 'sidegate_decisions_total', { decision: 'refuse' })).toBe(24_000)
    expect(await statusOf(gate.port)).toBe(200)

    await revoke(gate.adminPort, 'stolen')

    gate.child.stdout?.resume()
    const written = () => gate.output().split('"msg":"request"').length - 1
    const told = () =>
      [...gate.output().matchAll(/"lines":(\d+).*"msg":"Left out/g)].reduce((sum, [, lines]) => sum + Number(lines), 0)
    await expect.poll(() => written() + told(), { timeout: 10_000 }).toBe(24_000)
    expect(told()).toBe(leftOut)
    // What was kept for the reader: half of the gate's room, and what the pipe and the reader had taken before.
    expect(gate.output().length).toBeLessThan(1_048_576)
    await expect.poll(gate.output).toMatch(/"audit":"revoke".*"value":"stolen"/)
  }, 60_000)

  // holds: floods-of-log-lines
  test('ends when it is told to, though nobody reads its log', async () => {
    const gate = await startBehind()
    gate.child.kill('SIGTERM')
    expect(await gate.exited).toBe(0)
  }, 30_000)

  test('goes on when who reads its log is gone', async () => {
    const gate = await startProcess(['run', '--config', settingsFile(world.settings(app.url))])
    gate.child.stdout?.destroy()
    await refuse(gate.port, 10)
    expect(await statusOf(gate.port)).toBe(200)
    await expect
      .poll(async () => sumOf(await metricsOf(gate.adminPort), 'sidegate_log_lines_left_out_total', {}))
      .toBeGreaterThanOrEqual(10)
    gate.child.kill('SIGTERM')
    expect(await gate.exited).toBe(0)
  }, 30_000)

  // holds: floods-of-log-lines
  test('goes on where its log is a file and the disk is full', async () => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const settings = world
      .settings(app.url)
      .replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${port}`)
      .replace('{ listen: 127.0.0.1:0', `{ listen: 127.0.0.1:${adminPort}`)
    const gate = startUnheard(['run', '--config', settingsFile(settings)], openSync('/dev/full', 'w'))
    await expect.poll(() => statusOf(port).catch(() => 0), { timeout: 15_000 }).toBe(200)
    await refuse(port, 10)
    expect(await statusOf(port)).toBe(200)
    expect(sumOf(await metricsOf(adminPort), 'sidegate_log_lines_left_out_total', {})).toBeGreaterThan(10)
    gate.child.kill('SIGTERM')
    expect(await gate.exited).toBe(0)
  }, 30_000)
})
