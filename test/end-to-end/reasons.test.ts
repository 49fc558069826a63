// Every reason of the table, provoked from outside over real sockets, with the answer that the client gets.
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reason, reasons, refusals } from '../../src/model/refusal.ts'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { startApp, startEchoOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { exchangeRaw, rawClient } from '../support/raw-client.ts'
import { makeKey, signToken } from '../support/tokens.ts'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

let world: World
let gate: Gateway
let upstream: Awaited<ReturnType<typeof startEchoOrigin>>
const cleanup: (() => unknown)[] = []

beforeAll(async () => {
  world = createWorld()
  upstream = await startEchoOrigin()
  gate = await startGateway(
    world.settings(
      upstream.url,
      `    tokenTypes: [at+jwt, JWT]
    requiredClaims: [sub]
    maxLifetime: 1h
tokens: { sources: [{ header: authorization }, { cookie: session }], crossSite: refuse }
routes:
  - { path: /admin/*, scopes: [admin] }
  - { path: /billing/*, claims: { tenant: acme } }
`,
    ),
  )
})

afterAll(async () => {
  for (const done of cleanup) await done()
  await stopGateways()
  await upstream.close()
  world.remove()
})

const nowSeconds = () => Math.floor(Date.now() / 1000)
const typed = { typ: 'JWT' }
const mint = (claims: Record<string, unknown> = {}) => world.mint(claims, typed)

async function withToken(token: string, path = '/orders'): Promise<Answer> {
  return answerOf(await gate.request(path, { token }))
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.text() }
}

async function raw(bytes: string): Promise<Answer> {
  const text = await exchangeRaw(gate.port, bytes)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(': ', 2) as [string, string]))
  return { status: Number(statusLine.split(' ')[1]), headers, body }
}

/** A gate of its own in front of an app of its own. */
async function special(upstreamUrl: URL, more = ''): Promise<Gateway> {
  return startGateway(world.settings(upstreamUrl, `    maxLifetime: 24h\n${more}`))
}

const provoke: Record<Reason, () => Promise<Answer>> = {
  message_invalid: () => raw('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
  path_ambiguous: () => raw('GET /orders/..%2fadmin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
  token_multiple: async () =>
    answerOf(await gate.request('/orders', { token: mint(), headers: { cookie: `session=${mint()}` } })),
  token_too_large: () => withToken('a'.repeat(8193)),
  headers_too_large: () => raw(`GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(120)}\r\n`),
  token_missing: async () => answerOf(await gate.request('/orders')),
  token_malformed: () => withToken('not.a.token'),
  algorithm_not_allowed: () => withToken(world.mint({}, { alg: 'none' })),
  issuer_unknown: () => withToken(mint({ iss: 'https://evil.example.com' })),
  key_unknown: () => withToken(world.mint({}, { ...typed, kid: 'unknown' })),
  signature_invalid: () =>
    withToken(
      signToken(
        { ...makeKey(), keyId: world.issuerKey.keyId },
        { iss: 'https://id.example.com', aud: 'orders', sub: 'a', iat: nowSeconds(), exp: nowSeconds() + 60 },
        typed,
      ),
    ),
  token_expired: () => withToken(mint({ exp: nowSeconds() - 6 })),
  token_not_yet_valid: () => withToken(mint({ nbf: nowSeconds() + 60 })),
  lifetime_too_long: () => withToken(mint({ exp: nowSeconds() + 7200 })),
  audience_mismatch: () => withToken(mint({ aud: 'shipping' })),
  type_mismatch: () => withToken(world.mint({}, { typ: 'secevent+jwt' })),
  claim_missing: () => withToken(mint({ sub: undefined })),
  proof_missing: () => withToken(mint({ cnf: { jkt: 'thumbprint' } })),
  origin_not_allowed: async () => {
    const headers = { cookie: `session=${mint()}`, origin: 'https://evil.example.com' }
    return answerOf(await gate.request('/orders', { method: 'POST', headers }))
  },
  token_revoked: async () => {
    const token = mint({ jti: 'to-be-revoked' })
    expect((await withToken(token)).status).toBe(200)
    const written = await gate.admin('/revocations', {
      method: 'POST',
      headers: { authorization: 'Bearer admin-token-of-the-tests-32-chars' },
      body: JSON.stringify({ kind: 'token', value: 'to-be-revoked' }),
    })
    expect(written.status).toBe(201)
    return withToken(token)
  },
  scope_insufficient: () => withToken(mint({ scope: 'read' }), '/admin/users'),
  claim_mismatch: () => withToken(mint({ tenant: 'evil' }), '/billing/1'),
  upstream_unreachable: async () => {
    const lonely = await special(new URL('http://127.0.0.1:1'))
    return answerOf(await lonely.request('/', { token: world.mint() }))
  },
  upstream_failed: async () => {
    const broken = await startRawOrigin((socket) => socket.end('SSH-2.0-hello\r\n'))
    cleanup.push(broken.close)
    return answerOf(await (await special(broken.url)).request('/', { token: world.mint() }))
  },
  upstream_timeout: async () => {
    const silent = await startRawOrigin(() => {})
    cleanup.push(silent.close)
    const slow = await special(silent.url, 'limits: { upstreamResponseTimeout: 100ms }')
    return answerOf(await slow.request('/', { token: world.mint() }))
  },
  keys_unavailable: async () => {
    const elsewhere = await startGateway(
      world.settings(
        upstream.url,
        '  - { issuer: https://down.example.com, audiences: [orders], keys: { jwksUri: http://127.0.0.1:1/ } }',
      ),
    )
    return answerOf(await elsewhere.request('/', { token: world.mint({ iss: 'https://down.example.com' }) }))
  },
  revocation_stale: async () => {
    const alone = await special(upstream.url, 'revocation: { redis: redis://127.0.0.1:1 }')
    return answerOf(await alone.request('/', { token: world.mint() }))
  },
  overloaded: async () => {
    const silent = await startRawOrigin(() => {})
    cleanup.push(silent.close)
    const small = await special(silent.url, 'limits: { upstreamConnections: 1, drainTimeout: 0s }')
    const abort = new AbortController()
    const token = world.mint()
    const waiting = Array.from({ length: 40 }, () => small.request('/', { token, signal: abort.signal }))
    const answer = await answerOf(await Promise.any(waiting))
    abort.abort()
    await Promise.allSettled(waiting)
    return answer
  },
  draining: async () => {
    const app = await startApp((_req, res) => res.end())
    const stopping = await special(app.url, 'limits: { drainTimeout: 5s }')
    const client = rawClient(stopping.port)
    const token = world.mint()
    // The head has begun before the stop, so that the connection is one that the gate has taken.
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')
    await once(client.socket, 'connect')
    // The gate has the beginning of the request once a later one has been answered.
    expect((await stopping.request('/', { token })).status).toBe(200)
    await app.close()
    void stopping.app.stop()
    client.send(`Authorization: Bearer ${token}\r\n\r\n`)
    const text = await client.closed()
    const [head = '', body = ''] = text.split('\r\n\r\n')
    const [statusLine = '', ...lines] = head.split('\r\n')
    const headers = new Headers(lines.map((line) => line.split(': ', 2) as [string, string]))
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  },
  internal: async () => {
    const proxy = await startProxy(upstream.url, {
      decide: () => {
        throw new Error('a bug')
      },
    })
    cleanup.push(proxy.close)
    return answerOf(await fetch(`http://127.0.0.1:${proxy.port}/`))
  },
}

describe('every reason', () => {
  it('is provoked here', () => expect(Object.keys(provoke).sort()).toEqual([...reasons].sort()))

  for (const reason of reasons) {
    it(`${reason} is answered ${refusals[reason].status} with its problem document`, async () => {
      const seen = upstream.seen.length
      const { status, headers, body } = await provoke[reason]()
      expect({ status, body }).toMatchObject({ status: refusals[reason].status })
      expect(headers.get('content-type')).toBe('application/problem+json')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(JSON.parse(body)).toMatchObject({ type: `urn:sidegate:refusal:${reason}`, status })
      expect(headers.get('www-authenticate')).toEqual(challengeOf(reason))
      expect(headers.has('retry-after')).toBe(status === 503)
      expect(headers.has('x-refreshed-token')).toBe(false)
      expect(upstream.seen.length - seen).toBe(reason === 'token_revoked' ? 1 : 0)
    })
  }

  // holds: outcomes-not-counted
  it('is counted under its name', async () => {
    expect(await gate.metric('sidegate_decisions_total', { reason: 'token_revoked', decision: 'refuse' })).toBe(1)
    expect(await gate.metric('sidegate_decisions_total', { reason: 'scope_insufficient' })).toBe(1)
    expect(await gate.metric('sidegate_decisions_total', { reason: 'message_invalid' })).toBe(1)
  })
})

function challengeOf(reason: Reason): string | null {
  const spec: { challenge?: string; sentence: string } = refusals[reason]
  if (spec.challenge === undefined) return null
  if (spec.challenge === 'bare') return 'Bearer'
  return `Bearer error="${spec.challenge}", error_description="${spec.sentence}"`
}
