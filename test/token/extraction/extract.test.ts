// Where the token of a request is found, and which requests hold two for some reader.
import { describe, expect, it } from 'vitest'
import type { TokenSource } from '../../../src/model/decision.ts'
import { createExtractor } from '../../../src/token/extraction/extract.ts'

const inHeader: TokenSource = { header: 'authorization' }
const inCookie: TokenSource = { cookie: 'access_token' }
const inQuery: TokenSource = { query: 'access_token' }
const inOther: TokenSource = { header: 'x-api-token' }
const all = [inHeader, inCookie, inOther, inQuery]

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A text that looks like a token of this name. */
const shaped = (name: string) => `${part({ alg: 'ES256', kid: 'k' })}.${part({ jti: name })}.c2ln`
const [good, evil] = [shaped('good'), shaped('evil')]
const chained = `${part({ alg: 'ES256', x5c: ['A'.repeat(1600)] })}.${part({ jti: 'evil' })}.c2ln`

function extract(headers: readonly string[], query = '', sources = all, maxBytes = 200) {
  return createExtractor({ sources, maxBytes })({ method: 'GET', path: '/', query, headers })
}
const cookie = (value: string) => extract(['cookie', value])

describe('the one token is found', () => {
  it.each<[string, string[], string, string, TokenSource[]]>([
    ['in Authorization', ['authorization', 'Bearer a.b.c'], '', 'a.b.c', [inHeader]],
    ['whatever the case of the scheme', ['authorization', 'bEARER a.b.c'], '', 'a.b.c', [inHeader]],
    ['after several spaces', ['authorization', 'Bearer   a.b.c'], '', 'a.b.c', [inHeader]],
    ['in a cookie among others', ['cookie', `a=1; access_token=${good}; b=2`], '', good, [inCookie]],
    ['in a cookie of a second Cookie line', ['cookie', 'a=1', 'cookie', `access_token=${good}`], '', good, [inCookie]],
    [
      'in a cookie that is there twice with one value',
      ['cookie', `access_token=${good}; access_token=${good}`],
      '',
      good,
      [inCookie],
    ],
    ['in a header of another name', ['x-api-token', 'a.b.c'], '', 'a.b.c', [inOther]],
    ['in the query', [], 'x=1&access_token=a.b.c', 'a.b.c', [inQuery]],
    [
      'beside a credential of another scheme',
      ['authorization', 'Basic dTpw', 'cookie', `access_token=${good}`],
      '',
      good,
      [inCookie],
    ],
    [
      'in Authorization and, equal, in the cookie',
      ['authorization', `Bearer ${good}`, 'cookie', `access_token=${good}`],
      '',
      good,
      [inHeader, inCookie],
    ],
    [
      'in Authorization, beside a cookie of the app with that name',
      ['authorization', 'Bearer a.b.c', 'cookie', 'access_token=opaque.session.of-the-app'],
      '',
      'a.b.c',
      [inHeader],
    ],
    [
      'in Authorization, beside a signed cookie of Flask',
      ['authorization', 'Bearer a.b.c', 'cookie', `access_token=${part({ user: 1 })}.Zxcvbn.c2ln`],
      '',
      'a.b.c',
      [inHeader],
    ],
  ])('%s', (_where, headers, query, token, sources) => {
    expect(extract(headers, query)).toEqual({ token, sources, several: undefined })
  })
})

it('several tokens in cookies of the name are handed on together, up to four', () => {
  const tokens = ['a', 'b', 'c', 'd'].map(shaped)
  const line = (names: readonly string[]) => names.map((token) => `access_token=${token}`).join('; ')
  expect(cookie(line(tokens))).toMatchObject({ token: tokens[0], several: { tokens } })
  expect(cookie(line([...tokens, shaped('e')]))).toMatchObject({ reason: 'token_multiple' })
  const lines = ['cookie', line(tokens.slice(0, 1)), 'cookie', line(tokens.slice(1, 2))]
  expect(extract(lines)).toMatchObject({ several: { tokens: tokens.slice(0, 2) } })
})

// holds: cookie-value-beside-judged
it('a value of the name that is no token is no second one, and known to stand beside the token', () => {
  const headers = ['cookie', `access_token=opaque; access_token=${good}`]
  const several = { tokens: [good] }
  expect(extract(headers)).toMatchObject({ token: good, sources: [inCookie], several })
  const both = extract([...headers, 'authorization', `Bearer ${good}`])
  expect(both).toMatchObject({ token: good, sources: [inHeader, inCookie], several })
})

it('a cookie with a long header, and one that the app encrypted, are told apart', () => {
  expect(extract(['cookie', `access_token=${chained}`], '', all, 9_000)).toMatchObject({ token: chained })
  const encrypted = `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.a2V5.aXY.Y2lwaGVy.dGFn`
  const headers = ['cookie', `access_token=${encrypted}`, 'authorization', 'Bearer a.b.c']
  expect(extract(headers)).toMatchObject({ token: 'a.b.c', several: undefined })
})

it('a cookie that is refused as several is taken from the browser', () => {
  const extractor = createExtractor({ sources: [inCookie], maxBytes: 200, expiryOf: (name) => [`${name}=; Max-Age=0`] })
  const five = ['a', 'b', 'c', 'd', 'e'].map((name) => `access_token=${shaped(name)}`).join('; ')
  for (const line of [five, `access_token="${good}"`])
    expect(extractor({ method: 'GET', path: '/', query: '', headers: ['cookie', line] })).toMatchObject({
      reason: 'token_multiple',
      setCookies: ['access_token=; Max-Age=0'],
    })
})

describe('an Authorization that begins like Bearer, and may be read as a token elsewhere, is malformed:', () => {
  it.each([
    // holds: authorization-as-passport-reads
    ['a TAB', `Bearer\t${evil}`],
    ['a no-break space', `Bearer\u00a0${evil}`],
    ['a TAB and a space', `Bearer\t ${evil}`],
    ['a space and a TAB', `Bearer \t${evil}`],
    ['a space and a no-break space', `bearer  \u00a0${evil}`],
    // holds: authorization-as-passport-reads
    ['a no-break space before it', `\u00a0Bearer ${evil}`],
    ['a quote before it', `"Bearer ${evil}"`],
    ['a colon', `Bearer: ${evil}`],
    ['an equals sign', `Bearer=${evil}`],
    ['no space', `Bearer${evil}`],
    ['a longer scheme', `Bearer-invalid ${evil}`],
    ['no token', 'Bearer'],
    ['spaces and no token', 'bearer  '],
  ])('%s', (_what, value) => {
    expect(extract(['authorization', value])).toMatchObject({ reason: 'token_malformed' })
    expect(extract(['authorization', value, 'cookie', `access_token=${good}`])).toMatchObject({
      reason: 'token_malformed',
    })
  })
})

describe('another scheme is no token', () => {
  it('and the detail names it', () => {
    const { detail } = extract(['authorization', `DPoP ${good}`]) as { detail?: string }
    expect(detail).toBe('Authorization has the scheme "DPoP", and a token needs the scheme Bearer')
  })

  it('and a token without a scheme is not repeated in the detail', () => {
    const refusal = extract(['authorization', good]) as { reason: string; detail: string }
    expect(refusal).toMatchObject({ reason: 'token_missing', detail: expect.stringContaining('write "Bearer"') })
    expect(refusal.detail).not.toContain(good.slice(0, 8))
  })

  it.each([
    ['DPoP', `DPoP ${evil}`],
    ['a made-up one', `Token\t${evil}`],
    ['none', evil],
    ['that of Rails', `Token token="${evil}", nonce="x"`],
    ['one behind another word', `JWT x ${evil}`],
    ['one with a padded token', `JWT ${evil}==`],
  ])('but beside a token elsewhere, one that looks like a token is a second one: %s', (_scheme, value) => {
    expect(extract(['authorization', value, 'cookie', `access_token=${good}`])).toMatchObject({
      reason: 'token_multiple',
    })
  })
})

describe('a cookie that another parser reads under the name of the source counts as a second token:', () => {
  it.each([
    // holds: cookies-under-another-name
    ['a dot, as PHP reads it', `access.token=${evil}; access_token=${good}`],
    ['a space, as PHP reads it', `access token=${evil}; access_token=${good}`],
    ['a bracket, as PHP reads it', `access[token=${evil}; access_token=${good}`],
    ['a list, as PHP reads it', `access_token[]=${evil}; access_token=${good}`],
    ['a map, as PHP reads it', `access_token=${good}; access_token[a]=${evil}`],
    ['capital letters, as ASP.NET reads it', `Access_Token=${evil}; access_token=${good}`],
    // holds: cookies-under-another-name
    ['behind white space, as Python reads it', `access_token=${good}; a=b access_token=${evil}`],
    ['behind a comma, as old servers read it', `access_token=${good}; a=b,access_token=${evil}`],
    ['in quotes', `access_token=${good}; a="access_token=${evil}"`],
    ['behind a quote', `access_token=${good}; a="b"access_token=${evil}`],
    ['a space before the equals sign', `access_token =${evil}; access_token=${good}`],
    ['a TAB before the equals sign', `access_token=${good}; access_token\t=${evil}`],
    ['percent-encoding, as old PHP and Rack read it', `access%5Ftoken=${evil}; access_token=${good}`],
    ['percent-encoding of a letter', `%61ccess_token=${evil}; access_token=${good}`],
    ['no value at all', `access_token; access_token=${good}`],
    ['in a second Cookie line', `access_token=${good}`],
    // holds: cookies-under-another-name
    ['a value in quotes, which most parsers undo', `access_token=${good}; access_token="${evil}"`],
    [
      'a value with percent-encoding, which most parsers undo',
      `access_token=${good}; access_token=${evil.replaceAll('.', '%2E')}`,
    ],
    ['a value encoded twice', `access_token=${good}; access_token=${evil.replaceAll('.', '%252E')}`],
    [
      'octal escapes in quotes, as Python reads them',
      `access_token="${evil.replaceAll('.', '\\056')}"; access_token=${good}`,
    ],
    ['a JSON text, as Express reads it', `access_token=j:"${evil.replace('.', '\\u002e')}"; access_token=${good}`],
    ['a signature with padding, as lenient libraries read it', `access_token=${evil}==; access_token=${good}`],
    [
      'junk in the signature, as lenient libraries read it',
      `access_token=${evil.slice(0, -2)}!ln; access_token=${good}`,
    ],
    ['the scheme before the token', `access_token=Bearer ${evil}; access_token=${good}`],
    ['a token that the app signed once more', `access_token=s:${evil}.bWFj; access_token=${good}`],
    ['a token whose header has a certificate chain', `access_token="${chained}"; access_token=${good}`],
    ['an encoded list, as old PHP reads it', `access_token%5Ba%5D=${evil}; access_token=${good}`],
    ['an encoded NUL behind the name, as old PHP reads it', `access_token%00x=${evil}; access_token=${good}`],
  ])('%s', (what, value) => {
    const more = what.startsWith('in a second') ? ['cookie', `access.token=${evil}`] : []
    expect(extract(['cookie', value, ...more])).toMatchObject({ reason: 'token_multiple' })
    expect(
      extract(['cookie', value.replace(`access_token=${good}`, 'a=1'), ...more, 'authorization', `Bearer ${good}`]),
    ).toMatchObject({
      reason: 'token_multiple',
    })
  })

  it.each([
    'theme=dark; xaccess_token=1; access_tokens=2',
    'a=access_token; b=c-access_token',
    'access-tokenizer=1',
    'a=%zz; b="quoted"; c=d,e',
  ])('other odd pairs pass: %s', (value) => {
    expect(cookie(`${value}; access_token=${good}`)).toMatchObject({ token: good })
  })
})

describe('a parameter that another parser reads under the name of the source counts as a second token:', () => {
  it.each([
    ['the parameter twice', `access_token=${good}&access_token=${evil}`],
    ['the parameter twice, equal', `access_token=${good}&access_token=${good}`],
    // holds: query-parameters-as-lists
    ['a list', `access_token=${good}&access_token[]=${evil}`],
    ['an encoded list', `access_token=${good}&access_token%5B%5D=${evil}`],
    ['a map', `access_token[x]=${evil}&access_token=${good}`],
    ['a dot', `access.token=${evil}&access_token=${good}`],
    ['an encoded letter', `access%5Ftoken=${evil}&access_token=${good}`],
    ['a plus', `access+token=${evil}&access_token=${good}`],
    ['capital letters', `Access_Token=${evil}&access_token=${good}`],
    // holds: query-parameters-as-lists
    ['behind a semicolon', `access_token=${good}&a=b;access_token=${evil}`],
    ['in brackets, as Express and Rack read it', `access_token=${good}&[access_token]=${evil}`],
    ['in encoded brackets', `access_token=${good}&%5Baccess_token%5D=${evil}`],
    ['behind a NUL, as PHP reads it', `access_token=${good}&access_token%00x=${evil}`],
    ['a map whose key cannot be decoded', `access_token=${good}&access_token[%zz]=${evil}`],
    ['a map whose key is not UTF-8', `access_token=${good}&access%5Ftoken[%ff]=${evil}`],
  ])('%s', (_what, query) => {
    expect(extract([], query)).toMatchObject({ reason: 'token_multiple' })
  })

  it('beside a token in another place too', () => {
    for (const headers of [
      ['authorization', `Bearer ${good}`],
      ['cookie', `access_token=${good}`],
    ])
      expect(extract(headers, `access%5Ftoken=${evil}`)).toMatchObject({ reason: 'token_multiple' })
  })

  it('alone, such a spelling is no token', () => {
    expect(extract([], `access%5Ftoken=${evil}`)).toMatchObject({ reason: 'token_missing' })
  })
})

describe('a request is refused', () => {
  it.each<[string, string[], string, string]>([
    ['without a token', ['accept', '*/*'], 'x=1', 'token_missing'],
    ['with an empty cookie', ['cookie', 'access_token='], '', 'token_missing'],
    ['with a cookie that is not shaped like a token', ['cookie', 'access_token=abc'], '', 'token_missing'],
    [
      'with two Authorization lines',
      ['authorization', 'Bearer a.b.c', 'authorization', 'Bearer a.b.c'],
      '',
      'token_multiple',
    ],
    [
      'with one in a header and one in a cookie',
      ['authorization', `Bearer ${evil}`, 'cookie', `access_token=${good}`],
      '',
      'token_multiple',
    ],
    [
      'with one in a header that is in one of two cookies',
      ['authorization', `Bearer ${good}`, 'cookie', `access_token=${good}; access_token=${evil}`],
      '',
      'token_multiple',
    ],
    [
      'with one in a header and one in the query',
      ['authorization', `Bearer ${good}`],
      `access_token=${evil}`,
      'token_multiple',
    ],
    ['with one that is too long', ['authorization', `Bearer ${'a'.repeat(201)}`], '', 'token_too_large'],
  ])('%s', (_what, headers, query, reason) => {
    expect(extract(headers, query)).toMatchObject({ reason })
  })
})

it('no place is looked at that the settings do not name', () => {
  expect(extract(['cookie', `access_token=${good}`], `access_token=${good}`, [inHeader])).toMatchObject({
    reason: 'token_missing',
  })
})

it('everything after the scheme is left to the strict reader, so that a list of tokens is no token', () => {
  expect(extract(['authorization', 'Bearer a.b.c, Bearer d.e.f'])).toMatchObject({ token: 'a.b.c, Bearer d.e.f' })
})
