// Several processes as one gate: the ports are shared, and so is what is revoked, counted, changed and ended.
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ADMIN_TOKEN, createWorld, reasonOf, sumOf, type World } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { finishProcess, type GateProcess, killProcesses, startProcess } from '../support/process.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

// Each starts several processes, one after the other: on a busy machine a start takes some seconds.
vi.setConfig({ testTimeout: 120_000 })

const PATIENCE = { timeout: 20_000, interval: 50 }

let world: World
let redis: TestRedis
let upstream: Awaited<ReturnType<typeof startApp>>
let answerSlowOnes: () => void

beforeEach(async () => {
  world = createWorld()
  redis = await startRedis()
  const waiting: (() => void)[] = []
  answerSlowOnes = () => {
    for (const answer of waiting.splice(0)) answer()
  }
  upstream = await startApp((req, res) => {
    if (req.url?.startsWith('/slow') === true) waiting.push(() => res.end('slow but done'))
    else res.end('hello')
  })
})

afterEach(async () => {
  killProcesses()
  await upstream.close()
  await redis.stop()
  world.remove()
})

function settingsFile(more = ''): string {
  const path = join(world.folder, 'sidegate.yaml')
  const fixed = `workers: 2\nrevocation: { redis: '${redis.url}' }\nlog: { access: all }\n`
  writeFileSync(path, world.settings(upstream.url, `${fixed}${more}`))
  return path
}

/** Starts both workers, and waits until the admin port says that both are ready. */
async function startWorkers(more = ''): Promise<GateProcess> {
  const gate = await startProcess(['run', '--config', settingsFile(more)])
  await isReady(gate)
  return gate
}

const isReady = (gate: GateProcess) =>
  vi.waitFor(async () => expect((await admin(gate, '/readyz')).status).toBe(200), PATIENCE)

// A connection of its own for each request: the workers get them in turn
const ask = (gate: GateProcess, path: string, token: string, options: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${gate.port}${path}`, {
    ...options,
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
  })
const admin = (gate: GateProcess, path: string, options: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${gate.adminPort}${path}`, {
    ...options,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, connection: 'close' },
  })
const metric = async (gate: GateProcess, name: string, labels: Record<string, string> = {}) =>
  sumOf(await (await admin(gate, '/metrics')).text(), name, labels)

interface Line {
  readonly msg: string
  readonly worker?: number
  readonly ended?: number
  readonly path?: string
}
const linesOf = (gate: GateProcess) =>
  gate
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)

/** Which worker answered the request for this path; each has been asked for once. */
const workerOf = (gate: GateProcess, path: string) =>
  vi.waitFor(() => {
    const line = linesOf(gate).find((one) => one.msg === 'request' && one.path === path)
    if (line?.worker === undefined) throw new Error(`no line for ${path} yet`)
    return line.worker
  }, PATIENCE)

/** The process of one worker, asked of the system. */
function processOf(gate: GateProcess, index: number): number {
  const pid = gate.child.pid ?? 0
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  const child = children[index]
  if (child === undefined) throw new Error(`no worker ${index}`)
  return child
}

describe('two workers', () => {
  it('share the ports, hold the same list, and count as one', async () => {
    const gate = await startWorkers()
    const token = world.mint({ sub: 'mallory' })
    const answered = async (path: string) => {
      const response = await ask(gate, path, token)
      return [await workerOf(gate, path), response.status, await reasonOf(response)]
    }
    const before = await Promise.all([1, 2, 3, 4].map((index) => answered(`/before/${index}`)))
    expect(before.map(([, status]) => status)).toEqual([200, 200, 200, 200])
    expect(new Set(before.map(([worker]) => worker))).toEqual(new Set([1, 2]))

    const rule = { kind: 'subject', value: 'mallory', issuedBefore: 'now' }
    expect((await admin(gate, '/revocations', { method: 'POST', body: JSON.stringify(rule) })).status).toBe(201)
    let round = 0
    await vi.waitFor(async () => {
      round += 1
      const after = await Promise.all([1, 2, 3, 4].map((index) => answered(`/after/${round}/${index}`)))
      expect(after.map(([, , reason]) => reason)).toEqual(Array(4).fill('token_revoked'))
      expect(new Set(after.map(([worker]) => worker))).toEqual(new Set([1, 2]))
    }, PATIENCE)

    const text = await (await admin(gate, '/metrics')).text()
    const requests = linesOf(gate).filter(({ msg }) => msg === 'request').length
    expect(sumOf(text, 'sidegate_requests_total', {})).toBe(requests)
    expect(sumOf(text, 'sidegate_request_duration_seconds_count', {})).toBe(requests)
    expect(sumOf(text, 'sidegate_workers', {})).toBe(2)
    expect(sumOf(text, 'sidegate_revocation_rules', { kind: 'subject' })).toBe(1)
    expect(await (await admin(gate, '/readyz')).json()).toMatchObject({ ready: true, checks: { workers: '2 run' } })
  })

  it('take over changed settings, each of them', async () => {
    const gate = await startWorkers()
    settingsFile('routes: [{ path: /open/*, access: public }]\n')
    let round = 0
    await vi.waitFor(async () => {
      round += 1
      const paths = [1, 2, 3, 4].map((index) => `/open/${round}/${index}`)
      const statuses = await Promise.all(paths.map(async (path) => (await ask(gate, path, '')).status))
      expect(statuses).toEqual([200, 200, 200, 200])
    }, PATIENCE)
    expect(await metric(gate, 'sidegate_config_reloads_total', { result: 'ok' })).toBe(2)
  })

  it('let clients go to other pods, all of them, when one is asked to', async () => {
    const gate = await startWorkers()
    const connectionOf = async (path: string) => {
      const headers = { authorization: `Bearer ${world.mint()}` }
      const agent = new Agent({ keepAlive: true })
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        get({ port: gate.port, path, agent, headers }, resolve).once('error', reject)
      })
      agent.destroy()
      return [await workerOf(gate, path), response.statusCode, response.headers.connection]
    }
    const connections = (round: string) => Promise.all([1, 2].map((index) => connectionOf(`/${round}/${index}`)))
    expect(new Set(await connections('before'))).toEqual(
      new Set([
        [1, 200, 'keep-alive'],
        [2, 200, 'keep-alive'],
      ]),
    )
    expect((await admin(gate, '/drain')).status).toBe(200)
    expect(new Set(await connections('after'))).toEqual(
      new Set([
        [1, 200, 'close'],
        [2, 200, 'close'],
      ]),
    )
    expect((await admin(gate, '/readyz')).status).toBe(200)
  })

  it('finish what is open on SIGTERM, and leave nothing behind', async () => {
    const gate = await startWorkers()
    const slow = [1, 2, 3, 4].map(async (index) => (await ask(gate, `/slow/${index}`, world.mint())).text())
    await vi.waitFor(async () => expect(await metric(gate, 'sidegate_requests_in_flight')).toBe(4), PATIENCE)
    gate.child.kill('SIGTERM')
    await vi.waitFor(async () => expect((await admin(gate, '/readyz')).status).toBe(503), PATIENCE)
    // One worker may be later than the other, and what node:cluster hands to one that has just closed waits for the end.
    await eventually(async () => {
      const signal = AbortSignal.timeout(1_000)
      await expect(ask(gate, '/', world.mint(), { signal })).rejects.toThrow('fetch failed')
    })
    answerSlowOnes()
    expect(await Promise.all(slow)).toEqual(Array(4).fill('slow but done'))
    expect(await gate.exited).toBe(0)
    expect(
      linesOf(gate)
        .filter(({ msg }) => msg === 'Stopped')
        .map(({ worker }) => worker),
    ).toHaveLength(2)
  })

  it('end with the first process, however it ends', async () => {
    const gate = await startWorkers()
    const client = rawClient(gate.port)
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${world.mint()}\r\n\r\n`)
    await client.until((text) => text.includes('hello'))
    gate.child.kill('SIGKILL')
    await client.closed()
    await vi.waitFor(() => expect(ask(gate, '/', world.mint())).rejects.toThrow(), PATIENCE)
  })
})

describe('a worker that ends', () => {
  it('is replaced and counted, while no request on another one fails and no counter goes down', async () => {
    const gate = await startWorkers()
    const token = world.mint()
    const connections = await Promise.all([0, 1, 2, 3, 4, 5].map((index) => openConnection(gate, index, token)))
    const doomed = linesOf(gate).find(({ msg }) => msg === 'Sidegate is running')?.worker
    const others = connections.filter(({ worker }) => worker !== doomed)
    expect(others.length).toBeGreaterThan(0)
    expect(others.length).toBeLessThan(connections.length)
    const countedBefore = await metric(gate, 'sidegate_requests_total')

    process.kill(processOf(gate, 0), 'SIGKILL')
    await vi.waitFor(() => expect(gate.output()).toContain('A worker has ended; another takes its place'), PATIENCE)
    await vi.waitFor(async () => expect(await metric(gate, 'sidegate_workers')).toBe(2), PATIENCE)
    for (const connection of connections) connection.stop()
    await Promise.all(connections.map(({ ended }) => ended))
    expect(others.map(({ failures }) => failures())).toEqual(others.map(() => 0))
    for (const { worker, failures } of connections) if (worker === doomed) expect(failures()).toBe(1)

    const text = await (await admin(gate, '/metrics')).text()
    expect(sumOf(text, 'sidegate_requests_total', {})).toBeGreaterThan(countedBefore)
    expect(sumOf(text, 'sidegate_worker_restarts_total', {})).toBe(1)
    expect(sumOf(text, 'sidegate_workers', {})).toBe(2)
    const served = await Promise.all([1, 2, 3, 4].map((index) => ask(gate, `/again/${index}`, token)))
    expect(served.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await workersOf(gate, ['/again/1', '/again/2', '/again/3', '/again/4'])).toEqual(new Set([2, 3]))
  })

  it('that is stuck makes the gate neither ready nor alive, and is named', async () => {
    const gate = await startWorkers()
    const stuck = processOf(gate, 0)
    process.kill(stuck, 'SIGSTOP')
    const readyz = await admin(gate, '/readyz')
    expect(readyz.status).toBe(503)
    expect(await readyz.json()).toMatchObject({
      checks: { workers: expect.stringMatching(/^worker \d does not answer$/) },
    })
    for (let look = 0; look < 3; look++) expect((await admin(gate, '/livez')).status).toBe(503)
    const other = processOf(gate, 1)
    process.kill(other, 'SIGSTOP')
    expect((await admin(gate, '/livez')).status).toBe(503)
    expect((await admin(gate, '/revocations')).status).toBe(503)
    expect((await admin(gate, '/metrics')).status).toBe(200)
    process.kill(other, 'SIGCONT')
    process.kill(stuck, 'SIGCONT')
    await isReady(gate)
    expect((await admin(gate, '/livez')).status).toBe(200)
  })

  /** Ends the first worker, and waits until another has taken its place. */
  async function replaceWorker(gate: GateProcess) {
    const before = linesOf(gate).filter(({ msg }) => msg === 'Sidegate is running').length
    process.kill(processOf(gate, 0), 'SIGKILL')
    await vi.waitFor(() => {
      const now = linesOf(gate).filter(({ msg }) => msg === 'Sidegate is running').length
      expect(now).toBe(before + 1)
    }, PATIENCE)
  }
  const reloads = (gate: GateProcess, result: 'ok' | 'error', count: number) =>
    vi.waitFor(
      async () => expect(await metric(gate, 'sidegate_config_reloads_total', { result })).toBe(count),
      PATIENCE,
    )

  // holds: replaced-worker-with-other-settings
  it('is replaced by one with the settings of the others, also where the file names others by now', async () => {
    const gate = await startWorkers()
    writeFileSync(
      join(world.folder, 'sidegate.yaml'),
      world
        .settings(upstream.url, 'routes: [{ path: /open, access: public }]\n')
        .concat(`workers: 3\nrevocation: { redis: '${redis.url}', list: other }\nlog: { access: none }\n`)
        .replace('listen: 127.0.0.1:0', 'listen: 127.0.0.1:1'),
    )
    await reloads(gate, 'ok', 2)
    expect(gate.output()).toContain('"settings":["listen","workers","revocation.list","log.access"]')
    await replaceWorker(gate)
    const rule = { kind: 'subject', value: 'mallory', issuedBefore: 'now' }
    expect((await admin(gate, '/revocations', { method: 'POST', body: JSON.stringify(rule) })).status).toBe(201)
    const token = world.mint({ sub: 'mallory', iat: Math.floor(Date.now() / 1000) - 5 })
    let round = 0
    await vi.waitFor(async () => {
      round += 1
      const paths = [1, 2, 3, 4].map((index) => `/revoked/${round}/${index}`)
      const reasons = await Promise.all(paths.map(async (path) => reasonOf(await ask(gate, path, token))))
      expect(reasons).toEqual(paths.map(() => 'token_revoked'))
      expect(await workersOf(gate, paths)).toEqual(new Set([2, 3]))
    }, PATIENCE)
    // What can be taken over is in force on both as well
    const open = await Promise.all([1, 2].map(() => ask(gate, '/open', '')))
    expect(open.map(({ status }) => status)).toEqual([200, 200])
    expect(await (await admin(gate, '/readyz')).json()).toMatchObject({ ready: true, checks: { settings: 'ok' } })
    expect(await metric(gate, 'sidegate_workers_with_other_settings')).toBe(0)
  })

  it('is replaced by the last good settings where the file is wrong by now, and the gate stays ready', async () => {
    const gate = await startWorkers('routes: [{ path: /open, access: public }]\n')
    const jwks = join(world.folder, 'jwks.json')
    writeFileSync(jwks, 'no keys')
    await reloads(gate, 'error', 2)
    writeFileSync(join(world.folder, 'sidegate.yaml'), 'nonsense: true\n')
    await reloads(gate, 'error', 4)
    const looks: number[] = []
    let isOver = false
    const watching = (async () => {
      while (!isOver) looks.push((await admin(gate, '/readyz')).status)
    })()
    await replaceWorker(gate)
    await vi.waitFor(async () => expect(await metric(gate, 'sidegate_workers')).toBe(2), PATIENCE)
    isOver = true
    await watching
    expect(new Set(looks)).toEqual(new Set([200]))
    const paths = [1, 2, 3, 4].map((index) => `/still/${index}`)
    const served = await Promise.all(paths.map((path) => ask(gate, path, world.mint())))
    expect(served.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await workersOf(gate, paths)).toEqual(new Set([2, 3]))
    expect(await metric(gate, 'sidegate_worker_restarts_total')).toBe(1)
  })
})

describe('a start', () => {
  it('that cannot be says why once, and ends with 1', async () => {
    const file = settingsFile(`tokens: { maxBytes: 8000 }\n`)
    const { exitCode, output } = await finishProcess([
      'run',
      '--config',
      file,
      '--listen',
      upstream.url.host,
      '--upstream',
      'http://127.0.0.1:3',
    ])
    expect(exitCode).toBe(1)
    const told = output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
    expect(told).toEqual([`Cannot listen on "${upstream.url.host}": another process does already; change "listen"`])
  })

  it('is refused where a revocation would reach one worker alone', async () => {
    const path = join(world.folder, 'alone.yaml')
    writeFileSync(path, world.settings(upstream.url, 'workers: 2\n'))
    const { exitCode, output } = await finishProcess(['run', '--config', path])
    expect(exitCode).toBe(1)
    expect(output).toContain(
      'workers: Cannot use several workers: without Redis a revocation reaches the one that is told',
    )
  })
})

const workersOf = async (gate: GateProcess, paths: readonly string[]) =>
  new Set(await Promise.all(paths.map((path) => workerOf(gate, path))))

/** Sends one request after another over one connection, and counts those that fail. */
async function openConnection(gate: GateProcess, index: number, token: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let failed = 0
  let isOver = false
  const once = (path: string) =>
    new Promise<boolean>((resolve) => {
      const headers = { authorization: `Bearer ${token}` }
      get({ port: gate.port, path, agent, headers }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode === 200))
      }).once('error', () => resolve(false))
    })
  const path = `/connection/${index}`
  expect(await once(path)).toBe(true)
  const sendAll = async () => {
    // A connection that has failed is not opened again: the next one would be another worker's
    while (!isOver && failed === 0) if (!(await once('/load'))) failed += 1
    agent.destroy()
  }
  return {
    worker: await workerOf(gate, path),
    ended: sendAll(),
    failures: () => failed,
    stop: () => {
      isOver = true
    },
  }
}
