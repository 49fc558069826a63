// The revocation API of the admin port and RFC 7009, on a running gate with the list in memory.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  startGateway,
  stopGateways,
  type World,
} from '../../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../../support/origin.ts'
import { rawClient } from '../../support/raw-client.ts'
import { startRedis } from '../../support/redis.ts'
import { signatureOf } from '../../support/shell.ts'
import { jwksOf, makeKey, signToken } from '../../support/tokens.ts'

let world: World
let app: EchoOrigin
let gate: Gateway

beforeAll(async () => {
  world = createWorld()
  app = await startEchoOrigin()
})
beforeEach(async () => {
  gate = await startGateway(world.settings(app.url))
})
afterEach(async () => {
  await stopGateways()
  expect(JSON.stringify(gate.lines)).not.toContain(ADMIN_TOKEN)
})
afterAll(async () => {
  await app.close()
  world.remove()
})

const bearer = { authorization: `Bearer ${ADMIN_TOKEN}` }
const post = (body: unknown, path = '/revocations') =>
  gate.admin(path, { method: 'POST', headers: bearer, body: typeof body === 'string' ? body : JSON.stringify(body) })
const statusFor = async (token: string) => (await gate.request('/orders', { token })).status
const list = async () =>
  ((await (await gate.admin('/revocations', { headers: bearer })).json()) as { revocations: object[] }).revocations

describe('who may', () => {
  test('without a token file the API does not exist, whatever is sent, and the answer says what it needs', async () => {
    const bare = await startGateway(world.settings(app.url).replace(/, tokenFile: \S+/, ''))
    for (const [method, path] of [
      ['GET', '/revocations'],
      ['POST', '/revocations'],
      ['DELETE', '/revocations/token/a'],
      ['POST', '/oauth/revoke'],
    ] as const) {
      const answer = await bare.admin(path, { method, headers: bearer })
      expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('admin.tokenFile')])
    }
  })

  test.each([
    ['no token', undefined],
    ['another token', 'Bearer wrong'],
    ['an empty token', 'Bearer '],
    ['the token with something behind it', `Bearer ${ADMIN_TOKEN} x`],
    ['a part of the token', `Bearer ${ADMIN_TOKEN.slice(0, -1)}`],
    ['the token by another scheme', `Basic ${ADMIN_TOKEN}`],
  ])('%s is 401 with a challenge, and does nothing', async (_, authorization) => {
    const response = await gate.admin('/revocations', {
      method: 'POST',
      headers: authorization === undefined ? {} : { authorization },
      body: '{"kind":"subject","value":"alice"}',
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.text()).not.toContain(ADMIN_TOKEN)
    expect(await list()).toEqual([])
  })

  test('after ten wrong tokens wrong ones are told to wait, and the right one still passes', async () => {
    const guess = (n: number) => gate.admin('/revocations', { headers: { authorization: `Bearer guess-${n}` } })
    for (let n = 0; n < 10; n++) expect((await guess(n)).status).toBe(401)
    const eleventh = await guess(11)
    expect(eleventh.status).toBe(429)
    expect(eleventh.headers.get('retry-after')).toBe('60')
    expect((await gate.admin('/revocations', { headers: bearer })).status).toBe(200)
    expect((await guess(12)).status).toBe(429)
  })

  // holds: guessing-admin-token
  test('many wrong tokens at once are not all judged, and lock nobody out', async () => {
    const guesses = Array.from({ length: 300 }, (_, n) =>
      gate.admin('/revocations', { headers: { authorization: `Bearer guess-${n}` } }),
    )
    const right = gate.admin('/revocations', { headers: bearer })
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401).length).toBeLessThan(20)
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(280)
    expect((await right).status).toBe(200)
  })

  test.each([
    ['31 characters', 'x'.repeat(31), 'it has 31 characters, and needs at least 32'],
    ['a character that no header carries', `${'x'.repeat(40)} y`, 'it has characters that no'],
  ])(
    'a token of %s opens nothing: 404 with the setting, and an error line at the start and each minute of use',
    async (_, token, why) => {
      writeFileSync(join(world.folder, 'weak'), `${token}\n`)
      let nowMs = Date.now()
      const weak = await startGateway(world.settings(app.url).replace('admin-token', 'weak'), () => nowMs)
      const complaints = () => weak.lines.filter(({ setting }) => setting === 'admin.tokenFile')
      expect(complaints()).toEqual([expect.objectContaining({ level: 'error', msg: expect.stringContaining(why) })])
      const headers = { authorization: `Bearer ${token}` }
      for (const path of ['/revocations', '/revocations', '/oauth/revoke']) {
        const answer = await weak.admin(path, { method: 'POST', headers, body: '{}' })
        expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('admin.tokenFile')])
      }
      expect(complaints()).toHaveLength(2)
      nowMs += 60_001
      await weak.admin('/revocations', { headers })
      expect(complaints()).toHaveLength(3)
      expect((await weak.admin('/livez')).status).toBe(200)
      expect(JSON.stringify(weak.lines)).not.toContain(token)
    },
  )

  test('the scheme may be written in any case', async () => {
    const headers = { authorization: `bEARER  ${ADMIN_TOKEN}` }
    expect((await gate.admin('/revocations', { headers })).status).toBe(200)
  })

  test('a large body with a wrong token gets its answer, not a reset', async () => {
    const response = await gate.admin('/revocations', {
      method: 'POST',
      headers: { authorization: 'Bearer wrong' },
      body: 'x'.repeat(900_000),
    })
    expect(response.status).toBe(401)
  })
})

describe('POST /revocations', () => {
  test('a rule that replaces one that matched more tells which', async () => {
    const narrower = { kind: 'subject', value: 'yan', issuedBefore: '2026-01-01T00:00:00Z' }
    await post({ kind: 'subject', value: 'yan', reason: 'why' })
    const whole = { kind: 'subject', value: 'yan', reason: 'why' }
    expect(await (await post(narrower)).json()).toMatchObject({
      revocations: [{ ...narrower, replaces: whole }],
    })
    const [again] = ((await (await post(narrower)).json()) as { revocations: object[] }).revocations
    expect(again).not.toHaveProperty('replaces')
    await post(whole)
    const headers = { ...bearer, 'content-type': 'application/x-ndjson' }
    const lines = (...rules: object[]) =>
      gate.admin('/revocations', {
        method: 'POST',
        headers,
        body: rules.map((rule) => JSON.stringify(rule)).join('\n'),
      })
    const other = { kind: 'token', value: 'j-1' }
    expect(await (await lines(narrower, other)).json()).toMatchObject({ written: 2, replaced: [whole] })
    expect(await (await lines(narrower, other)).json()).toEqual({ written: 2 })
  })

  test('one rule: what it matches is told, it is in force at once, and who did it is in the log', async () => {
    const token = world.mint({ sub: 'alice', sid: 's-1' })
    expect(await statusFor(token)).toBe(200)
    const response = await post({ kind: 'session', value: 's-1', reason: 'stolen laptop' })
    expect(response.status).toBe(201)
    const { revocations, effects } = (await response.json()) as { revocations: object[]; effects: string[] }
    expect(revocations).toEqual([
      {
        kind: 'session',
        value: 's-1',
        reason: 'stolen laptop',
        actor: 'admin API, 127.0.0.1',
        at: expect.any(String),
        expiresAt: expect.any(String),
      },
    ])
    expect(effects).toEqual([expect.stringContaining('Revokes every token of session "s-1", until ')])
    expect(await statusFor(token)).toBe(401)
    expect(gate.lines.filter((line) => line.audit !== undefined)).toEqual([
      expect.objectContaining({
        level: 'info',
        audit: 'revoke',
        kind: 'session',
        value: 's-1',
        reason: 'stolen laptop',
        actor: 'admin API, 127.0.0.1',
        msg: 'Revoked',
      }),
    ])
  })

  test('a list of rules is written as a whole', async () => {
    const rules = [
      { kind: 'token', value: 'a' },
      { kind: 'subject', value: 'b', issuedBefore: 'now', expiresAt: '2040-01-01T00:00:00Z' },
      { kind: 'issuer', value: ISSUER },
    ]
    expect((await post(rules)).status).toBe(201)
    expect(await list()).toHaveLength(3)
    expect(await gate.metric('sidegate_revocation_rules', { kind: 'subject' })).toBe(1)
  })

  test('a wrong rule among others writes none, and its place is told', async () => {
    const response = await post([
      { kind: 'token', value: 'a' },
      { kind: 'user', value: 'b' },
    ])
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      detail: 'Rule 1: Cannot revoke: "kind" is not one of token, subject, session, client, key, issuer',
    })
    expect(await list()).toEqual([])
  })

  test.each([
    ['no JSON', '{kind', 'The body is not JSON; send one rule or a list of rules'],
    ['nothing', '', 'The body is not JSON; send one rule or a list of rules'],
    ['no rule', '3', 'Cannot revoke: rule is not a JSON object'],
    ['null', 'null', 'Cannot revoke: rule is not a JSON object'],
    [
      'a misspelt member',
      '{"kind":"token","value":"a","isuedBefore":"now"}',
      'Cannot revoke: member "isuedBefore" is not known',
    ],
    [
      'a time in words',
      '{"kind":"token","value":"a","issuedBefore":"tomorrow"}',
      'Cannot revoke: "issuedBefore" is neither',
    ],
    [
      'an issuer that is not configured',
      '{"kind":"subject","value":"a","issuer":"https://x.example"}',
      `no issuer is configured as "https://x.example"; configured: "${ISSUER}"`,
    ],
    [
      'a rule for an issuer that is not configured',
      '{"kind":"issuer","value":"https://x.example"}',
      'rule can never match: no issuer is configured as "https://x.example"',
    ],
    [
      'a time in the future',
      '{"kind":"subject","value":"a","issuedBefore":"2100-01-01T00:00:00Z"}',
      '"issuedBefore" 2100-01-01T00:00:00Z is in the future; "now" means all tokens so far',
    ],
    ['an end in the past', '{"kind":"token","value":"a","expiresAt":5}', 'Cannot revoke: rule can never match'],
    [
      'a whole token',
      '{"kind":"token","value":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"}',
      'Cannot revoke: value of a "token" rule',
    ],
    ['a value that is no text', '{"kind":"token","value":7}', 'Cannot revoke: "value" is not a text'],
    ['a value of two lines', '{"kind":"token","value":"a\\nb"}', 'Cannot revoke: "value" is not a text'],
  ])('%s is 400 and says what is wrong', async (_, body, detail) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(((await response.json()) as { detail: string }).detail).toContain(detail)
    expect(await list()).toEqual([])
  })

  test('a thousand rules at once, not one more', async () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ kind: 'token', value: `j-${index}` }))
    expect(await (await post(rules(1001))).json()).toMatchObject({
      detail: 'At most 1000 rules can be written at once; send more as application/x-ndjson',
    })
    expect(await list()).toEqual([])
    expect((await post(rules(1000))).status).toBe(201)
    expect(await list()).toHaveLength(1000)
  })

  describe('more rules than that, a line each', () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_, index) => JSON.stringify({ kind: 'token', value: `j-${index}` })).join('\n')
    const postLines = (body: string) =>
      gate.admin('/revocations', {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/x-ndjson' },
        body,
      })

    test('are written and counted, each with its audit line', async () => {
      const response = await postLines(`${lines(2500)}\n`)
      expect([response.status, await response.json()]).toEqual([201, { written: 2500 }])
      expect(await list()).toHaveLength(2500)
      expect(gate.lines.filter(({ audit }) => audit === 'revoke')).toHaveLength(2500)
    })

    test('are not written at all where one line is wrong, which is named', async () => {
      const response = await postLines(`${lines(3)}\n{"kind":"nonsense"}\nx`)
      expect(response.status).toBe(400)
      const { detail } = (await response.json()) as { detail: string }
      expect(detail).toContain('Nothing was written, 2 lines are wrong')
      expect(detail).toContain('line 4: Cannot revoke: "kind" is not one of')
      expect(detail).toContain('line 5: Cannot revoke: rule is not a JSON object')
      expect(await list()).toEqual([])
    })
  })

  test.each([1_100_000, 5_000_000])('a body of %i bytes is 413, and the client can read that', async (bytes) => {
    for (const path of ['/revocations', '/oauth/revoke']) {
      const response = await post('x'.repeat(bytes), path)
      expect(response.status).toBe(413)
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining('at most 1 MiB') })
    }
    expect((await gate.admin('/livez')).status).toBe(200)
    expect(gate.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('a client that goes away in the middle of its body is no error of ours', async () => {
    const client = rawClient(gate.adminPort)
    const head = `Host: a\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nContent-Length: 100\r\nExpect: 100-continue`
    client.send(`POST /revocations HTTP/1.1\r\n${head}\r\n\r\n{`)
    await client.until((text) => text.includes('100 Continue'))
    client.socket.destroy()
    await client.closed()
    expect((await gate.admin('/livez')).status).toBe(200)
    expect(gate.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('other methods are 405', async () => {
    const put = await gate.admin('/revocations', { method: 'PUT', headers: bearer })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST'])
    const get = await gate.admin('/oauth/revoke', { headers: bearer })
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    const patch = await gate.admin('/revocations/token/a', { method: 'PATCH', headers: bearer })
    expect([patch.status, patch.headers.get('allow')]).toEqual([405, 'DELETE'])
  })
})

describe('DELETE /revocations/<kind>/<value>', () => {
  const remove = (path: string) => gate.admin(`/revocations/${path}`, { method: 'DELETE', headers: bearer })

  test('lifts a rule: the token passes again, and the log says who', async () => {
    const token = world.mint({ sub: 'alice' })
    await post({ kind: 'subject', value: 'alice' })
    expect(await statusFor(token)).toBe(401)
    const response = await remove('subject/alice')
    expect([response.status, await response.text()]).toEqual([204, ''])
    expect(await statusFor(token)).toBe(200)
    expect(await list()).toEqual([])
    expect(gate.lines.at(-1)).toMatchObject({
      audit: 'lift',
      kind: 'subject',
      value: 'alice',
      actor: 'admin API, 127.0.0.1',
    })
  })

  test('of nothing is 404', async () => {
    expect((await remove('subject/alice')).status).toBe(404)
    await post({ kind: 'subject', value: 'alice', expiresAt: '2040-01-01T00:00:00Z' })
    await remove('subject/alice')
    expect((await remove('subject/alice')).status).toBe(404)
  })

  // holds: lift-by-one-address
  test('where only the rule of an issuer is in force, the 404 says how to lift that one', async () => {
    await post({ kind: 'token', value: 'j-1', issuer: ISSUER })
    const response = await remove('token/j-1')
    const line = `DELETE /revocations/token/j-1?issuer=${encodeURIComponent(ISSUER)}`
    expect([response.status, await response.json()]).toEqual([
      404,
      expect.objectContaining({ detail: expect.stringContaining(line) }),
    ])
    expect(await list()).toHaveLength(1)
  })

  // holds: lift-by-one-address
  test("of a token names the session's rule that was written beside it, and leaves it in force", async () => {
    const issuer = `?issuer=${encodeURIComponent(ISSUER)}`
    await post([
      { kind: 'token', value: 'j-1', issuer: ISSUER },
      { kind: 'session', value: 'j-1', issuer: ISSUER },
    ])
    const response = await remove(`token/j-1${issuer}`)
    expect([response.status, await response.json()]).toEqual([
      200,
      { alsoInForce: [expect.objectContaining({ lift: `DELETE /revocations/session/j-1${issuer}` })] },
    ])
    expect(await list()).toEqual([expect.objectContaining({ kind: 'session', value: 'j-1' })])
  })

  test('a value may hold anything, percent-encoded; an issuer that narrows it is a parameter', async () => {
    const value = 'https://x.example/a b?c=d#e&%'
    await post({ kind: 'client', value, issuer: 'https://id.example.com' })
    expect((await remove(`client/${encodeURIComponent(value)}`)).status).toBe(404)
    const issuer = encodeURIComponent('https://id.example.com')
    expect((await remove(`client/${encodeURIComponent(value)}?issuer=${issuer}`)).status).toBe(204)
  })

  test.each(['user/alice', 'subject/', 'subject', 'subject/a/b', 'subject/%zz'])(
    '%s is 400 and shows the form',
    async (path) => {
      const response = await remove(path)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        detail:
          'The path is /revocations/<kind>/<value>, the kind one of: token, subject, session, client, key, issuer',
      })
    },
  )
})

describe('POST /oauth/revoke (RFC 7009)', () => {
  const revoke = (form: Record<string, string> | string) =>
    gate.admin('/oauth/revoke', { method: 'POST', headers: bearer, body: new URLSearchParams(form) })

  test('a token is revoked, and neither the answer nor the log repeats it', async () => {
    const token = world.mint({ jti: 'j-1' })
    expect(await statusFor(token)).toBe(200)
    const response = await revoke({ token, token_type_hint: 'access_token' })
    expect([response.status, await response.text()]).toEqual([200, '{}\n'])
    expect(await statusFor(token)).toBe(401)
    expect(await list()).toEqual([expect.objectContaining({ kind: 'token', value: 'j-1' })])
    expect(JSON.stringify(gate.lines)).not.toContain(signatureOf(token))
    expect(gate.lines.some((line) => line.audit === 'revoke' && line.value === 'j-1')).toBe(true)
  })

  test('what no key of an issuer signed writes nothing, whatever it claims', async () => {
    const victim = world.mint({ jti: 'victim' })
    const claims = { iss: ISSUER, jti: 'victim', aud: 'orders', exp: 253_402_300_799 }
    const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
    const forgeries = [
      `${part({ alg: 'none' })}.${part(claims)}.`,
      `${part({ alg: 'ES256', kid: 'ES256-key' })}.${part(claims)}.c2ln`,
      `${victim.slice(0, victim.lastIndexOf('.'))}.AAAA`,
      signToken(makeKey('ES256'), claims),
      signToken(makeKey('ES256', 'never-seen'), claims),
    ]
    for (const token of forgeries) {
      const response = await revoke({ token })
      expect([response.status, await response.text()]).toEqual([200, '{}\n'])
    }
    expect(await list()).toEqual([])
    expect(await statusFor(victim)).toBe(200)
  })

  test('a rule lasts no longer than a token of ours can, and says that a program wrote it', async () => {
    await revoke({ token: world.mint({ jti: 'long', exp: 253_402_300_799 }) })
    const [rule] = (await list()) as { readonly expiresAt: string }[]
    expect(rule).toMatchObject({ kind: 'token', value: 'long', source: 'rfc7009' })
    expect(Date.parse(rule?.expiresAt ?? '')).toBeLessThan(Date.now() + 25 * 3_600_000)
  })

  test('a token that no gate would admit any more is still one of ours: with another audience, or of a key that left', async () => {
    const refresh = `refresh: { maxSession: 1h, key: ${world.signingKey()} }\n`
    gate = await startGateway(world.settings(app.url, refresh))
    const [foreign, former] = [world.mint({ jti: 'foreign', aud: 'billing' }), world.mint({ jti: 'former' })]
    const file = join(world.folder, 'jwks.json')
    const before = readFileSync(file)
    try {
      writeFileSync(file, jwksOf(makeKey('ES256', 'next')))
      await gate.reload(world.settings(app.url, refresh))
      expect(await statusFor(former)).toBe(401)
      for (const token of [foreign, former]) expect((await revoke({ token })).status).toBe(200)
    } finally {
      writeFileSync(file, before)
    }
    const values = ((await list()) as { readonly kind: string; readonly value: string }[]).map(
      ({ kind, value }) => `${kind} ${value}`,
    )
    expect(values.sort()).toEqual(['session foreign', 'session former', 'token foreign', 'token former'])
  })

  test('where the keys of its issuer cannot be had, nobody can tell: 503, and nothing is written', async () => {
    const keys = "keys: { jwksUri: 'http://127.0.0.1:1/jwks' }"
    gate = await startGateway(world.settings(app.url).replace(/keys: \{ jwksFile.*/, keys))
    const response = await revoke({ token: world.mint() })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await list()).toEqual([])
  })

  test.each([
    ['in its session', { sid: 's-1' }, false],
    ['without a session', { jti: 'first' }, false],
    ['in its session, after it expired', { sid: 's-1' }, true],
    ['without a session, after it expired', { jti: 'first' }, true],
  ])('what follows a token %s ends with it', async (_, claims, isExpired) => {
    let nowMs = Date.now()
    gate = await startGateway(world.settings(app.url, `refresh: { key: ${world.signingKey()} }\n`), () => nowMs)
    const first = world.due(claims)
    const next = (await gate.request('/', { token: first })).headers.get('x-refreshed-token') ?? ''
    if (isExpired) nowMs += 120_000
    expect(await statusFor(next)).toBe(200)
    expect((await revoke({ token: first })).status).toBe(200)
    expect(await statusFor(next)).toBe(401)
  })

  test.each([
    ['unknown', 'opaque-token'],
    ['malformed', 'a.b.c'],
    ['empty of claims', `e30.${Buffer.from('{}').toString('base64url')}.c2ln`],
  ])('a token that is %s is answered 200, as there is nothing left to do', async (_, token) => {
    expect((await revoke({ token })).status).toBe(200)
    expect(await list()).toEqual([])
  })

  test('an expired token is answered 200 and needs no rule', async () => {
    expect((await revoke({ token: world.mint({ iat: 1000, exp: 2000 }) })).status).toBe(200)
    expect(await list()).toEqual([])
  })

  test.each([
    ['', 'nothing'],
    ['token=', 'an empty token'],
    ['tokn=a', 'another parameter'],
    ['token=a&token=b', 'two tokens'],
  ])('%s (%s) is an invalid request', async (form) => {
    const response = await revoke(form)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: 'invalid_request' })
  })
})

test('where Redis is away, a revocation is not confirmed: 503 and Retry-After, without the password', async () => {
  const away = await startGateway(world.settings(app.url, `revocation: { redis: 'redis://app:geheim@127.0.0.1:1' }\n`))
  const response = await away.admin('/revocations', {
    ...{ method: 'POST', headers: bearer, body: '{"kind":"token","value":"a"}' },
  })
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  const text = await response.text()
  expect(text).toContain('The revocation is not certain')
  expect(text).not.toContain('geheim')
  expect(JSON.stringify(away.lines)).not.toContain('geheim')
})

test('a rule written on one gate is listed and enforced on another', async () => {
  const redis = await startRedis()
  try {
    const settings = world.settings(app.url, `revocation: { redis: '${redis.url}' }\n`)
    const [one, other] = await Promise.all([startGateway(settings), startGateway(settings)])
    for (const each of [one, other]) await expect.poll(async () => (await each.admin('/readyz')).status).toBe(200)
    const body = '{"kind":"subject","value":"carol"}'
    expect((await one.admin('/revocations', { method: 'POST', headers: bearer, body })).status).toBe(201)
    const token = world.mint({ sub: 'carol' })
    await expect.poll(async () => (await other.request('/orders', { token })).status).toBe(401)
    const listed = await (await other.admin('/revocations', { headers: bearer })).json()
    expect(listed).toEqual({ revocations: [expect.objectContaining({ kind: 'subject', value: 'carol' })] })
    await stopGateways()
  } finally {
    await redis.stop()
  }
})
