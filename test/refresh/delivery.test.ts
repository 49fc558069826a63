import { describe, expect, test } from 'vitest'
import { type CookiePolicy, deliveryOf, expiryLines } from '../../src/refresh/delivery.ts'

const plain: CookiePolicy = { path: '/', sameSite: 'Lax', secure: true, httpOnly: true, domain: undefined }
const odd: CookiePolicy = { path: '/app', sameSite: 'Strict', secure: false, httpOnly: false, domain: 'example.com' }

/** The Set-Cookie line of a token that came in this cookie and whose successor has this long to live. */
function cookieFor(name: string, cookie: CookiePolicy, remainingSeconds = 90.9): string | undefined {
  const policy = { header: 'x-refreshed-token', cookie, maxBytes: 8192 }
  return deliveryOf('a.b.c', [{ cookie: name }], policy, remainingSeconds)[0]?.value
}

test('the header carries a token that came in a header or the query, a cookie one that came in a cookie', () => {
  const policy = { header: 'x-next', cookie: plain, maxBytes: 8192 }
  const header = { name: 'x-next', value: 'a.b.c' }
  const cookie = { name: 'set-cookie', value: expect.stringMatching(/^s=a\.b\.c; /) }
  const [inHeader, inCookie] = [{ header: 'authorization' }, { cookie: 's' }]
  for (const sources of [[], [inHeader], [{ query: 'access_token' }]])
    expect(deliveryOf('a.b.c', sources, policy, 90)).toEqual([header])
  expect(deliveryOf('a.b.c', [inCookie], policy, 90)).toEqual([cookie])
  expect(deliveryOf('a.b.c', [inHeader, inCookie], policy, 90)).toEqual([header, cookie])
  const readable = { ...policy, cookie: { ...plain, header: true } }
  expect(deliveryOf('a.b.c', [inCookie], readable, 90)).toEqual([header, cookie])
})

test('a cookie is taken from the browser for this host and for the domain of the settings', () => {
  expect(expiryLines('session', plain)).toEqual(['session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax'])
  expect(expiryLines('session', odd)).toEqual([
    'session=; Path=/app; Max-Age=0; SameSite=Strict',
    'session=; Path=/app; Max-Age=0; Domain=example.com; SameSite=Strict',
  ])
})

describe('a cookie', () => {
  const lines: Record<string, readonly [name: string, policy: CookiePolicy, line: string]> = {
    'has the attributes of the settings': [
      'session',
      odd,
      'session=a.b.c; Path=/app; Max-Age=90; Domain=example.com; SameSite=Strict',
    ],
    'has by default what keeps it from scripts, other sites and plain connections': [
      'session',
      plain,
      'session=a.b.c; Path=/; Max-Age=90; HttpOnly; Secure; SameSite=Lax',
    ],
    'with SameSite=None is Secure, as browsers drop it otherwise': [
      'session',
      { ...odd, sameSite: 'None' },
      'session=a.b.c; Path=/app; Max-Age=90; Domain=example.com; Secure; SameSite=None',
    ],
    'named __Secure- is Secure': [
      '__Secure-session',
      odd,
      '__Secure-session=a.b.c; Path=/app; Max-Age=90; Domain=example.com; Secure; SameSite=Strict',
    ],
    'named __Host- is Secure, for all paths and for this host alone': [
      '__Host-session',
      odd,
      '__Host-session=a.b.c; Path=/; Max-Age=90; Secure; SameSite=Strict',
    ],
    'is known by these names in any case of letters, as browsers know it': [
      '__hOST-session',
      odd,
      '__hOST-session=a.b.c; Path=/; Max-Age=90; Secure; SameSite=Strict',
    ],
  }
  for (const [sentence, [name, policy, line]] of Object.entries(lines))
    test(sentence, () => expect(cookieFor(name, policy)).toBe(line))

  test('of a token that has run out is taken back', () => {
    expect(cookieFor('s', plain, -5)).toContain('Max-Age=0;')
  })
})
