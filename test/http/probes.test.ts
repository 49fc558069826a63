// Probes and the shape of the admin port, on a running gate.
import { createServer, type Server } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createWorld, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { listen } from '../support/listen.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'
import { startRedis } from '../support/redis.ts'
import { jwksOf } from '../support/tokens.ts'

let world: World
const nowhere = new URL('http://127.0.0.1:1')
beforeAll(() => {
  world = createWorld()
})
afterEach(stopGateways)
afterAll(() => world.remove())

// holds: dependencies-come-late
test('a gate whose app is away is alive and ready: the probes are about the gate', async () => {
  const gate = await startGateway(world.settings(nowhere))
  const livez = await gate.admin('/livez')
  expect([livez.status, await livez.text()]).toEqual([200, 'ok\n'])
  const readyz = await gate.admin('/readyz')
  expect(readyz.status).toBe(200)
  expect(await readyz.json()).toEqual({
    ready: true,
    checks: { keys: 'ok', revocations: 'revocation list in memory, 0 rules', draining: 'ok' },
  })
})

// holds: dependencies-come-late
test('a gate whose Redis is away is alive and not ready, and says what is missing', async () => {
  const gate = await startGateway(world.settings(nowhere, `revocation: { redis: 'redis://app:geheim@127.0.0.1:1' }\n`))
  expect((await gate.admin('/livez')).status).toBe(200)
  const readyz = await gate.admin('/readyz')
  expect(readyz.status).toBe(503)
  const text = await readyz.text()
  expect(JSON.parse(text)).toEqual({
    ready: false,
    checks: { keys: 'ok', revocations: expect.stringContaining('not read'), draining: 'ok' },
  })
  expect(text).not.toContain('geheim')
})

test('a gate is ready when the list is read in full', async () => {
  const redis = await startRedis()
  try {
    const gate = await startGateway(world.settings(nowhere, `revocation: { redis: '${redis.url}' }\n`))
    await expect.poll(async () => (await gate.admin('/readyz')).status).toBe(200)
    await stopGateways()
  } finally {
    await redis.stop()
  }
})

// holds: keys-away-at-start
test('a gate whose keys cannot be fetched is not ready and names the issuer; it is once they are there', async () => {
  let answer: string | undefined
  const provider: Server = createServer((_, response) => {
    response.statusCode = answer === undefined ? 500 : 200
    response.end(answer)
  })
  const port = await listen(provider)
  try {
    const settings = world
      .settings(nowhere)
      .replace(/keys: \{.*\}/, `keys: { jwksUri: 'http://127.0.0.1:${port}/jwks' }`)
    const gate = await startGateway(settings)
    const checks = async () => ((await (await gate.admin('/readyz')).json()) as { checks: { keys: string } }).checks
    await expect.poll(async () => (await checks()).keys).toContain('https://id.example.com: Cannot load keys')
    expect((await gate.admin('/readyz')).status).toBe(503)
    expect((await gate.admin('/livez')).status).toBe(200)
    answer = jwksOf(world.issuerKey)
    await expect.poll(async () => (await gate.admin('/readyz')).status, { timeout: 10_000 }).toBe(200)
  } finally {
    provider.close()
    provider.closeAllConnections()
  }
})

test('nothing of this port may be cached, whatever it answers', async () => {
  const gate = await startGateway(world.settings(nowhere))
  for (const path of ['/livez', '/readyz', '/metrics', '/revocations', '/oauth/revoke', '/none'])
    expect((await gate.admin(path)).headers.get('cache-control')).toBe('no-store')
})

test('HEAD answers the headers alone, other methods 405, other paths 404', async () => {
  const gate = await startGateway(world.settings(nowhere))
  const head = await gate.admin('/livez', { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '3', ''])
  for (const path of ['/livez', '/readyz', '/metrics', '/drain']) {
    const post = await gate.admin(path, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  }
  const other = await gate.admin('/')
  expect(other.status).toBe(404)
  expect(other.headers.get('content-type')).toBe('application/problem+json')
  expect(await other.json()).toMatchObject({ status: 404, title: 'Not found' })
})

// holds: own-endpoints-on-data-port
test('the admin port proxies nothing, and the proxy port answers no probe', async () => {
  const gate = await startGateway(world.settings(nowhere))
  expect((await gate.admin('/orders', { headers: { authorization: `Bearer ${world.mint()}` } })).status).toBe(404)
  for (const path of ['/livez', '/readyz', '/drain', '/metrics', '/revocations'])
    expect((await gate.request(path)).status).toBe(401)
})

test('a connection is used again, and what is no HTTP ends it', async () => {
  const gate = await startGateway(world.settings(nowhere))
  const get = 'GET /livez HTTP/1.1\r\nHost: a\r\n'
  const text = await exchangeRaw(gate.adminPort, `${get}\r\n${get}Connection: close\r\n\r\n`)
  expect(statuses(text)).toEqual([200, 200])
  expect(await exchangeRaw(gate.adminPort, 'nonsense\r\n\r\n')).toBe('')
})

test('a target that is no path is answered, and the gate lives on', async () => {
  const gate = await startGateway(world.settings(nowhere))
  const text = await exchangeRaw(gate.adminPort, 'GET http://[/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(statuses(text)).toEqual([400])
  expect((await gate.admin('/livez')).status).toBe(200)
})

test.each([
  '//x/metrics',
  '//metrics',
  '/revocations/../metrics',
  '/revocations/%2e%2e/metrics',
  '/./livez',
  '/livez/',
  '/livez#',
  '/\\metrics',
  '/\\x/metrics',
  '/Metrics',
  '/%6detrics',
  'http://evil/readyz',
  'http://evil/metrics',
  'readyz',
])('only the exact path is answered, not %s', async (target) => {
  const gate = await startGateway(world.settings(nowhere))
  const text = await exchangeRaw(gate.adminPort, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  expect(text === '' || [400, 404].includes(statuses(text)[0] ?? 0)).toBe(true)
})

// holds: flooding-admin-port
test('silent connections and unfinished heads keep no probe out', async () => {
  const gate = await startGateway(world.settings(nowhere))
  const clients = Array.from({ length: 400 }, () => rawClient(gate.adminPort))
  for (const client of clients) client.send(`GET /metrics HTTP/1.1\r\nx: ${'y'.repeat(8_000)}`)
  await Promise.all(clients.slice(0, 100).map((client) => client.closed()))
  expect((await gate.admin('/livez')).status).toBe(200)
  for (const { socket } of clients) socket.destroy()
})

// holds: drain-called-by-anybody
test('/drain closes connections after their next answer, and never changes what the probes say', async () => {
  const app = createServer((_, response) => response.end('done'))
  const origin = await listen(app)
  try {
    const gate = await startGateway(world.settings(new URL(`http://127.0.0.1:${origin}`)))
    const ask = async (token?: string) => {
      const response = await gate.request('/', token === undefined ? {} : { token })
      await response.text()
      return [response.status, response.headers.get('connection')]
    }
    const probes = async () => {
      const [readyz, livez] = await Promise.all([gate.admin('/readyz'), gate.admin('/livez')])
      return [readyz.status, await readyz.json(), livez.status]
    }
    const before = await probes()
    expect(before[0]).toBe(200)
    expect(await ask(world.mint())).toEqual([200, 'keep-alive'])
    for (let time = 0; time < 3; time++) {
      const drain = await gate.admin('/drain')
      expect([drain.status, await drain.text()]).toEqual([200, 'leaving\n'])
      expect(await probes()).toEqual(before)
      expect(await ask(world.mint())).toEqual([200, 'close'])
    }
    expect(await ask()).toEqual([401, 'close'])
    expect(gate.lines.filter(({ msg }) => String(msg).startsWith('Leaving: '))).toHaveLength(1)
  } finally {
    app.close()
    app.closeAllConnections()
  }
})

test('while the gate drains, it is alive and not ready', async () => {
  const app = createServer()
  const origin = await listen(app)
  let answerApp: (() => void) | undefined
  app.on('request', (_, response) => {
    answerApp = () => response.end('done')
  })
  try {
    const gate = await startGateway(world.settings(new URL(`http://127.0.0.1:${origin}`)))
    const open = gate.request('/slow', { token: world.mint() })
    await expect.poll(() => answerApp).toBeDefined()
    const stopped = gate.app.stop()
    const readyz = await gate.admin('/readyz')
    expect(readyz.status).toBe(503)
    expect(await readyz.json()).toMatchObject({ checks: { draining: 'the gate is shutting down' } })
    expect((await gate.admin('/livez')).status).toBe(200)
    answerApp?.()
    expect((await open).status).toBe(200)
    await stopped
    await expect(gate.admin('/livez')).rejects.toThrow()
  } finally {
    app.close()
    app.closeAllConnections()
  }
})
