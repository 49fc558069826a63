// A session from its first token to its end, by a clock that the test turns: how far successors go, who gets none, and what
// ends them all.

import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
import { claimsOf, goodClaims, jwksOf, makeKey, signToken } from '../support/tokens.ts'

let world: World
let app: Awaited<ReturnType<typeof startApp>>
let gate: Gateway
let nowSeconds = 0
/** Each answers one request to `/slow` that waits. */
const waiting: (() => void)[] = []

const OTHER = 'https://other.example.com'
const clock = () => nowSeconds * 1000
const key = () => `key: ${world.signingKey()}`

beforeEach(async () => {
  world = createWorld()
  nowSeconds = Math.floor(Date.now() / 1000)
  app = await startApp((req, res) => {
    if (req.url === '/slow') waiting.push(() => res.end('ok'))
    else res.end('ok')
  })
  gate = await startGateway(
    world.settings(app.url, `refresh: { window: 60s, lifetime: 2m, maxSession: 10m, ${key()} }\n`),
    clock,
  )
})
afterEach(async () => {
  answerSlowOnes()
  await stopGateways()
  app.server.closeAllConnections()
  await app.close()
  world.remove()
})

function answerSlowOnes(): void {
  for (const answer of waiting.splice(0)) answer()
}

/** A token that begins now and lives for two minutes, as the issuer signs it. */
const firstToken = (claims: Record<string, unknown> = {}) =>
  world.mint({ iat: nowSeconds, exp: nowSeconds + 120, ...claims })

/** Turns the clock into the window of the token and asks; answers the next token, if there is one. */
async function follow(token: string, at = gate): Promise<string | null> {
  nowSeconds = claimsOf(token).exp - 30
  const response = await at.request('/', { token })
  expect(response.status).toBe(200)
  return nextOf(response)
}

/** The token and every successor, to the last of the session; a session without an end is given up. */
async function chainFrom(first: string): Promise<string[]> {
  const tokens = [first]
  for (let next = await follow(first); next !== null && tokens.length < 50; next = await follow(next)) tokens.push(next)
  return tokens
}

async function revoke(kind: string, value: string): Promise<void> {
  const body = JSON.stringify({ kind, value })
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  expect((await gate.admin('/revocations', { method: 'POST', headers, body })).status).toBe(201)
}

describe('a session', () => {
  it('is carried on by its successors to its very end, the last one shorter, and then the token expires', async () => {
    const first = firstToken({ jti: 'first' })
    const began = nowSeconds
    const tokens = await chainFrom(first)

    const chain = tokens.map(claimsOf)
    expect(chain.map(({ exp }) => exp - began)).toEqual([120, 180, 240, 300, 360, 420, 480, 540, 600])
    expect(new Set(chain.map(({ jti }) => jti)).size).toBe(chain.length)
    for (const claims of chain.slice(1)) expect(claims).toMatchObject({ sid: 'first', session_start: began })
    expect(await gate.metric('sidegate_refresh_total', { result: 'session_over' })).toBe(1)

    const [last = ''] = tokens.slice(-1)
    nowSeconds = began + 600 + 4
    expect((await gate.request('/', { token: last })).status).toBe(200)
    nowSeconds = began + 600 + 5
    const over = await gate.request('/', { token: last })
    expect(over.status).toBe(401)
    expect(await reasonOf(over)).toBe('token_expired')
  })

  it('has a last successor that is shorter, where its end does not fall on a lifetime', async () => {
    const first = firstToken({ auth_time: nowSeconds - 415 })
    const tokens = await chainFrom(first)
    const lifetimes = tokens.map(claimsOf).map(({ iat, exp }) => exp - iat)
    expect(lifetimes).toEqual([120, 120, 65])
    expect(claimsOf(tokens.at(-1) ?? '').exp).toBe(Number(claimsOf(first).auth_time) + 600)
  })

  it.each([
    ['in milliseconds', () => nowSeconds * 1000],
    ['as 0', () => 0],
    ['as ISO 8601', () => new Date(nowSeconds * 1000).toISOString()],
    // holds: successor-may-more
  ])('has an end even where the issuer writes auth_time %s', async (_, authTime) => {
    const first = firstToken({ auth_time: authTime() })
    const ends = claimsOf(first).iat + 600
    const last = (await chainFrom(first)).at(-1) ?? ''
    expect(claimsOf(last).exp).toBe(ends)
  })
})

describe('every successor ends', () => {
  const ways: Record<string, readonly [claims: Record<string, unknown>, kind: string, value: string]> = {
    'with the session that the issuer began': [{ sid: 's-1' }, 'session', 's-1'],
    'with the session that is named after a first token without one': [{ jti: 'first' }, 'session', 'first'],
    'with the first token, by its id alone': [{ jti: 'first' }, 'token', 'first'],
    'with its subject': [{ sub: 'bob' }, 'subject', 'bob'],
    'with its client': [{ azp: 'app' }, 'client', 'app'],
    'with the key of the gate that signed it': [{}, 'key', 'own'],
    'with its issuer': [{}, 'issuer', 'https://id.example.com'],
  }
  for (const [sentence, [claims, kind, value]] of Object.entries(ways)) {
    it(sentence, async () => {
      const tokens: string[] = []
      for (let next = await follow(firstToken(claims)); tokens.length < 3 && next !== null; next = await follow(next))
        tokens.push(next)
      expect(tokens).toHaveLength(3)
      nowSeconds -= 60
      await revoke(kind, value)
      // The last two are in their time; the one before has run out by now
      for (const token of tokens.slice(1)) {
        const response = await gate.request('/', { token })
        expect(await reasonOf(response)).toBe('token_revoked')
        expect(nextOf(response)).toBeNull()
      }
    })
  }

  it('but not with a token that only comes before it', async () => {
    const next = (await follow(firstToken({ sid: 's-1' }))) ?? ''
    const afterNext = (await follow(next)) ?? ''
    nowSeconds = claimsOf(afterNext).iat
    await revoke('token', claimsOf(next).jti)
    expect(await reasonOf(await gate.request('/', { token: next }))).toBe('token_revoked')
    expect((await gate.request('/', { token: afterNext })).status).toBe(200)
  })
})

describe('a revoked first token', () => {
  it('takes its successors with it, until the end of the session', async () => {
    const first = firstToken({ jti: 'stolen' })
    const next = (await follow(first)) ?? ''
    const afterNext = (await follow(next)) ?? ''
    const answer = await gate.admin('/oauth/revoke', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: new URLSearchParams({ token: first }),
    })
    expect(answer.status).toBe(200)
    // A rule against the first token alone ends with it, and these would come alive again
    nowSeconds = claimsOf(afterNext).exp - 1
    expect(await reasonOf(await gate.request('/', { token: afterNext }))).toBe('token_revoked')
  })
})

describe('there is no successor', () => {
  it('for a token that is revoked, has expired or is not ours', async () => {
    const revoked = firstToken({ jti: 'revoked' })
    await revoke('token', 'revoked')
    const expired = firstToken({ iat: nowSeconds - 90, exp: nowSeconds - 60 })
    const forged = signToken(
      { ...makeKey(), keyId: world.issuerKey.keyId },
      goodClaims({ exp: nowSeconds + 120 }, nowSeconds),
    )
    nowSeconds += 90
    const reasons = ['token_revoked', 'token_expired', 'signature_invalid']
    for (const [index, token] of [revoked, expired, forged].entries()) {
      const response = await gate.request('/', { token })
      expect(nextOf(response)).toBeNull()
      expect(await reasonOf(response)).toBe(reasons[index])
    }
  })

  // holds: next-token-for-revoked
  it('for a token that only the clock tolerance still admits', async () => {
    const token = firstToken()
    nowSeconds = claimsOf(token).exp - 1
    expect(nextOf(await gate.request('/', { token }))).not.toBeNull()
    nowSeconds += 1
    const response = await gate.request('/', { token })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
  })

  // holds: next-token-for-revoked
  it('for a token that was revoked, or ran out, while the app was thinking', async () => {
    const [revoked, expired, standing] = [firstToken({ jti: 'in-flight' }), firstToken(), firstToken()]
    nowSeconds += 90
    const asking = [revoked, expired, standing].map((token) => gate.request('/slow', { token }))
    await expect.poll(() => waiting.length).toBe(3)
    await revoke('token', 'in-flight')
    answerSlowOnes()
    const [first, , third] = await Promise.all(asking)
    expect(first?.status).toBe(200)
    expect(first && nextOf(first)).toBeNull()
    expect(third && nextOf(third)).toBeTypeOf('string')

    const late = gate.request('/slow', { token: expired })
    await expect.poll(() => waiting.length).toBe(1)
    nowSeconds += 30
    answerSlowOnes()
    expect(nextOf(await late)).toBeNull()
  })

  it('for a token of an issuer without a refresh, and no key of the gate speaks for that issuer', async () => {
    const otherKey = makeKey('ES256', 'other-key')
    writeFileSync(`${world.folder}/other.json`, jwksOf(otherKey))
    const settings = (refresh: boolean) =>
      world.settings(
        app.url,
        `  - { issuer: ${OTHER}, audiences: [orders], keys: { jwksFile: ${world.folder}/other.json }, refresh: ${refresh} }
refresh: { window: 60s, lifetime: 2m, ${key()} }
`,
      )
    const token = signToken(otherKey, goodClaims({ iss: OTHER, iat: nowSeconds, exp: nowSeconds + 30 }))
    const refreshing = await startGateway(settings(true), clock)
    const next = nextOf(await refreshing.request('/', { token })) ?? ''
    expect(claimsOf(next).iss).toBe(OTHER)

    const without = await startGateway(settings(false), clock)
    const response = await without.request('/', { token })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
    expect((await without.request('/', { token: next })).status).toBe(401)
    const ours = firstToken()
    nowSeconds += 90
    expect(nextOf(await without.request('/', { token: ours }))).not.toBeNull()
  })
})

describe('a successor that is larger than the gate reads', () => {
  it('is counted and not sent, and the request goes on', async () => {
    const token = firstToken({ jti: 'j' })
    const small = await startGateway(
      world.settings(
        app.url,
        `tokens: { maxBytes: ${token.length + 10} }\nrefresh: { window: 60s, lifetime: 2m, ${key()} }\n`,
      ),
      clock,
    )
    nowSeconds += 90
    const response = await small.request('/', { token })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
    expect(response.headers.get('cache-control')).toBeNull()
    expect(await small.metric('sidegate_refresh_total', { result: 'own_token_too_large' })).toBe(1)
    expect(await small.metric('sidegate_refresh_total', { result: 'issued' })).toBe(0)
  })
})

describe('a session in a cookie', () => {
  const cases: Record<string, readonly [name: string, cookie: string, line: RegExp]> = {
    'keeps its name and has the attributes of the settings': [
      'session',
      '{ path: /app, sameSite: strict, secure: false, httpOnly: false, domain: example.com }',
      /^session=ey[^;]+; Path=\/app; Max-Age=90; Domain=example\.com; SameSite=Strict$/,
    ],
    'has what browsers ask of a name with __Secure-': [
      '__Secure-session',
      '{ path: /app, domain: example.com }',
      /^__Secure-session=ey[^;]+; Path=\/app; Max-Age=90; Domain=example\.com; HttpOnly; Secure; SameSite=Lax$/,
    ],
    'has what browsers ask of a name with __Host-, in any case of letters': [
      '__HOST-session',
      '{ sameSite: none }',
      /^__HOST-session=ey[^;]+; Path=\/; Max-Age=90; HttpOnly; Secure; SameSite=None$/,
    ],
  }
  for (const [sentence, [name, cookie, line]] of Object.entries(cases)) {
    it(sentence, async () => {
      const settings = `tokens: { sources: [{ cookie: ${name} }] }\nrefresh: { window: 60s, lifetime: 2m, cookie: ${cookie}, ${key()} }\n`
      const other = await startGateway(world.settings(app.url, settings), clock)
      const token = firstToken()
      nowSeconds += 90
      const response = await other.request('/', { headers: { cookie: `theme=dark; ${name}=${token}; a=b` } })
      const lines = response.headers.getSetCookie()
      expect(lines).toEqual([expect.stringMatching(line)])
      expect(nextOf(response)).toBeNull()
      const again = await other.request('/', { headers: { cookie: lines[0]?.split(';')[0] ?? '' } })
      expect(again.status).toBe(200)
    })
  }
})
