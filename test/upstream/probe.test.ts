// The probes of the app over the admin port of a running gate, and the questions that reach the app.
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createRawServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createAppProbe } from '../../src/upstream/probe.ts'
import { makeCertificates } from '../support/certificates.ts'
import { createWorld, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { freePort, listen } from '../support/listen.ts'

let world: World
let app: Server
let port: number
/** What reached the app. */
const asked: string[] = []

beforeAll(async () => {
  world = createWorld()
  app = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['x-probe'] ?? ''}`.trim())
    if (request.url === '/silent') return
    const status = Number(request.url?.slice(1)) || 200
    response.writeHead(status, status === 302 ? { location: '/500' } : {})
    response.end('what the app says is its own affair')
  })
  port = await listen(app)
})
afterEach(stopGateways)
afterAll(() => {
  world.remove()
  app.closeAllConnections()
  app.close()
})

const settings = (probes: string) =>
  world.settings(new URL(`http://127.0.0.1:${port}`)).replace('admin: {', `admin: { appProbes: ${probes},`)
const base = () => `http://127.0.0.1:${port}`

describe('over the admin port', () => {
  test.each([
    [200, 200],
    [204, 200],
    [302, 200],
    [400, 503],
    [404, 503],
    [500, 503],
  ])('an app that answers %i is answered for with %i, without its body', async (status, expected) => {
    const gate = await startGateway(settings(`{ app: { readiness: '${base()}/${status}' } }`))
    const answer = await gate.admin('/app-probe/app/readiness')
    expect([answer.status, await answer.text()]).toEqual([expected, `The app answered ${status}\n`])
  })

  test('a redirect is not followed', async () => {
    const gate = await startGateway(settings(`{ app: { liveness: '${base()}/302' } }`))
    asked.length = 0
    await gate.admin('/app-probe/app/liveness')
    expect(asked).toEqual(['GET /302'])
  })

  test('the headers of the settings reach the app, those of the request do not', async () => {
    const target = `{ url: '${base()}/200', headers: { X-Probe: from-the-settings } }`
    const gate = await startGateway(settings(`{ app: { startup: ${target} } }`))
    asked.length = 0
    await gate.admin('/app-probe/app/startup?path=/admin', { headers: { 'x-probe': 'from outside' } })
    expect(asked).toEqual(['GET /200 from-the-settings'])
  })

  test('what the settings do not name is not asked', async () => {
    const gate = await startGateway(settings(`{ app: { readiness: '${base()}/200' } }`))
    asked.length = 0
    for (const path of [
      'app/liveness',
      'other/readiness',
      'app',
      'app/readiness/',
      'app/readiness/x',
      '__proto__/readiness',
      'app/constructor',
      'constructor/name',
      `http:%2f%2f127.0.0.1:${port}/readiness`,
    ])
      expect((await gate.admin(`/app-probe/${path}`)).status, path).toBe(404)
    expect((await gate.admin('/app-probe/app/readiness', { method: 'POST' })).status).toBe(405)
    expect(asked).toEqual([])
  })

  test('new settings count at once', async () => {
    const gate = await startGateway(settings(`{ app: { readiness: '${base()}/500' } }`))
    expect((await gate.admin('/app-probe/app/readiness')).status).toBe(503)
    await gate.reload(settings(`{ app: { readiness: '${base()}/200' } }`))
    expect((await gate.admin('/app-probe/app/readiness')).status).toBe(200)
  })
})

describe('the app', () => {
  test('that does not listen is not well, and the answer says so', async () => {
    const gone = await freePort()
    for (const target of [`http://127.0.0.1:${gone}/`, `tcp://127.0.0.1:${gone}`]) {
      const answer = await createAppProbe({ probes: () => ({ app: { liveness: target } }) })('/app-probe/app/liveness')
      expect(answer).toMatchObject({ status: 503, body: 'The app did not answer: nothing listens there\n' })
    }
  })

  test('that takes connections is well where a connection is asked for', async () => {
    const probe = createAppProbe({ probes: () => ({ app: { liveness: `tcp://localhost:${port}` } }) })
    expect(await probe('/app-probe/app/liveness')).toMatchObject({ status: 200 })
  })

  test('that says nothing is given up on', async () => {
    const probe = createAppProbe({ probes: () => ({ app: { liveness: `${base()}/silent` } }), timeoutMs: 50 })
    expect(await probe('/app-probe/app/liveness')).toMatchObject({
      status: 503,
      body: 'The app did not answer: it took too long\n',
    })
  })

  test.each([
    ['that switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['that speaks something else', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['whose head does not end', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`],
    ['that closes the connection', ''],
  ])('%s is not well', async (_name, bytes) => {
    const odd = createRawServer((socket) => socket.on('error', () => {}).end(bytes))
    const oddPort = await listen(odd)
    const probe = createAppProbe({ probes: () => ({ app: { liveness: `http://127.0.0.1:${oddPort}/` } }) })
    expect(await probe('/app-probe/app/liveness')).toMatchObject({ status: 503 })
    odd.close()
  })

  test('that says early hints first is judged by its answer', async () => {
    const slow = createServer((_request, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' })
      response.writeHead(503).end()
    })
    const probe = createAppProbe({
      probes: () => ({ app: { liveness: `http://127.0.0.1:${slowPort}/` } }),
    })
    const slowPort = await listen(slow)
    expect(await probe('/app-probe/app/liveness')).toMatchObject({ body: 'The app answered 503\n' })
    slow.close()
  })

  test('is asked once however many ask at the same time', async () => {
    const probe = createAppProbe({ probes: () => ({ app: { liveness: `${base()}/200` } }) })
    asked.length = 0
    const answers = await Promise.all(Array.from({ length: 50 }, () => probe('/app-probe/app/liveness')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(asked).toHaveLength(1)
  })

  test('may speak https with a certificate that nobody vouches for', async () => {
    const certificates = makeCertificates()
    const secure = createSecureServer(
      { cert: certificates.certificate, key: certificates.privateKey },
      (_request, response) => response.end(),
    )
    const securePort = await listen(secure)
    try {
      const probe = createAppProbe({ probes: () => ({ app: { liveness: `https://127.0.0.1:${securePort}/` } }) })
      expect(await probe('/app-probe/app/liveness')).toMatchObject({ status: 200 })
    } finally {
      secure.close()
      certificates.remove()
    }
  })
})
