import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRule, ruleToJson } from '../../../src/revocation/rule/json.ts'
import {
  type PreparedRevocation,
  prepareRevocation,
  type RevocationRequest,
} from '../../../src/revocation/rule/request.ts'
import { isProblem, type Problem, type Rule } from '../../../src/revocation/rule/rule.ts'
import { parseTime } from '../../../src/revocation/rule/time.ts'

const nowSeconds = 1_700_000_000
const settings = { nowSeconds, maxLifetimeSeconds: 3_600, actor: 'test' }

function jwt(claims: object): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  return `${part({ alg: 'ES256' })}.${part(claims)}.c2lnbmF0dXJl`
}

function prepared(request: RevocationRequest): PreparedRevocation {
  const result = prepareRevocation(request, settings)
  if (isProblem(result)) throw new Error(result.problem)
  return result
}

const problemOf = (result: Rule | PreparedRevocation | Problem) => (isProblem(result) ? result.problem : 'none')

describe('what is asked for', () => {
  test('a token is named by its jti within its issuer, and the rule ends a minute after it', () => {
    const {
      rules: [rule],
      sentences,
    } = prepared({ token: jwt({ iss: 'i', jti: 'j', exp: nowSeconds + 100, sid: 's' }) })
    expect(rule).toMatchObject({ kind: 'token', value: 'j', issuer: 'i', expiresAtSeconds: nowSeconds + 160 })
    expect(sentences.join(' ')).toContain('--session "s"')
  })

  test('a token that begins a session is revoked together with the session that its successors name', () => {
    const request = { token: jwt({ iss: 'i', jti: 'first', exp: nowSeconds + 100 }) }
    const found = prepareRevocation(request, { ...settings, maxSessionSeconds: 7_200 })
    expect(found).toMatchObject({
      rules: [
        { kind: 'token', value: 'first', issuer: 'i', expiresAtSeconds: nowSeconds + 160 },
        { kind: 'session', value: 'first', issuer: 'i', expiresAtSeconds: nowSeconds + 7_260 },
      ],
      sentences: [expect.stringMatching(/the token "first"/), expect.stringMatching(/every token of session "first"/)],
    })
    expect(prepared(request).rules).toHaveLength(1)
    expect(prepared(request).rules[0].expiresAtSeconds).toBe(nowSeconds + 160)
    const withSession = { token: jwt({ jti: 'j', sid: 's', exp: nowSeconds + 100 }) }
    expect(prepareRevocation(withSession, { ...settings, maxSessionSeconds: 7_200 })).toMatchObject({
      rules: [
        { kind: 'token', value: 'j' },
        { kind: 'session', value: 's', expiresAtSeconds: nowSeconds + 7_260 },
      ],
    })
  })

  test('where the identity provider issues the next tokens, they end by their session alone', () => {
    const rulesOf = (claims: object) => {
      const token = jwt({ jti: 'j', exp: nowSeconds + 100, ...claims })
      const found = prepareRevocation({ token }, { ...settings, exchangedSessionSeconds: 7_200 })
      return isProblem(found) ? [] : found.rules.map(({ kind, value }) => `${kind} ${value}`)
    }
    expect(rulesOf({ sid: 's' })).toEqual(['token j', 'session s'])
    expect(rulesOf({})).toEqual(['token j'])
  })

  test('of an expired token, what follows it is revoked, as long as that can live', () => {
    const found = (exp: number, more: object) =>
      prepareRevocation({ token: jwt({ jti: 'first', exp }) }, { ...settings, ...more })
    expect(found(nowSeconds - 1_000, { maxSessionSeconds: 7_200 })).toMatchObject({
      rules: [{ kind: 'session', value: 'first', expiresAtSeconds: nowSeconds + 6_260 }],
    })
    expect(found(nowSeconds - 1_000, { maxSessionSeconds: 'unknown' })).toMatchObject({
      rules: [{ kind: 'session', value: 'first', expiresAtSeconds: nowSeconds + 3_600 }],
    })
    const unknown = found(nowSeconds - 1_000, { maxSessionSeconds: 'unknown' })
    expect(unknown).toMatchObject({
      sentences: expect.arrayContaining([expect.stringContaining('is unknown without')]),
    })
    expect(problemOf(found(nowSeconds - 9_000, { maxSessionSeconds: 7_200 }))).toContain('so has every token')
    expect(problemOf(found(nowSeconds - 1_000, { exchangedSessionSeconds: 7_200 }))).toContain('expired')
  })

  test('where nobody knows of successors, the rule for a token that begins a session outlives any that it may have', () => {
    const found = (claims: object, more: object = {}) =>
      prepareRevocation({ token: jwt({ jti: 'j', ...claims }), ...more }, { ...settings, maxSessionSeconds: 'unknown' })
    const short = { exp: nowSeconds + 100 }
    expect(found(short)).toMatchObject({ rules: [{ kind: 'token', expiresAtSeconds: nowSeconds + 3_600 }] })
    expect(found({ exp: nowSeconds + 9_000 })).toMatchObject({ rules: [{ expiresAtSeconds: nowSeconds + 9_060 }] })
    expect(found({ ...short, sid: 's' })).toMatchObject({ rules: [{ expiresAtSeconds: nowSeconds + 160 }] })
    expect(found(short, { expires: nowSeconds + 50 })).toMatchObject({ rules: [{ expiresAtSeconds: nowSeconds + 50 }] })
  })

  test('a token without jti is named by the digest of its signed part, however its signature is spelled', () => {
    const token = jwt({ iss: 'i', exp: nowSeconds + 100 })
    const digest = createHash('sha256')
      .update(token.slice(0, token.lastIndexOf('.')))
      .digest('base64url')
    expect(prepared({ token }).rules[0].value).toBe(`sha256:${digest}`)
    expect(prepared({ token: `${token}AA` }).rules[0].value).toBe(`sha256:${digest}`)
  })

  test.each<[string, RevocationRequest, string]>([
    ['an expired token', { token: jwt({ exp: nowSeconds - 60 }) }, 'expired at 2023-11-14T22:12:20Z already'],
    ['a token without exp', { token: jwt({ jti: 'j' }) }, 'no "exp"'],
    ['a token with an absurd exp', { token: jwt({ jti: 'j', exp: -1e300 }) }, 'expired'],
    ['what is no token', { token: 'hello' }, 'not a JWT of three parts'],
    ['a payload that is no object', { token: 'e30.W10.x' }, 'not a JSON object'],
    ['a token of another issuer', { token: jwt({ iss: 'a', exp: nowSeconds + 9 }), issuer: 'b' }, 'can never match'],
    [
      'a token issued later',
      { token: jwt({ iat: nowSeconds, exp: nowSeconds + 9 }), issuedBefore: 1 },
      'can never match',
    ],
    ['two things at once', { jti: 'a', subject: 'b' }, 'only one of jti, subject'],
    ['nothing', {}, 'No target'],
    ['an end in the past', { jti: 'a', expires: 5 }, 'in the past'],
    ['a time without a zone', { jti: 'a', issuedBefore: '2026-01-01T00:00:00' }, 'neither ISO 8601'],
    ['a whole token as a jti', { jti: jwt({ a: 1 }) }, 'not the token itself'],
    ['a value with a line break', { subject: 'a\nb' }, 'control characters'],
  ])('%s is refused with its reason', (_name, request, words) => {
    expect(problemOf(prepareRevocation(request, settings))).toContain(words)
  })

  test('an issuer beside something narrows it, and alone means everything of that issuer', () => {
    expect(prepared({ subject: 'alice', issuer: 'i', issuedBefore: 'now' })).toMatchObject({
      rules: [{ kind: 'subject', value: 'alice', issuer: 'i', issuedBeforeSeconds: nowSeconds, actor: 'test' }],
      sentences: [
        'Revokes every token of subject "alice" of issuer "i" issued at or before 2023-11-14T22:13:20Z, until 2023-11-14T23:13:20Z',
      ],
    })
    expect(prepared({ issuer: 'i' }).rules[0]).toMatchObject({ kind: 'issuer', value: 'i', issuer: undefined })
  })

  test('any payload is a rule or a problem, never an exception', () => {
    const value = fc.oneof(fc.jsonValue(), fc.double(), fc.constantFrom(nowSeconds + 5, 1e300, -1))
    const claims = fc.dictionary(fc.constantFrom('exp', 'iat', 'jti', 'iss', 'sid'), value)
    fc.assert(fc.property(claims, (content) => void prepareRevocation({ token: jwt(content) }, settings)))
    fc.assert(fc.property(fc.string(), (token) => void prepareRevocation({ token }, settings)))
  })
})

describe('rules as JSON', () => {
  test('what a list prints can be imported again', () => {
    const [rule] = prepared({ subject: 'alice', issuer: 'i', issuedBefore: 1_600_000_000, reason: 'why' }).rules
    expect(parseRule(ruleToJson(rule), settings)).toEqual(rule)
  })

  test.each([
    ['a misspelt member', { kind: 'subject', value: 'a', issuedbefore: 'now' }, '"issuedbefore" is not known'],
    ['an unknown kind', { kind: 'user', value: 'a' }, '"kind" is not one of'],
    ['a number as value', { kind: 'subject', value: 5 }, '"value" is not a text'],
    ['an array', [], 'not a JSON object'],
    ['a lone surrogate', { kind: 'subject', value: '\ud800' }, '"value" is not a text'],
    ['an issuer of another issuer', { kind: 'issuer', value: 'a', issuer: 'b' }, 'can never match'],
    ['milliseconds', { kind: 'subject', value: 'a', expiresAt: 1_700_000_000_000 }, '"expiresAt" is neither'],
  ])('%s is refused with its reason', (_name, input, words) => {
    expect(problemOf(parseRule(input, settings))).toContain(words)
  })

  test('times are read in every documented form and no other', () => {
    expect(parseTime('now', 5.7)).toBe(5.7)
    expect(parseTime('1700000000', 0)).toBe(nowSeconds)
    expect(parseTime(nowSeconds, 0)).toBe(nowSeconds)
    expect(parseTime('2023-11-14T22:13:20Z', 0)).toBe(nowSeconds)
    expect(parseTime('2023-11-15T00:13:20+02:00', 0)).toBe(nowSeconds)
    expect(parseTime('2023-11-14', 0)).toBe(1_699_920_000)
    for (const odd of ['', '14.11.2023', '2023-11-14 22:13', '2023-13-01', '-5', '1e9', Number.NaN, -1, null, {}]) {
      expect(parseTime(odd, 0)).toBeUndefined()
    }
  })
})
