// The next token, as a client gets it: on every answer of the app, never on a refusal, and no further than its session.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { claimsOf } from '../support/tokens.ts'

let world: World
let upstream: Awaited<ReturnType<typeof startApp>>
let gate: Gateway

beforeEach(async () => {
  world = createWorld()
  upstream = await startApp((req, res) => {
    const status = Number(/^\/status\/(\d+)/.exec(req.url ?? '')?.[1] ?? 200)
    if (req.url === '/cached') res.setHeader('cache-control', 'public, max-age=600')
    if (req.url === '/cors') res.setHeader('access-control-allow-origin', 'https://app.example.com')
    if (req.url === '/own') res.setHeader('x-refreshed-token', 'made-up-by-the-app')
    res.setHeader('x-seen-refresh-header', String(req.headers['x-refreshed-token']))
    res.writeHead(status)
    if (req.url === '/events') res.write('data: 1\n\n')
    else res.end()
  })
  gate = await startGateway(settings())
})

afterEach(async () => {
  await stopGateways()
  upstream.server.closeAllConnections()
  await upstream.close()
  world.remove()
})

function settings(more = ''): string {
  const key = world.signingKey('k1')
  return world.settings(
    upstream.url,
    `tokens: { sources: [{ header: authorization }, { cookie: session }] }\nrefresh:\n  window: 60s\n  lifetime: 2m\n  key: ${key}\n${more}limits: { drainTimeout: 0s }\n`,
  )
}

const nowSeconds = () => Math.floor(Date.now() / 1000)

describe('the refresh', () => {
  for (const status of [200, 201, 204, 301, 304, 400, 404, 500, 503]) {
    it(`comes with a ${status} of the app`, async () => {
      const token = world.due()
      const response = await gate.request(`/status/${status}`, { token })
      expect(response.status).toBe(status)
      expect(claimsOf(nextOf(response))).toMatchObject({ sub: 'alice', exp: Number(claimsOf(token).exp) + 60 })
      expect(response.headers.get('cache-control')).toContain('no-store')
    })
  }

  it('comes with a HEAD, and with a stream before its first byte', async () => {
    expect(nextOf(await gate.request('/', { method: 'HEAD', token: world.due() }))).toBeTruthy()
    const stream = await gate.request('/events', { token: world.due() })
    expect(nextOf(stream)).toBeTruthy()
    await stream.body?.cancel()
  })

  // holds: next-token-before-its-time
  it('does not come before the window, nor with a refusal of our own', async () => {
    expect(nextOf(await gate.request('/', { token: world.mint({ exp: nowSeconds() + 100 }) }))).toBeNull()
    expect(nextOf(await gate.request('/a//b', { token: world.due() }))).toBeNull()
    expect(nextOf(await gate.request('/', { token: world.due({ exp: nowSeconds() - 60 }) }))).toBeNull()
  })

  it('gives a token that every gate of the fleet admits, and that is the same on each', async () => {
    const other = await startGateway(settings())
    const token = world.due()
    const [one, two] = [nextOf(await gate.request('/', { token })), nextOf(await other.request('/', { token }))]
    expect(one).toBe(two)
    expect((await other.request('/', { token: one ?? '' })).status).toBe(200)
  })

  // holds: next-token-in-cache
  it('turns an answer that could be cached into one that may not', async () => {
    const response = await gate.request('/cached', { token: world.due() })
    expect(response.headers.get('cache-control')).toContain('no-store')
    expect(response.headers.get('cache-control')).not.toContain('public')
    const early = await gate.request('/cached', { token: world.mint() })
    expect(early.headers.get('cache-control')).toBe('public, max-age=600')
  })

  // holds: next-token-hidden-from-pages
  it('is exposed to a page of another origin, where the app allows one', async () => {
    const response = await gate.request('/cors', { token: world.due() })
    expect(response.headers.get('access-control-expose-headers')).toContain('x-refreshed-token')
    expect((await gate.request('/', { token: world.due() })).headers.get('access-control-expose-headers')).toBeNull()
  })

  // holds: next-token-header-forged
  it('lets nobody else use its header: not the app, not the client', async () => {
    expect(nextOf(await gate.request('/own', { token: world.mint() }))).toBeNull()
    const response = await gate.request('/', {
      token: world.mint(),
      headers: { 'x-refreshed-token': 'from-the-client' },
    })
    expect(response.headers.get('x-seen-refresh-header')).toBe('undefined')
  })

  it('renews a cookie where the token came in one', async () => {
    const response = await gate.request('/', { headers: { cookie: `session=${world.due()}` } })
    const [line = ''] = response.headers.getSetCookie()
    expect(line).toMatch(/^session=ey[^;]+; Path=\/; Max-Age=(88|89|90); HttpOnly; Secure; SameSite=Lax$/)
    expect(nextOf(response)).toBeNull()
    const again = await gate.request('/', { headers: { cookie: line.split(';')[0] ?? '' } })
    expect(again.status).toBe(200)
  })

  // holds: next-token-before-its-time
  it('comes with the 101 of an upgrade', async () => {
    const sockets = new WebSocketServer({ server: upstream.server })
    const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/`, {
      headers: { authorization: `Bearer ${world.due()}` },
    })
    const [response] = await new Promise<[{ headers: Record<string, string> }]>((resolve, reject) => {
      socket.once('upgrade', (...given: unknown[]) => resolve(given as [{ headers: Record<string, string> }]))
      socket.once('error', reject)
    })
    expect(claimsOf(response.headers['x-refreshed-token'] ?? null)).toMatchObject({ sub: 'alice' })
    socket.terminate()
    sockets.close()
  })

  it('ends with the session: the last token is shorter, and then there is none', async () => {
    await gate.reload(settings('  maxSession: 150s\n'))
    const beganSeconds = nowSeconds() - 90
    const first = world.mint({ iat: beganSeconds, exp: beganSeconds + 120 })
    const last = nextOf(await gate.request('/', { token: first }))
    expect(claimsOf(last)).toMatchObject({ exp: beganSeconds + 150, session_start: beganSeconds })
    const response = await gate.request('/', { token: last ?? '' })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
    expect(await gate.metric('sidegate_refresh_total', { result: 'session_over' })).toBe(1)
    expect(await gate.metric('sidegate_refresh_total', { result: 'issued' })).toBe(1)
  })

  // holds: revoked-while-refreshed
  it('does not outlive a revocation of the session: every successor ends with it', async () => {
    const successor = nextOf(await gate.request('/', { token: world.due({ jti: 'first' }) })) ?? ''
    expect(claimsOf(successor).sid).toBe('first')
    const body = JSON.stringify({ kind: 'session', value: 'first' })
    await gate.admin('/revocations', { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body })
    expect(await reasonOf(await gate.request('/', { token: successor }))).toBe('token_revoked')
  })

  it('takes a changed signing key at once, for what it signs and for what it verifies', async () => {
    const successor = nextOf(await gate.request('/', { token: world.due() })) ?? ''
    const { makeKey, privatePem } = await import('../support/tokens.ts')
    writeFileSync(join(world.folder, 'signing.pem'), privatePem(makeKey('EdDSA')))
    await gate.reload(settings())
    expect(await reasonOf(await gate.request('/', { token: successor }))).toBe('signature_invalid')
  })
})

describe('a connection that stays open', () => {
  it('ends with its token when that is revoked: a stream is cut, a WebSocket is closed with 1008', async () => {
    const sockets = new WebSocketServer({ server: upstream.server })
    const token = world.mint({ sid: 'open' })
    const stream = await gate.request('/events', { token })
    const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/`, { headers: { authorization: `Bearer ${token}` } })
    await new Promise((resolve) => socket.once('open', resolve))
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    const cut = expect(stream.text()).rejects.toThrow()
    await eventually(async () =>
      expect(await gate.metric('sidegate_guarded_connections', { type: 'websocket' })).toBe(1),
    )
    const body = JSON.stringify({ kind: 'session', value: 'open' })
    await gate.admin('/revocations', { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body })
    expect(await closed).toBe(1008)
    await cut
    expect(await gate.metric('sidegate_guarded_connections_ended_total', { reason: 'token_revoked' })).toBe(2)
    sockets.close()
  })
})
