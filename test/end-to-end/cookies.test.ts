// Tokens in cookies, through a whole gate: which one counts, what the app gets, what the browser is told, and who may ask.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { claimsOf } from '../support/tokens.ts'

let world: World
let app: EchoOrigin
beforeEach(async () => {
  world = createWorld()
  app = await startEchoOrigin()
})
afterEach(async () => {
  await stopGateways()
  await app.close()
  world.remove()
})

const SOURCES = 'tokens: { sources: [{ header: authorization }, { cookie: session }] }'
const start = (more = '') => startGateway(world.settings(app.url, `${SOURCES}\n${more}\n`))
const refresh = (more = '') => `refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()}${more} }`
const cookiesSeen = () =>
  app.seen.at(-1)?.rawHeaders.flatMap((name, at, all) => (/^cookie$/i.test(name) ? all[at + 1] : []))
const nowSeconds = () => Math.floor(Date.now() / 1000)

it('by default no cookie is a token, so an app may have one called session', async () => {
  const gate = await startGateway(world.settings(app.url))
  const cookie = 'session=eyJ1c2VyIjoxfQ.Zxcvbn.c2ln'
  expect(await reasonOf(await gate.request('/', { headers: { cookie } }))).toBe('token_missing')
  expect((await gate.request('/', { token: world.mint(), headers: { cookie } })).status).toBe(200)
  expect(cookiesSeen()).toEqual([cookie])
})

describe('several cookies of the name', () => {
  it('of one person: the newest counts, and the app gets it alone', async () => {
    const gate = await start()
    const [old, young] = [world.mint({ iat: nowSeconds() - 100 }), world.mint({ iat: nowSeconds() - 10 })]
    for (const cookie of [`a=1; session=${old}; session=${young}`, `a=1; session=${young}; session=${old}`]) {
      expect((await gate.request('/', { headers: { cookie } })).status).toBe(200)
      expect(cookiesSeen()).toEqual([`a=1; session=${young}`])
    }
  })

  // holds: second-cookie-of-name
  it('of one person: a revoked newest one is refused, and no older one takes its place', async () => {
    const gate = await start()
    const [old, young] = [
      world.mint({ iat: nowSeconds() - 100 }),
      world.mint({ iat: nowSeconds() - 10, jti: 'stolen' }),
    ]
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    await gate.admin('/revocations', { method: 'POST', headers, body: '{"kind":"token","value":"stolen"}' })
    const response = await gate.request('/', { headers: { cookie: `session=${old}; session=${young}` } })
    expect(await reasonOf(response)).toBe('token_revoked')
  })

  it('of two people: refused, and taken from the browser for this host and for the domain', async () => {
    const gate = await start(refresh(', cookie: { domain: example.com }'))
    const cookie = `session=${world.mint({ sub: 'alice' })}; session=${world.mint({ sub: 'mallory' })}`
    const response = await gate.request('/', { headers: { cookie } })
    expect(response.status).toBe(400)
    expect(response.headers.getSetCookie()).toEqual([
      'session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax',
      'session=; Path=/; Max-Age=0; Domain=example.com; HttpOnly; Secure; SameSite=Lax',
    ])
    expect(app.seen).toEqual([])
  })

  it('of which one is no token: the app gets the judged one alone', async () => {
    const gate = await start()
    const token = world.mint()
    for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
      const cookie = `a=1; session=admin:opaque; session=${token}`
      expect((await gate.request('/', { headers: { cookie, ...headers } })).status).toBe(200)
      expect(cookiesSeen()).toEqual([`a=1; session=${token}`])
    }
  })

  it('of one person, in shadow mode: cross as they came', async () => {
    const gate = await start('mode: shadow')
    const cookie = `session=${world.mint({ iat: nowSeconds() - 100 })}; session=${world.mint()}`
    expect((await gate.request('/', { headers: { cookie } })).status).toBe(200)
    expect(cookiesSeen()).toEqual([cookie])
  })

  it('on a public path and in shadow mode cross as they came', async () => {
    const cookie = `session=${world.mint({ sub: 'alice' })}; session=${world.mint({ sub: 'mallory' })}`
    const gate = await start('routes: [{ path: /open, access: public }]')
    await gate.request('/open', { headers: { cookie } })
    expect(cookiesSeen()).toEqual([cookie])
    const shadow = await start('mode: shadow')
    expect((await shadow.request('/', { headers: { cookie } })).status).toBe(200)
    expect(cookiesSeen()).toEqual([cookie])
  })
})

describe('the next token', () => {
  it('of a cookie goes into the cookie alone, where no script reads it', async () => {
    const gate = await start(`${refresh()}\ncors: { origins: ["https://partner.example.com"] }`)
    const headers = { cookie: `session=${world.due()}`, origin: 'https://partner.example.com' }
    const response = await gate.request('/', { headers })
    expect(response.headers.get('x-refreshed-token')).toBeNull()
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^session=ey.*HttpOnly/)])
  })

  it('of a cookie goes into the header as well where the settings ask for it', async () => {
    const gate = await start(refresh(', cookie: { header: true }'))
    const response = await gate.request('/', { headers: { cookie: `session=${world.due()}` } })
    expect(claimsOf(response.headers.get('x-refreshed-token') ?? '')).toMatchObject({ sub: 'alice' })
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it('of one that is in the header and, equal, in the cookie goes into both', async () => {
    const gate = await start(refresh())
    const token = world.due()
    const response = await gate.request('/', { token, headers: { cookie: `session=${token}` } })
    expect(response.headers.get('x-refreshed-token')).toMatch(/^ey/)
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })
})

describe('a WebSocket with a token in a cookie', () => {
  const opened = (port: number, headers: Record<string, string>) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers })
      socket.once('upgrade', ({ statusCode }) => resolve(statusCode ?? 0))
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0))
      socket.on('error', () => {})
      socket.once('open', () => socket.terminate())
    })

  // holds: websocket-from-another-origin
  it('opens for a page of this host and of a known origin, and for no other', async () => {
    const sockets = new WebSocketServer({ server: app.server })
    const gate = await start('cors: { origins: ["https://partner.example.com"] }')
    const cookie = `session=${world.mint()}`
    const host = 'shop.example.com'
    for (const [status, origin, more] of [
      [101, 'https://shop.example.com', {}],
      [101, 'http://SHOP.example.com:80', {}],
      [101, 'https://partner.example.com', {}],
      [403, 'https://evil.example.com', {}],
      [403, 'https://shop.example.com:8443', {}],
      [403, 'https://shop.example.com.evil.com', {}],
      [403, 'http://partner.example.com', {}],
      [403, 'null', {}],
      [403, 'https://evil.example.com', { 'x-forwarded-host': 'evil.example.com' }],
    ] as const)
      expect(await opened(gate.port, { cookie, host, origin, ...more }), origin).toBe(status)
    expect(await opened(gate.port, { cookie, host })).toBe(101)
    const authorization = `Bearer ${world.mint()}`
    expect(await opened(gate.port, { authorization, host, origin: 'https://evil.example.com' })).toBe(101)
    sockets.close()
  })

  // holds: websocket-from-another-origin
  it('is of the host that a trusted proxy names, in the headers that the app gets it from', async () => {
    const sockets = new WebSocketServer({ server: app.server })
    const gate = await start('forward: { trustedProxies: [127.0.0.0/8] }')
    const headers = { cookie: `session=${world.mint()}`, host: 'orders.svc' }
    const shop = 'https://shop.example.com'
    for (const [status, origin, more] of [
      [101, shop, { 'x-forwarded-host': 'shop.example.com' }],
      [101, shop, { 'x-forwarded-host': 'shop.example.com, ingress.svc' }],
      [101, shop, { forwarded: 'for=192.0.2.1;host=shop.example.com;proto=https, for=10.0.0.1;host=ingress.svc' }],
      [101, `${shop}:8443`, { forwarded: 'host="shop.example.com:8443"' }],
      [101, shop, { 'x-forwarded-host': 'shop.example.com', forwarded: 'host=other.example.com' }],
      [101, shop, { 'x-forwarded-host': 'not a host', forwarded: 'host=shop.example.com' }],
      [101, 'https://orders.svc', { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1;proto=https' }],
      [403, 'https://orders.svc', { 'x-forwarded-host': 'shop.example.com' }],
      [403, 'https://orders.svc', { forwarded: 'host=shop.example.com' }],
      [403, 'https://ingress.svc', { forwarded: 'host=shop.example.com, host=ingress.svc' }],
      [
        403,
        'https://other.example.com',
        { 'x-forwarded-host': 'shop.example.com', forwarded: 'host=other.example.com' },
      ],
      [403, shop, { forwarded: 'host=shop.example.com;host=other.example.com' }],
      [403, shop, { forwarded: 'host="shop.example.com' }],
      [403, shop, {}],
    ] as const)
      expect(await opened(gate.port, { ...headers, ...more, origin }), `${origin} ${JSON.stringify(more)}`).toBe(status)
    sockets.close()
  })

  it('is of the Host where the peer is no trusted proxy, whatever it says in Forwarded', async () => {
    const gate = await start()
    const headers = { cookie: `session=${world.mint()}`, host: 'shop.example.com', origin: 'https://evil.example.com' }
    expect(await opened(gate.port, { ...headers, forwarded: 'host=evil.example.com' })).toBe(403)
  })
})

describe('a method that changes something, with a token in a cookie', () => {
  const post = async (gate: Gateway, headers: Record<string, string>) =>
    (await gate.request('/', { method: 'POST', headers: { cookie: `session=${world.mint()}`, ...headers } })).status

  it('passes from any origin by default', async () => {
    expect(await post(await start(), { origin: 'https://evil.example.com' })).toBe(200)
  })

  it('with "crossSite: refuse" passes from this host alone; other methods and other places of the token are not asked', async () => {
    const gate = await startGateway(
      world.settings(
        app.url,
        'tokens: { sources: [{ header: authorization }, { cookie: session }], crossSite: refuse }\n',
      ),
    )
    const foreign = { origin: 'https://evil.example.com' }
    expect(await post(gate, foreign)).toBe(403)
    expect(await post(gate, { origin: 'null' })).toBe(403)
    expect(await post(gate, { 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await post(gate, { origin: `http://127.0.0.1:${gate.port}` })).toBe(200)
    expect(await post(gate, {})).toBe(200)
    const token = world.mint()
    expect((await gate.request('/', { headers: { cookie: `session=${token}`, ...foreign } })).status).toBe(200)
    expect((await gate.request('/', { method: 'POST', token, headers: foreign })).status).toBe(200)
  })
})
