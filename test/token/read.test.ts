import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/model/refusal.ts'
import { readToken } from '../../src/token/read.ts'
import { goodClaims, makeKey, part, signToken } from '../support/tokens.ts'

const key = makeKey()
const good = signToken(key, goodClaims())
const [header = '', payload = '', signature = ''] = good.split('.')

/** A token with this JSON text as its payload. */
const withPayload = (text: string) => `${header}.${part(text)}.${signature}`
const withHeader = (text: string) => `${part(text)}.${payload}.${signature}`

describe('reading a token', () => {
  it('reads a well-formed token', () => {
    const token = readToken(good)
    if (isRefusal(token)) throw new Error(token.detail)
    expect(token.header).toEqual({ alg: 'ES256', kid: 'ES256-key', typ: undefined })
    expect(token.payload.sub).toBe('alice')
    expect(token.signedPart).toBe(`${header}.${payload}`)
  })

  const malformed: Record<string, string> = {
    'an empty text': '',
    'one part': header,
    'two parts': `${header}.${payload}`,
    'four parts': `${good}.x`,
    'the five parts of an encrypted token': 'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn',
    'four thousand dots': '.'.repeat(4000),
    'an empty header': `.${payload}.${signature}`,
    'an empty payload': `${header}..${signature}`,
    'padding in the signature': `${good}=`,
    'a space before the token': ` ${good}`,
    'a line end after the token': `${good}\n`,
    'a space inside the signature': `${good.slice(0, -4)} ${good.slice(-4)}`,
    'the other base64 alphabet': `${header}.${payload}.${'+/'.repeat(43)}`,
    'unused bits in the signature': `${good.slice(0, -1)}B`,
    'a character outside ASCII': `${header}.${payload}.é`,
    'a header that is not JSON': withHeader('{"alg":'),
    // holds: payload-that-is-no-object
    'a header that is a list': withHeader('["alg"]'),
    'a header without alg': withHeader('{"kid":"k1"}'),
    'a header whose alg is a number': withHeader('{"alg":1}'),
    // holds: claims-of-wrong-type
    'a header whose kid is an object': withHeader('{"alg":"ES256","kid":{"$ne":null}}'),
    // holds: key-id-that-is-a-path
    'a kid of 64 KiB': withHeader(`{"alg":"ES256","kid":"${'k'.repeat(65_536)}"}`),
    'a header whose typ is a list': withHeader('{"alg":"ES256","typ":["JWT"]}'),
    'a critical extension': withHeader('{"alg":"ES256","crit":["exp"],"exp":1}'),
    'an empty list of critical extensions': withHeader('{"alg":"ES256","crit":[]}'),
    'a payload that is not base64url (RFC 7797)': withHeader('{"alg":"ES256","b64":false}'),
    'a compressed payload': withHeader('{"alg":"ES256","zip":"DEF"}'),
    'alg twice in the header': withHeader('{"alg":"none","alg":"ES256"}'),
    // holds: duplicate-json-members
    'alg twice, once with an escape': withHeader('{"alg":"ES256","\\u0061lg":"none"}'),
    'sub twice in the payload': withPayload('{"sub":"mallory","sub":"alice"}'),
    'a member twice in a nested object': withPayload('{"a":{"b":1,"c":[{"d":1}],"b":2}}'),
    // holds: payload-that-is-no-object
    'a payload that is a list': withPayload('[1]'),
    'a payload that is null': withPayload('null'),
    'a payload that is a text': withPayload('"alice"'),
    'a payload with a byte order mark': withPayload('\ufeff{"sub":"alice"}'),
    // holds: deep-huge-broken-json
    'a payload that is not UTF-8': `${header}.${Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')}.${signature}`,
    'a payload nested too deep': withPayload(`{"a":${'['.repeat(40)}${']'.repeat(40)}}`),
    // holds: deep-huge-broken-json
    'a payload nested ten thousand times': withPayload(`{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
    'another token as the payload': `${header}.${part(good)}.${signature}`,
  }
  for (const [name, text] of Object.entries(malformed)) {
    it(`refuses ${name}`, () => {
      expect(readToken(text)).toMatchObject({ decision: 'refuse', reason: 'token_malformed' })
    })
  }

  it('does not take an equal name in two objects for a duplicate', () => {
    expect(isRefusal(readToken(withPayload('{"a":{"x":1},"b":{"x":2},"c":["x","x"],"d":"{\\"x\\":1,"}')))).toBe(false)
  })

  // holds: lax-base64url, another-spelling-revoked-token, flood-other-spellings
  it('refuses every other spelling of the same signature bytes', () => {
    const es256 = 'A'.repeat(85)
    const accepted = ['A', 'B', 'C', 'D', 'Q', 'g', 'w'].filter(
      (last) => !isRefusal(readToken(`${header}.${payload}.${es256}${last}`)),
    )
    expect(accepted).toEqual(['A', 'Q', 'g', 'w'])
  })

  // holds: secrets-in-output
  it('never repeats the token in its detail', () => {
    for (const text of Object.values(malformed)) {
      const refusal = readToken(text)
      const detail = isRefusal(refusal) ? (refusal.detail ?? '') : ''
      for (const piece of [header, payload, signature]) expect(detail).not.toContain(piece)
    }
  })
})

it('takes a null key id for none, and a number for its text', () => {
  const kidOf = (kid: unknown) => {
    const read = readToken(signToken(makeKey(), goodClaims(), { kid }))
    return 'header' in read ? read.header.kid : read
  }
  expect([kidOf(null), kidOf(7), kidOf('7')]).toEqual([undefined, '7', '7'])
  expect(kidOf(1.5)).toMatchObject({ reason: 'token_malformed' })
})
