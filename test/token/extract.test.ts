import { describe, expect, it } from 'vitest'
import type { TokenSource } from '../../src/model/decision.ts'
import { createExtractor } from '../../src/token/extract.ts'

const sources: readonly TokenSource[] = [{ header: 'authorization' }, { cookie: 'session' }]
const all: readonly TokenSource[] = [...sources, { header: 'x-api-token' }, { query: 'access_token' }]

function extract(headers: readonly string[], query = '', from = all) {
  return createExtractor({ sources: from, maxBytes: 100 })({ method: 'GET', path: '/', query, headers })
}

describe('finding the one token of a request', () => {
  const found: Record<string, [headers: readonly string[], query: string, token: string, source: TokenSource]> = {
    'in Authorization': [['authorization', 'Bearer a.b.c'], '', 'a.b.c', { header: 'authorization' }],
    'whatever the case of the scheme': [['authorization', 'bEARER a.b.c'], '', 'a.b.c', { header: 'authorization' }],
    'after several spaces': [['authorization', 'Bearer   a.b.c'], '', 'a.b.c', { header: 'authorization' }],
    'in a cookie among others': [['cookie', 'a=1; session=a.b.c; b=2'], '', 'a.b.c', { cookie: 'session' }],
    'in a cookie of a second Cookie line': [
      ['cookie', 'a=1', 'cookie', 'session=a.b.c'],
      '',
      'a.b.c',
      { cookie: 'session' },
    ],
    'in a header of another name': [['x-api-token', 'a.b.c'], '', 'a.b.c', { header: 'x-api-token' }],
    'in the query, where that is configured': [[], 'x=1&access_token=a.b.c', 'a.b.c', { query: 'access_token' }],
    'beside a credential of another scheme': [
      ['authorization', 'Basic dTpw', 'cookie', 'session=a.b.c'],
      '',
      'a.b.c',
      { cookie: 'session' },
    ],
  }
  for (const [name, [headers, query, token, source]] of Object.entries(found)) {
    it(`finds it ${name}`, () => expect(extract(headers, query)).toEqual({ token, source }))
  }

  const refused: Record<string, [headers: readonly string[], query: string, reason: string]> = {
    'no token at all': [['accept', '*/*'], 'x=1', 'token_missing'],
    'another scheme alone': [['authorization', 'Basic dTpw'], '', 'token_missing'],
    'a scheme that only begins like Bearer': [['authorization', 'Bearer-invalid a.b.c'], '', 'token_missing'],
    'a scheme and its token without a space': [['authorization', 'Bearera.b.c'], '', 'token_missing'],
    'a cookie whose name only ends like ours': [['cookie', 'xsession=a.b.c'], '', 'token_missing'],
    'an empty cookie': [['cookie', 'session='], '', 'token_missing'],
    'two Authorization lines': [
      ['authorization', 'Bearer a.b.c', 'authorization', 'Bearer a.b.c'],
      '',
      'token_multiple',
    ],
    'one in the query and one under an encoded spelling of its name': [
      [],
      'access_token=a.b.c&access%5Ftoken=d.e.f',
      'token_multiple',
    ],
    'an encoded spelling of the name alone': [[], 'access%5Ftoken=a.b.c', 'token_missing'],
    'one in a header and one in a cookie': [
      ['authorization', 'Bearer a.b.c', 'cookie', 'session=d.e.f'],
      '',
      'token_multiple',
    ],
    'the cookie twice': [['cookie', 'session=a.b.c; session=d.e.f'], '', 'token_multiple'],
    'the parameter twice': [[], 'access_token=a.b.c&access_token=d.e.f', 'token_multiple'],
    'a token longer than the limit': [['authorization', `Bearer ${'a'.repeat(101)}`], '', 'token_too_large'],
  }
  for (const [name, [headers, query, reason]] of Object.entries(refused)) {
    it(`refuses ${name} as ${reason}`, () => expect(extract(headers, query)).toMatchObject({ reason }))
  }

  it('does not look into the query unless that is configured', () => {
    expect(extract([], 'access_token=a.b.c', sources)).toMatchObject({ reason: 'token_missing' })
  })

  it('gives everything after the scheme to the strict reader, so that a list of tokens is no token', () => {
    expect(extract(['authorization', 'Bearer a.b.c, Bearer d.e.f'])).toMatchObject({ token: 'a.b.c, Bearer d.e.f' })
  })
})
