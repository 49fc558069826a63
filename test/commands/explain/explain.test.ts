// `sidegate explain`: each step of the decision with its result, by the same gate that decides on requests.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listen } from '../../support/listen.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { sidegate, signatureOf } from '../../support/shell.ts'
import { goodClaims, jwksOf, makeKey, NOW_SECONDS, privatePem, signToken } from '../../support/tokens.ts'

const issuerKey = makeKey()
const clock = () => NOW_SECONDS * 1000
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-explain-'))
  writeFileSync(join(folder, 'jwks.json'), jwksOf(issuerKey))
  writeFileSync(join(folder, 'signing.pem'), privatePem(makeKey('EdDSA')))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const issuers = () => `issuers:
  - { issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: ${folder}/jwks.json } }
`
const refresh = () => `refresh: { key: { privateKeyFile: ${folder}/signing.pem, algorithm: EdDSA, keyId: own } }\n`
const routes = `routes:
  - { path: /public/*, access: public }
  - { path: /admin/*, scopes: [admin] }
`

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

async function explain(settings: string, token: string, given: readonly string[] = [], at = clock) {
  const ran = await sidegate(['explain', '--config', write('sidegate.yaml', settings), ...given, token], { clock: at })
  if (token.split('.')[2]) expect(ran.text).not.toContain(signatureOf(token))
  expect(ran.text).not.toContain('geheim')
  const lineOf = (question: string) => ran.printed.find((line) => line.slice(2).startsWith(question))
  return { ...ran, lineOf }
}

const ROUTE = 'Which rule covers the path?'
const ONE = 'Is there exactly one token?'
const OURS = 'Is the token one of ours?'
const TIME = 'Is it in its time?'
const REVOKED = 'Is it still standing, not revoked?'
const ASKS = 'Has it what the rule asks for?'

describe('for people', () => {
  test('an admitted token: what it says, each step, the successor and the decision', async () => {
    const token = signToken(issuerKey, goodClaims({ scope: 'read admin', sid: 's-1' }))
    const { printed, exitCode } = await explain(issuers() + routes + refresh(), token, [
      '--path',
      '/admin/users?page=2',
    ])
    expect(printed).toEqual([
      'iss           "https://id.example.com"',
      'sub           "alice"',
      'aud           "orders"',
      'jti           "token-1"',
      'sid           "s-1"',
      'scope         "read admin"',
      'issued        2027-01-15T07:59:50Z, 10 s ago',
      'expires       2027-01-15T08:05:00Z, in 5 min',
      '',
      `✓ ${ROUTE}         /admin/*`,
      `✓ ${ONE}         one, as in the header authorization`,
      `✓ ${OURS}           ES256, key "ES256-key", issuer https://id.example.com`,
      `✓ ${TIME}                  it expires in 5 min (2027-01-15T08:05:00Z)`,
      `? ${REVOKED}  unknown: the list is in the memory of each running gate`,
      `✓ ${ASKS}      yes`,
      '',
      'refresh       a successor is given in 4 min; the session ends in 11 h 59 min (2027-01-15T19:59:50Z)',
      'decision      admitted, if not revoked',
    ])
    expect(exitCode).toBe(0)
  })

  test('a token that a stranger signed: the later questions are not asked', async () => {
    const token = signToken({ ...makeKey(), keyId: issuerKey.keyId }, goodClaims())
    const { printed, lineOf, exitCode } = await explain(issuers() + refresh(), token)
    expect(lineOf(OURS)).toBe(`✗ ${OURS}           signature_invalid`)
    for (const question of [TIME, REVOKED, ASKS]) expect(lineOf(question)).toMatch(/^· .*not asked$/)
    expect(printed.at(-2)).toBe('refresh       none: only an admitted token gets a successor')
    expect(printed.at(-1)).toBe(
      'decision      refused: signature_invalid (401), The signature of the token does not match',
    )
    expect(exitCode).toBe(1)
  })

  test('an expired token: whether it was ever ours', async () => {
    const expired = goodClaims({ iat: NOW_SECONDS - 400, exp: NOW_SECONDS - 100 })
    const ours = await explain(issuers(), signToken(issuerKey, expired))
    expect(ours.lineOf('Was it ours while it lasted?')).toContain('✓')
    expect(ours.lineOf('Was it ours while it lasted?')).toContain('its signature is right (ES256)')
    expect(ours.printed).toContain('expires       2027-01-15T07:58:20Z, 1 min 40 s ago')
    expect(ours.printed.at(-1)).toContain('refused: token_expired (401)')
    const strange = await explain(issuers(), signToken({ ...makeKey(), keyId: issuerKey.keyId }, expired))
    expect(strange.lineOf('Was it ours while it lasted?')).toContain('✗')
    expect(strange.lineOf('Was it ours while it lasted?')).toContain('signature_invalid')
    expect(strange.exitCode).toBe(1)
  })

  test('a token of the future: the time says no', async () => {
    const { lineOf, printed } = await explain(issuers(), signToken(issuerKey, goodClaims({ nbf: NOW_SECONDS + 60 })))
    expect(lineOf(OURS)).toContain('✓')
    expect(lineOf(TIME)).toMatch(/^✗ .*token_not_yet_valid$/)
    expect(printed).toContain('valid from    2027-01-15T08:01:00Z, in 1 min')
  })

  test('a public path asks for no token', async () => {
    const { printed, lineOf, exitCode } = await explain(issuers() + routes, 'no-token-at-all', ['--path', '/public/x'])
    expect(lineOf(ROUTE)).toBe(`✓ ${ROUTE}         /public/*, which is public`)
    expect(lineOf(OURS)).toMatch(/not asked$/)
    expect(printed.at(-1)).toBe('decision      admitted, the path is public')
    expect(exitCode).toBe(0)
  })

  test('a route that one method alone may use', async () => {
    const settings = `${issuers()}routes: [{ path: /x, methods: [GET], access: public }]\n`
    expect((await explain(settings, 'none', ['--path', '/x'])).exitCode).toBe(0)
    expect((await explain(settings, 'none', ['--path', '/x', '--method', 'POST'])).exitCode).toBe(1)
  })

  test('a path that can be read in two ways is refused before the token is looked at', async () => {
    const { printed, lineOf } = await explain(issuers(), signToken(issuerKey, goodClaims()), ['--path', '/a/..%2fb'])
    expect(lineOf(ROUTE)).toBe(`✗ ${ROUTE}         path_ambiguous`)
    expect(printed.at(-1)).toContain('refused: path_ambiguous (400)')
  })

  test('a missing scope names the scope, and promises no successor', async () => {
    const { printed, lineOf } = await explain(issuers() + routes + refresh(), signToken(issuerKey, goodClaims()), [
      ...['--path', '/admin/users'],
    ])
    expect(lineOf(ASKS)).toContain('✗')
    expect(lineOf(ASKS)).toContain('scope_insufficient: it lacks the scope "admin"')
    expect(printed.at(-2)).toBe('refresh       none: only an admitted token gets a successor')
  })

  test('a token that is too large for the gate is too large here', async () => {
    const token = signToken(issuerKey, goodClaims({ note: 'x'.repeat(8192) }))
    const { printed, lineOf } = await explain(issuers(), token)
    expect(lineOf(ONE)).toContain('token_too_large')
    expect(printed.at(-1)).toContain('refused: token_too_large (400)')
  })

  test.each([
    ['cookie: session', 'one, as in the cookie session'],
    ['query: access_token', 'one, as in the query access_token'],
    ['header: x-token', 'one, as in the header x-token'],
  ])('a token is looked for where the settings say: %s', async (source, answer) => {
    const settings = `${issuers()}tokens: { sources: [{ ${source} }] }\n`
    const { lineOf, exitCode } = await explain(settings, signToken(issuerKey, goodClaims()), ['--path', '/x?a=b'])
    expect(lineOf(ONE)).toContain(answer)
    expect(exitCode).toBe(0)
  })

  test('in shadow mode a refusal says that the gate forwards the request all the same', async () => {
    const { printed, exitCode } = await explain(`${issuers()}mode: shadow\n`, 'nonsense')
    expect(printed.at(-1)).toBe(
      'decision      refused: token_malformed (401), The token is not a well-formed JWT; in shadow mode it is forwarded and counted',
    )
    expect(exitCode).toBe(1)
  })

  test('the refresh tells when the session is over, and when it begins now', async () => {
    const late = signToken(issuerKey, goodClaims({ exp: NOW_SECONDS + 30 }))
    expect((await explain(issuers() + refresh(), late)).printed.at(-2)).toMatch(
      /^refresh {7}a successor is given now; /,
    )
    const over = signToken(issuerKey, goodClaims({ auth_time: NOW_SECONDS - 13 * 3600 }))
    expect((await explain(issuers() + refresh(), over)).printed.at(-2)).toMatch(
      /^refresh {7}none: the session ends 1 h ago/,
    )
    expect((await explain(issuers(), late)).printed.at(-2)).toBe('refresh       off: the settings have no "refresh"')
  })
})

describe('the next token', () => {
  const due = (claims: Record<string, unknown> = {}) => goodClaims({ exp: NOW_SECONDS + 30, ...claims })
  const exchange = (more = '') =>
    `refresh: { exchange: { tokenEndpoint: 'http://127.0.0.1:1/token', clientId: gate, clientSecretFile: ${folder}/secret${more} } }\n`
  /** What is said about the refresh, for people and for machines. */
  async function explained(settings: string, claims: Record<string, unknown>, given: readonly string[] = []) {
    const token = signToken(issuerKey, claims)
    const { printed } = await explain(settings, token, given)
    const json = JSON.parse((await explain(settings, token, [...given, '--json'])).printed.join('\n'))
    expect(printed.at(-2)).toBe(`refresh       ${json.refresh}`)
    return json as Record<string, string>
  }

  test('is given now, or from a time on, until the session ends', async () => {
    expect(await explained(issuers() + refresh(), due({ auth_time: NOW_SECONDS - 3600 }))).toMatchObject({
      refresh: 'a successor is given now; the session ends in 11 h (2027-01-15T19:00:00Z)',
      successor: 'now',
      successorFrom: '2027-01-15T07:59:30Z',
      sessionEnds: '2027-01-15T19:00:00Z',
    })
    expect(await explained(issuers() + refresh(), goodClaims())).toMatchObject({
      refresh: 'a successor is given in 4 min; the session ends in 11 h 59 min (2027-01-15T19:59:50Z)',
      successor: 'later',
      successorFrom: '2027-01-15T08:04:00Z',
      sessionEnds: '2027-01-15T19:59:50Z',
    })
  })

  const never: Record<
    string,
    readonly [settings: () => string, claims: () => Record<string, unknown>, given: readonly string[], why: string]
  > = {
    'where the refresh is off': [issuers, due, [], 'off: the settings have no "refresh"'],
    'where the token is refused': [
      () => issuers() + refresh(),
      () => due({ aud: 'other' }),
      [],
      'none: only an admitted token gets a successor',
    ],
    'on a public path': [
      () => issuers() + routes + refresh(),
      due,
      ['--path', '/public/x'],
      'none: the path is public, so the token is not looked at',
    ],
    'where its issuer has none': [
      () => issuers().replace(' }\n', ', refresh: false }\n') + refresh(),
      due,
      [],
      'none: issuer https://id.example.com has "refresh: false"',
    ],
    'at the end of the session': [
      () => issuers() + refresh(),
      () => due({ auth_time: NOW_SECONDS - 12 * 3600 + 20 }),
      [],
      'none: the session ends in 20 s (2027-01-15T08:00:20Z)',
    ],
    'past the end of the token, which only the tolerance admits': [
      () => issuers() + refresh(),
      () => due({ exp: NOW_SECONDS - 2, auth_time: NOW_SECONDS - 60 }),
      [],
      'none: only the clock tolerance still admits the token; the session ends in 11 h 59 min (2027-01-15T19:59:00Z)',
    ],
    'where a claim cannot be copied': [
      () => issuers() + refresh(),
      () => due({ account: 2 ** 60, auth_time: NOW_SECONDS }),
      [],
      'none: a claim is a number that cannot be copied exactly; the session ends in 12 h (2027-01-15T20:00:00Z)',
    ],
    'where the provider could not tell whose it is': [
      () => issuers() + exchange(),
      () => due({ sub: undefined, auth_time: NOW_SECONDS }),
      [],
      'none: the token has no "sub", so nobody can tell whose the next one is; the session ends in 12 h (2027-01-15T20:00:00Z)',
    ],
    'at the end of a session with the provider': [
      () => issuers() + exchange(),
      () => due({ auth_time: NOW_SECONDS - 12 * 3600 }),
      [],
      'none: the session ends now (2027-01-15T08:00:00Z)',
    ],
  }
  for (const [sentence, [settings, claims, given, why]] of Object.entries(never)) {
    test(`is not given ${sentence}`, async () => {
      write('secret', 'a secret\n')
      const answer = await explained(settings(), claims(), given)
      expect(answer).toMatchObject({ refresh: why, successor: 'never' })
      expect(answer).not.toHaveProperty('successorFrom')
    })
  }

  test('is not given where the gate would refuse it for its size', async () => {
    const token = signToken(issuerKey, due())
    const settings = `${issuers()}tokens: { maxBytes: ${token.length + 10} }\n${refresh()}`
    const { printed } = await explain(settings, token)
    expect(printed.at(-2)).toMatch(
      /^refresh {7}none: it would have \d+ bytes, more than "tokens\.maxBytes", \d+; the session ends in 11 h 59 min/,
    )
  })

  test('comes from the identity provider, which is not asked for the explanation', async () => {
    write('secret', 'a secret\n')
    expect((await explained(issuers() + exchange(), due({ auth_time: NOW_SECONDS }))).refresh).toBe(
      'the identity provider is asked for a successor now; the session ends in 12 h (2027-01-15T20:00:00Z)',
    )
    expect(await explained(issuers() + exchange(), goodClaims())).toMatchObject({
      refresh:
        'the identity provider is asked for a successor in 4 min; the session ends in 11 h 59 min (2027-01-15T19:59:50Z), counted from this token, as it has no "auth_time"',
      successor: 'later',
    })
  })
})

describe('--json', () => {
  test('has the decision and every step, and no token', async () => {
    const token = signToken(issuerKey, goodClaims())
    const { printed, exitCode } = await explain(issuers() + routes, token, ['--json', '--path', '/admin/x'])
    const answer = JSON.parse(printed.join('\n'))
    expect(answer).toMatchObject({ decision: 'refuse', reason: 'scope_insufficient', status: 403, mode: 'enforce' })
    expect(answer.steps.map(({ question, result }: Record<string, string>) => [question, result])).toEqual([
      [ROUTE, 'yes'],
      [ONE, 'yes'],
      [OURS, 'yes'],
      [TIME, 'yes'],
      [REVOKED, 'unknown'],
      [ASKS, 'no'],
    ])
    expect(printed.join('\n')).not.toContain(token.split('.')[1])
    expect(exitCode).toBe(1)
  })

  test('an admitted token has no reason', async () => {
    const { printed, exitCode } = await explain(issuers(), signToken(issuerKey, goodClaims()), ['--json'])
    const answer = JSON.parse(printed.join('\n'))
    expect(answer.decision).toBe('permit')
    expect(answer).not.toHaveProperty('reason')
    expect(exitCode).toBe(0)
  })
})

describe('keys that are fetched', () => {
  let server: Server
  let port: number
  beforeAll(async () => {
    server = createServer((_, response) => response.end(jwksOf(issuerKey)))
    port = await listen(server)
  })
  afterAll(() => server.close())

  const settings = (at: number) => `issuers:
  - { issuer: https://id.example.com, audiences: [orders], keys: { jwksUri: 'http://127.0.0.1:${at}/jwks' } }
`
  test('are fetched for the explanation', async () => {
    const { lineOf, exitCode } = await explain(settings(port), signToken(issuerKey, goodClaims()))
    expect(lineOf(OURS)).toContain('ES256, key "ES256-key"')
    expect(exitCode).toBe(0)
  })

  test('a key id that no key has is named as such', async () => {
    const { lineOf } = await explain(settings(port), signToken({ ...issuerKey, keyId: 'other' }, goodClaims()))
    expect(lineOf(OURS)).toContain('key_unknown')
  })

  test('a provider that does not answer is not the fault of the token', async () => {
    const { lineOf, printed } = await explain(settings(1), signToken(issuerKey, goodClaims()))
    expect(lineOf(OURS)).toContain('keys_unavailable: ')
    expect(printed.at(-1)).toContain('refused: keys_unavailable (503)')
  })
})

describe('with a list in Redis', () => {
  let redis: TestRedis
  const now = () => Math.floor(Date.now() / 1000)
  const claims = (more: Record<string, unknown> = {}) => goodClaims(more, now())
  const settings = (more = '') => `${issuers()}revocation: { redis: '${redis.url}'${more} }\n`
  const revoke = (...given: string[]) => sidegate(['revoke', '--redis', redis.url, ...given])

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test.each([
    ['revoked:dave', 'Revoked by the plain key "revoked:dave"'],
    ['token-1', 'Revoked by the plain key "token-1"'],
  ])('the plain key %s that exists', async (name, sentence) => {
    await redis.command('set', name, '1')
    try {
      const token = signToken(issuerKey, goodClaims({ sub: 'dave' }))
      const asking = `, check: redis, timeout: 10s, keys: ['{jti}', 'revoked:{sub}']`
      const { lineOf, exitCode } = await explain(settings(asking), token)
      expect(lineOf(REVOKED)).toBe(`✗ ${REVOKED}  token_revoked: ${sentence}`)
      expect(exitCode).toBe(1)
    } finally {
      await redis.command('del', name)
    }
  })

  test.each(['local', 'redis'])('a standing token, and the rule against a revoked one (check: %s)', async (check) => {
    const more = `, check: ${check}, timeout: 10s`
    const standing = await explain(settings(more), signToken(issuerKey, claims({ jti: 'standing' })), [], Date.now)
    expect(standing.lineOf(REVOKED)).toMatch(/✓ .*no rule matches it, \w/)
    expect(standing.exitCode).toBe(0)

    await revoke('--session', `s-${check}`, '--issuer', 'https://id.example.com', '--issued-before', 'now')
    const token = signToken(issuerKey, claims({ sid: `s-${check}` }))
    const revoked = await explain(settings(more), token, [], Date.now)
    expect(revoked.lineOf(REVOKED)).toContain(
      `✗ ${REVOKED}  token_revoked: Revokes every token of session "s-${check}" of issuer "https://id.example.com" issued at or before`,
    )
    expect(revoked.printed.at(-1)).toContain('refused: token_revoked (401)')
    expect(revoked.exitCode).toBe(1)
  })

  test('the rule that matched is told by its kind: token, subject, client, key', async () => {
    const cases: readonly (readonly [flag: string, value: string, token: string, noun: string])[] = [
      ['--jti', 'j-1', signToken(issuerKey, claims({ jti: 'j-1' })), 'the token "j-1"'],
      ['--subject', 'bob', signToken(issuerKey, claims({ sub: 'bob' })), 'every token of subject "bob"'],
      ['--client', 'app', signToken(issuerKey, claims({ azp: 'app' })), 'every token of client "app"'],
    ]
    for (const [flag, value, token, noun] of cases) {
      await revoke(flag, value)
      expect((await explain(settings(), token, [], Date.now)).lineOf(REVOKED)).toContain(`Revokes ${noun}`)
    }
    await revoke('--key-id', 'ES256-key')
    const any = signToken(issuerKey, claims({ jti: 'any' }))
    expect((await explain(settings(), any, [], Date.now)).lineOf(REVOKED)).toContain('signed with key "ES256-key"')
    await sidegate(['revocations', 'lift', 'key', 'ES256-key', '--redis', redis.url])
    expect((await explain(settings(), any, [], Date.now)).exitCode).toBe(0)
  })

  test('a next token by a refresh token comes only where one was handed in', async () => {
    write('secret', 'a secret\n')
    write('store-key', `${Buffer.alloc(32, 1).toString('base64')}\n`)
    write('admin-token', 'the-admin-token-of-this-test\n')
    const more = `grant: refresh-token, storeKeyFile: ${folder}/store-key`
    const refreshing = `admin: { tokenFile: ${folder}/admin-token }
refresh: { exchange: { tokenEndpoint: 'http://127.0.0.1:1/t', clientId: gate, clientSecretFile: ${folder}/secret, ${more} } }
`
    const token = signToken(issuerKey, claims({ auth_time: now() }))
    const { printed } = await explain(settings() + refreshing, token, [], Date.now)
    expect(printed.at(-2)).toMatch(
      /^refresh {7}the identity provider is asked for a successor in .+, if a refresh token was handed in for this token; the session ends in /,
    )
  })

  test('a Redis that is away: the list is stale, and with whenStale: allow it is told that nothing is known', async () => {
    const away = (more = '') => `${issuers()}revocation: { redis: 'redis://app:geheim@127.0.0.1:1'${more} }\n`
    const token = signToken(issuerKey, claims())
    const refused = await explain(away(), token, [], Date.now)
    expect(refused.lineOf(REVOKED)).toContain(`✗ ${REVOKED}  revocation_stale: `)
    expect(refused.lineOf(REVOKED)).toMatch(/not read/)
    expect(refused.printed.at(-1)).toContain('refused: revocation_stale (503)')
    expect(refused.exitCode).toBe(1)
    const allowed = await explain(away(', whenStale: allow'), token, [], Date.now)
    expect(allowed.exitCode).toBe(0)
    expect(allowed.lineOf(REVOKED)).toContain(`? ${REVOKED}  unknown, and "whenStale" says to go on: `)
  })
})
