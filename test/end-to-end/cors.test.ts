// Pages of another origin: their preflights carry no token, and their scripts see a refusal only where it says so.
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { createWorld, type Gateway, reasonOf, startGateway, stopGateways } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'

const PAGE = 'https://app.example.com'
const world = createWorld()
let app: EchoOrigin
let gate: Gateway

beforeAll(async () => {
  app = await startEchoOrigin()
  gate = await startGateway(world.settings(app.url, `cors: { origins: ['${PAGE}'] }\n`))
})

afterAll(async () => {
  await stopGateways()
  await app.close()
  world.remove()
})

const preflight = { origin: PAGE, 'access-control-request-method': 'PUT' }
const exposed = (response: Response) => response.headers.get('access-control-expose-headers')

// holds: cors-preflights
test('a preflight from a known origin reaches the app without a token and without an identity', async () => {
  const headers = { ...preflight, 'x-auth-subject': 'root' }
  const response = await gate.request('/orders', { method: 'OPTIONS', headers })
  expect(response.status).toBe(200)
  const seen = app.seen.at(-1)
  expect(seen).toMatchObject({ method: 'OPTIONS', url: '/orders' })
  expect(seen?.rawHeaders.map((name) => name.toLowerCase())).not.toContain('x-auth-subject')
})

describe('what only looks like a preflight', () => {
  const { origin } = preflight
  const cases: Record<string, readonly [method: string, headers: Record<string, string>]> = {
    // holds: cors-preflights
    'OPTIONS without Access-Control-Request-Method': ['OPTIONS', { origin }],
    'OPTIONS without Origin': ['OPTIONS', { 'access-control-request-method': 'PUT' }],
    'a preflight from another origin': ['OPTIONS', { ...preflight, origin: 'https://app.example.com.evil.example' }],
    'a preflight from the opaque origin': ['OPTIONS', { ...preflight, origin: 'null' }],
    'the same headers on a GET': ['GET', preflight],
    'the same headers on a POST': ['POST', preflight],
    'a value that looks like the name of a header': ['OPTIONS', { origin, a: 'access-control-request-method' }],
  }
  for (const [what, [method, headers]] of Object.entries(cases)) {
    it(`needs a token like any other request: ${what}`, async () => {
      const before = app.seen.length
      expect(await reasonOf(await gate.request('/orders', { method, headers }))).toBe('token_missing')
      expect(app.seen.length).toBe(before)
    })
  }
})

test('a preflight for a path that can be read in two ways is refused', async () => {
  const response = await gate.request('/public%2f..%2forders', { method: 'OPTIONS', headers: preflight })
  expect(await reasonOf(response)).toBe('path_ambiguous')
})

test('a page of a known origin can read a refusal and its challenge, one of another origin cannot', async () => {
  const known = await gate.request('/orders', { headers: { origin: PAGE } })
  expect(known.status).toBe(401)
  expect(known.headers.get('access-control-allow-origin')).toBe(PAGE)
  expect(known.headers.get('access-control-allow-credentials')).toBe('true')
  expect(exposed(known)).toBe('www-authenticate, retry-after')
  for (const origin of ['https://other.example.com', 'null', `${PAGE}, ${PAGE}`]) {
    const other = await gate.request('/orders', { headers: { origin } })
    expect(other.status, origin).toBe(401)
    expect(other.headers.get('access-control-allow-origin'), origin).toBeNull()
  }
})

test('an admitted request gets the headers of the app alone', async () => {
  const response = await gate.request('/orders', { token: world.mint(), headers: { origin: PAGE } })
  expect(response.status).toBe(200)
  expect(response.headers.get('access-control-allow-origin')).toBeNull()
})

test('a page of a known origin can read that the app is away', async () => {
  const away = new URL('http://127.0.0.1:1')
  const lonely = await startGateway(world.settings(away, `cors: { origins: ['${PAGE}'] }\n`))
  const response = await lonely.request('/orders', { token: world.mint(), headers: { origin: PAGE } })
  expect(response.status).toBe(502)
  expect(response.headers.get('access-control-allow-origin')).toBe(PAGE)
})

test('the origins follow a reload, and without them there is no preflight', async () => {
  await gate.reload(world.settings(app.url))
  expect(await reasonOf(await gate.request('/orders', { method: 'OPTIONS', headers: preflight }))).toBe('token_missing')
  await gate.reload(world.settings(app.url, `cors: { origins: ['${PAGE}'] }\n`))
  expect((await gate.request('/orders', { method: 'OPTIONS', headers: preflight })).status).toBe(200)
})
