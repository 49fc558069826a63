import { expect, test } from 'vitest'
import { withJudgedTokenAlone, withoutQueryToken, withoutToken } from '../../../src/http/headers/strip-token.ts'

const cookie = [{ cookie: 'session' }]
const query = [{ query: 'access_token' }]

test('the cookie of the token goes, with whatever spaces it was found, and every other byte stays', () => {
  expect(withoutToken('cookie', 'a=1; session=x.y.z; b=2', cookie)).toBe('a=1; b=2')
  expect(withoutToken('cookie', 'a=1; session =x.y.z;b=2', cookie)).toBe('a=1;b=2')
  expect(withoutToken('cookie', 'xsession=1; sessions=2; session; a=session=3', cookie)).toBe(
    'xsession=1; sessions=2; session; a=session=3',
  )
  expect(withoutToken('cookie', ' session = x.y.z', cookie)).toBeUndefined()
})

test('the parameter of the token goes, in every spelling of its name, and every other byte stays', () => {
  expect(withoutQueryToken('/a?x=%31&access_token=x.y.z&y', query)).toBe('/a?x=%31&y')
  expect(withoutQueryToken('/a?access%5Ftoken=x.y.z', query)).toBe('/a')
  expect(withoutQueryToken('/a?xaccess_token=1&%zz=2', query)).toBe('/a?xaccess_token=1&%zz=2')
})

test('an equal token in two parameters goes from both', () => {
  const both = [...query, { query: 'jwt' }]
  expect(withoutQueryToken('/a?jwt=x.y.z&x=1&access_token=x.y.z', both)).toBe('/a?x=1')
})

// holds: cookie-value-beside-judged
test('of several tokens in a cookie only the judged one stays', () => {
  expect(withJudgedTokenAlone('a=1; session=x.y.z; session=d.e.f; b=2', cookie, 'd.e.f')).toBe(
    'a=1; session=d.e.f; b=2',
  )
  expect(withJudgedTokenAlone('session=x.y.z', cookie, 'd.e.f')).toBeUndefined()
})

// holds: cookie-value-beside-judged
test('an equal token goes from every place where it was found', () => {
  const both = [{ header: 'authorization' }, ...cookie]
  expect(withoutToken('authorization', 'Bearer x.y.z', both)).toBeUndefined()
  expect(withoutToken('cookie', 'a=1; session=x.y.z', both)).toBe('a=1')
})
