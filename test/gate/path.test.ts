import { describe, expect, it } from 'vitest'
import { readPath } from '../../src/gate/path.ts'

describe('reading a path', () => {
  const plain: Record<string, string> = {
    '/': '/',
    '/orders/7': '/orders/7',
    '/orders/': '/orders/',
    '/%61dmin': '/admin',
    '/caf%C3%A9': '/café',
    '/a.b/c..d/...': '/a.b/c..d/...',
    '/100%25': '/100%',
    '/100%25%20off': '/100% off',
    '/.well-known/jwks.json': '/.well-known/jwks.json',
    '/a:b@c,d+e$f&g=h!(i)': '/a:b@c,d+e$f&g=h!(i)',
  }
  for (const [raw, decoded] of Object.entries(plain)) {
    it(`reads ${raw} as ${decoded}`, () => expect(readPath(raw)).toBe(decoded))
  }

  const ambiguous = [
    ...['', 'orders', '*', 'http://x/public'],
    ...['/public/../admin', '/public/..', '/.', '/./admin', '/admin/.'],
    ...['/%2e%2e/admin', '/public/%2E%2e/admin', '/public/.%2e/admin', '/%2e/admin', '/public/%2e'],
    ...['/public%2f..%2fadmin', '/public%2Fadmin', '/public%5cadmin', '/public\\..\\admin'],
    ...['//admin', '/public//admin', '/public///', '/admin//'],
    ...['/public;/admin', '/admin;jsessionid=1', '/public/..;/admin', '/admin%3bx'],
    ...['/admin%00', '/admin%00.html', '/admin%0d%0aX: y', '/admin%09', '/admin%7f', '/admin%1f'],
    ...['/%252e%252e/admin', '/public%252fadmin', '/%2561dmin'],
    // holds: encoded-slashes-and-dots
    ...['/public%25%32%66admin', '/public/..%252%66admin', '/%25%32%65%25%32%65/admin', '/%2%35%32f'],
    ...[
      '/%c0%ae%c0%ae/admin',
      '/%e0%80%af',
      // holds: encoded-slashes-and-dots
      '/%c0%af',
      '/%ff',
      '/%ed%a0%80',
    ],
    ...['/%', '/%2', '/%zz', '/%u002e', '/a%'],
    ...['/admin ', '/ad\tmin', '/adm\u0000in', '/café', '/\u2215admin', '/admin\u007f'],
  ]
  for (const raw of ambiguous) {
    it(`does not judge ${JSON.stringify(raw)}`, () => expect(readPath(raw)).toBeUndefined())
  }
})
