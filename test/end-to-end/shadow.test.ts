// Shadow mode: what would be refused is forwarded, with a verdict for the operator and nothing else. It must not break what
// worked before, and nobody may come out of it as somebody.
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { exchangeRaw, statuses } from '../support/raw-client.ts'
import { goodClaims, makeKey, signToken } from '../support/tokens.ts'

let world: World
let app: Awaited<ReturnType<typeof startApp>>
let gate: Gateway
/** The header lines of each request that reached the app. */
const seen: Record<string, unknown>[] = []

beforeEach(async () => {
  world = createWorld()
  seen.length = 0
  app = await startApp((req, res) => {
    seen.push(req.headers)
    if (req.url?.startsWith('/events') === true) res.write('data: 1\n\n')
    else res.end('hello')
  })
  gate = await startGateway(settings('shadow'))
})
afterEach(async () => {
  await stopGateways()
  app.server.closeAllConnections()
  await app.close()
  world.remove()
})

const settings = (mode: string) =>
  world.settings(
    app.url,
    `mode: ${mode}
routes: [{ path: /admin/*, scopes: [admin] }]
tokens: { sources: [{ header: authorization }, { cookie: session }], maxBytes: 2048 }
limits: { bodyBytes: 1000, drainTimeout: 0s }
refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()} }
`,
  )
const nowSeconds = () => Math.floor(Date.now() / 1000)
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const shadowLines = () => gate.lines.filter(({ decision }) => decision === 'shadow')

async function revoke(kind: string, value: string): Promise<void> {
  const body = JSON.stringify({ kind, value })
  const response = await gate.admin('/revocations', { method: 'POST', headers: bearer(ADMIN_TOKEN), body })
  expect(response.status).toBe(201)
}

interface Refused {
  readonly path?: string
  readonly headers?: () => Record<string, string>
}

/** Everything that the gate refuses for itself, by its reason. */
const refused: Record<string, Refused> = {
  token_missing: {},
  token_malformed: { headers: () => bearer('nonsense') },
  token_too_large: { headers: () => bearer(world.due({ note: 'x'.repeat(2048) })) },
  token_multiple: { headers: () => ({ ...bearer(world.due()), cookie: `session=${world.due()}` }) },
  token_expired: { headers: () => bearer(world.due({ exp: nowSeconds() - 30 })) },
  token_not_yet_valid: { headers: () => bearer(world.due({ nbf: nowSeconds() + 20 })) },
  token_revoked: { headers: () => bearer(world.due({ sub: 'mallory' })) },
  signature_invalid: {
    headers: () => {
      const stranger = { ...makeKey(), keyId: world.issuerKey.keyId }
      return bearer(signToken(stranger, goodClaims({ sub: 'root' }, nowSeconds() - 260)))
    },
  },
  issuer_unknown: { headers: () => bearer(world.due({ iss: 'https://evil.example' })) },
  audience_mismatch: { headers: () => bearer(world.due({ aud: 'billing' })) },
  scope_insufficient: { path: '/admin/users', headers: () => bearer(world.due({ scope: 'read' })) },
  path_ambiguous: { path: '/a/..%2fb', headers: () => bearer(world.due()) },
}

describe('what would be refused', () => {
  for (const [reason, { path = '/orders', headers = () => ({}) }] of Object.entries(refused)) {
    it(`is forwarded as nobody, counted and logged: ${reason}`, async () => {
      await revoke('subject', 'mallory')
      const given: Record<string, string> = headers()
      const forged = { 'x-auth-subject': 'root', 'x-refreshed-token': 'forged', 'x-secret': 'geheim' }
      const response = await gate.request(`${path}?q=geheim`, { headers: { ...given, ...forged } })
      expect(response.status).toBe(200)
      expect(await response.text()).toBe('hello')
      expect(nextOf(response)).toBeNull()
      expect(response.headers.getSetCookie()).toEqual([])

      expect(seen).toHaveLength(1)
      expect(Object.keys(seen[0] ?? {}).filter((name) => /^x-auth|refreshed/.test(name))).toEqual([])
      expect(seen[0]).toMatchObject({ 'x-secret': 'geheim' })
      if (given.authorization !== undefined) expect(seen[0]).toMatchObject({ authorization: given.authorization })

      expect(await gate.metric('sidegate_shadow_refusals_total', { reason })).toBe(1)
      expect(await gate.metric('sidegate_shadow_refusals_total')).toBe(1)
      expect(await gate.metric('sidegate_decisions_total', { decision: 'shadow', reason })).toBe(1)
      expect(await gate.metric('sidegate_requests_total', { decision: 'shadow', code: '200' })).toBe(1)
      expect(await gate.metric('sidegate_refresh_total')).toBe(0)

      await expect.poll(shadowLines).toEqual([expect.objectContaining({ reason, status: 200, path })])
      const [line] = shadowLines()
      expect(JSON.stringify(line)).not.toMatch(/geheim|forged|Bearer|eyJ/)
    })
  }

  it('is forwarded where nobody can tell: Redis is away, or the identity provider', async () => {
    const away = settings('shadow').replace(/keys: .*/, "keys: { jwksUri: 'http://127.0.0.1:1/jwks' }")
    const unknown = {
      revocation_stale: `${settings('shadow')}revocation: { redis: 'redis://127.0.0.1:1' }\n`,
      keys_unavailable: away,
    }
    for (const [reason, text] of Object.entries(unknown)) {
      const blind = await startGateway(text)
      const response = await blind.request('/orders', { token: world.due() })
      expect(response.status).toBe(200)
      expect(nextOf(response)).toBeNull()
      expect(await blind.metric('sidegate_shadow_refusals_total', { reason })).toBe(1)
    }
    expect(seen.map((headers) => headers['x-auth-subject'])).toEqual([undefined, undefined])
  })

  it('is what enforcing refuses, by the same reasons', async () => {
    const enforcing = await startGateway(settings('enforce'))
    const body = JSON.stringify({ kind: 'subject', value: 'mallory' })
    await enforcing.admin('/revocations', { method: 'POST', headers: bearer(ADMIN_TOKEN), body })
    for (const [reason, { path = '/orders', headers = () => ({}) }] of Object.entries(refused)) {
      const response = await enforcing.request(path, { headers: headers() })
      expect(await reasonOf(response)).toBe(reason)
      expect(nextOf(response)).toBeNull()
    }
    expect(seen).toEqual([])
  })
})

it('what is admitted is admitted as ever: with its identity and the next token', async () => {
  const response = await gate.request('/orders', { headers: bearer(world.due({ scope: 'read' })) })
  expect(nextOf(response)).toMatch(/^ey/)
  expect(seen).toMatchObject([{ 'x-auth-subject': 'alice', 'x-auth-scope': 'read', 'x-auth-issuer': ISSUER }])
  expect(await gate.metric('sidegate_decisions_total', { decision: 'permit' })).toBe(1)
  expect(shadowLines()).toEqual([])
})

describe('what can be read in two ways, or has no end, is refused even then', () => {
  const messages: Record<string, readonly [status: number, request: string]> = {
    'two framings': [
      400,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    'an identity header named by Connection': [400, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: x-auth-subject\r\n\r\n'],
    'more headers than the limit': [431, `GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(200)}\r\n`],
    'a body that says that it is too long': [413, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n`],
  }
  for (const [sentence, [status, request]] of Object.entries(messages)) {
    it(sentence, async () => {
      expect(statuses(await exchangeRaw(gate.port, request))).toEqual([status])
      expect(seen).toEqual([])
      expect(await gate.metric('sidegate_shadow_refusals_total')).toBe(0)
    })
  }
})

describe('connections that stay open', () => {
  const open = async (headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/live`, { headers })
    const [response] = (await once(socket, 'upgrade')) as [{ headers: Record<string, string> }]
    return { socket, answered: response.headers }
  }

  it('a tunnel is opened for who would be refused, as nobody, counted and logged', async () => {
    const sockets = new WebSocketServer({ server: app.server })
    const requests: Record<string, unknown>[] = []
    sockets.on('connection', (socket, { headers }) => {
      requests.push(headers)
      socket.on('message', (data) => socket.send(data.toString()))
    })
    for (const headers of [{}, bearer(world.due({ exp: nowSeconds() - 30 }))]) {
      const { socket, answered } = await open({ ...headers, 'x-auth-subject': 'root' })
      expect(answered['x-refreshed-token']).toBeUndefined()
      const echoed = once(socket, 'message')
      socket.send('hello')
      expect(String((await echoed)[0])).toBe('hello')
      socket.terminate()
    }
    expect(requests.map((headers) => headers['x-auth-subject'])).toEqual([undefined, undefined])
    for (const reason of ['token_missing', 'token_expired'])
      await eventually(async () => expect(await gate.metric('sidegate_shadow_refusals_total', { reason })).toBe(1))
    expect(shadowLines().map(({ status }) => status)).toEqual([101, 101])
    sockets.close()
  })

  it('are not ended by a revocation; enforcing ends those whose token is known', async () => {
    const sockets = new WebSocketServer({ server: app.server })
    const token = world.mint({ sid: 'open' })
    const stream = await gate.request('/events', { token })
    const { socket } = await open(bearer(token))
    const closed = once(socket, 'close')
    const cut = expect(stream.text()).rejects.toThrow()
    await revoke('session', 'open')
    // The look at the open connections that the revocation brought about has been: both are counted, and both are open
    await eventually(async () => expect(await gate.metric('sidegate_guarded_connections', { type: 'stream' })).toBe(1))
    expect(socket.readyState).toBe(WebSocket.OPEN)
    expect(await gate.metric('sidegate_guarded_connections_ended_total')).toBe(0)

    await gate.reload(settings('enforce'))
    expect((await closed)[0]).toBe(1008)
    await cut
    sockets.close()
  })
})
