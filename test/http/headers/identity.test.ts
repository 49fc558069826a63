import fc from 'fast-check'
import { expect, test } from 'vitest'
import { headerValue, identityLines } from '../../../src/http/headers/identity.ts'
import { headerRules } from '../../../src/http/headers/names.ts'
import type { LeftOutIdentity, ProxyPolicy } from '../../../src/http/limits.ts'
import type { Claims } from '../../../src/model/decision.ts'
import { admitAll, limits, verifiedToken } from '../../support/proxy.ts'

const policy = (
  claims: ProxyPolicy['identity'],
  identity: ProxyPolicy['leftOut']['identity'] = () => {},
): ProxyPolicy => ({
  decide: admitAll,
  upstream: new URL('http://127.0.0.1'),
  upstreamTls: { authority: undefined, serverName: undefined },
  identity: claims,
  headerNames: { mode: 'strict', allow: [], drop: [], sources: ['authorization'] },
  leftOut: { header: () => {}, identity },
  stripToken: false,
  corsOrigins: [],
  isTrustedProxy: () => false,
  refreshHeader: undefined,
  refresh: undefined,
  limits,
})

const claims: Record<string, [claim: unknown, value: string | undefined]> = {
  'a string is itself': ['alice', 'alice'],
  'a string may hold spaces inside': ['read write', 'read write'],
  'a number is its digits': [42, '42'],
  'a boolean is its word': [true, 'true'],
  'a list is joined by spaces': [['read', 'write', 1], 'read write 1'],
  'a space within an element is encoded, or one role would be read as two': [
    ['read admin', 'x y', 'z'],
    'read%20admin x%20y z',
  ],
  'a list of 4 KiB is given': [Array(2048).fill('a'), Array(2048).fill('a').join(' ')],
  'a longer list is not': [[...Array(2048).fill('a'), 'b'], undefined],
  'an empty list is an empty value': [[], ''],
  'an object gives no header': [{ a: 1 }, undefined],
  'a list with an object gives no header': [['a', {}], undefined],
  'null gives no header': [null, undefined],
  'the largest exact number is its digits': [2 ** 53 - 1, '9007199254740991'],
  // holds: identity-values-shared
  'a number that JSON has rounded gives no header': [2 ** 53, undefined],
  'a fraction is written as JSON has it': [0.5, '0.5'],
  'half a surrogate pair gives no header': ['a\ud800', undefined],
  'a claim that is not there gives no header': [undefined, undefined],
  'a line end is encoded': ['a\r\nX-Admin: 1', 'a%0D%0AX-Admin: 1'],
  'a NUL is encoded': ['a\0', 'a%00'],
  'a per cent sign is encoded, so that decoding is certain': ['100%', '100%25'],
  'what is not ASCII is encoded as UTF-8': ['Grüße', 'Gr%C3%BC%C3%9Fe'],
  'spaces at the ends are encoded, because a parser would drop them': [' a ', '%20a%20'],
  'a value of 4 KiB is given': ['a'.repeat(4096), 'a'.repeat(4096)],
  'a longer one is not': ['a'.repeat(4097), undefined],
  'nor one that grows beyond it': ['ü'.repeat(1_000), undefined],
}
for (const [sentence, [claim, value]] of Object.entries(claims)) {
  test(sentence, () => {
    const token = verifiedToken({ test: claim })
    const lines = identityLines(token, headerRules(policy([['X-Test', 'test']])))
    expect(lines).toEqual(value === undefined ? [] : ['x-test', value])
  })
}

const leftOutClaims: Record<string, [claim: unknown, why: string | undefined]> = {
  'a value of more than 4 KiB is too long': ['a'.repeat(4097), 'too_long'],
  'so is one that is too long once it is encoded': ['ü'.repeat(1_000), 'too_long'],
  'so is a list': [Array(2049).fill('a'), 'too_long'],
  'so is a list with one long element': [['a'.repeat(4097)], 'too_long'],
  'an object is no text': [{ a: 1 }, 'not_text'],
  'nor is a list with one in it': [['a', {}], 'not_text'],
  'nor is a number that JSON has rounded': [2 ** 53, 'not_text'],
  'nor is broken Unicode': [['\udfff'], 'not_text'],
  'null is absent': [null, undefined],
  'a text is given': ['a', undefined],
}
for (const [sentence, [claim, why]] of Object.entries(leftOutClaims)) {
  test(`${sentence}, and that is reported once for each token, without the value`, () => {
    const reports: LeftOutIdentity[] = []
    const rules = headerRules(policy([['X-Test', 'test']], (what) => reports.push(what)))
    const token = verifiedToken({ test: claim })
    identityLines(token, rules)
    identityLines(token, rules)
    const report = { issuer: 'https://id.example', header: 'X-Test', claim: 'test', why }
    expect(reports).toEqual(why === undefined ? [] : [report])
  })
}

const scopes: Record<string, [claims: Partial<Claims>, value: string | undefined]> = {
  'scope as a text': [{ scope: 'read write' }, 'read write'],
  'scp as a text, as Entra sends it': [{ scp: 'read write' }, 'read write'],
  'scp as a list, as Okta sends it': [{ scp: ['read', 'write'] }, 'read write'],
  'both, each scope once': [{ scope: 'read write', scp: ['write', 'admin'] }, 'read write admin'],
  'only what a route would find': [{ scope: 'read  write', scp: ['a b', 1] }, 'read write a%20b'],
  'an empty scope': [{ scope: '' }, ''],
  'no scope at all': [{}, undefined],
}
for (const [sentence, [claims, value]] of Object.entries(scopes)) {
  test(`the header that carries the scope holds what routes check: ${sentence}`, () => {
    const lines = identityLines(verifiedToken(claims), headerRules(policy([['x-auth-scope', 'scope']])))
    expect(lines).toEqual(value === undefined ? [] : ['x-auth-scope', value])
  })
}

test('a claim named like something that every object has gives no header', () => {
  const rules = headerRules(
    policy([
      ['x-test', 'toString'],
      ['x-other', '__proto__'],
    ]),
  )
  expect(identityLines(verifiedToken(), rules)).toEqual([])
})

test('the lines of a token are made once for each policy', () => {
  const token = verifiedToken()
  const rules = headerRules(policy([['x-auth-subject', 'sub']]))
  expect(identityLines(token, rules)).toBe(identityLines(token, rules))
  expect(identityLines(token, headerRules(policy([['x-user', 'sub']])))).toEqual(['x-user', 'alice'])
})

// holds: claims-that-end-a-header-line
test('any text comes back by percent-decoding, and every value is visible ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      const value = headerValue(text)
      expect(value).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?)?$/)
      expect(decodeURIComponent(value ?? '')).toBe(text)
    }),
  )
})
