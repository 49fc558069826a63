// What a stranger would write, and the advice that comes back: each says what to write instead.
import { expect, test } from 'vitest'
import { issuersLine, problemsOf } from '../support/settings.ts'

const place = /^sidegate\.yaml:\d+:\d+ /
const refused = (text: string) => problemsOf(text).map((line) => line.replace(place, ''))
const entry = '{ issuer: "https://id.example.com", audiences: [your-api], keys: { discovery: true } }'

test('an issuer alone, in a variable or in the file, is shown as an entry of the list', () => {
  const line = `Expected a list of at least one issuer, got "https://id.example.com", did you mean [${entry}]`
  expect(problemsOf('{}', { environment: { SIDEGATE_ISSUERS: 'https://id.example.com' } })).toEqual([
    `SIDEGATE_ISSUERS: ${line}`,
  ])
  expect(refused('issuers: https://id.example.com')).toEqual([`issuers: ${line}`])
  expect(refused('issuers: [https://id.example.com]')).toEqual([
    `issuers[0]: Expected a group of settings, got "https://id.example.com", did you mean ${entry}`,
  ])
})

test('a list with too many items says how many it may have', () => {
  const issuers = Array.from(
    { length: 33 },
    (_, at) => `{ issuer: https://i${at}.example, audiences: [a], keys: { discovery: true } }`,
  )
  expect(refused(`issuers: [${issuers.join(', ')}]`)).toEqual(['issuers: Expected at most 32 in this list, got 33'])
})

test.each([
  ['routes: /admin', 'routes: Expected a list of routes, got "/admin", did you mean [{ path: "/admin" }]'],
  ['routes: [/admin]', 'routes[0]: Expected a group of settings, got "/admin", did you mean { path: "/admin" }'],
  ['routes: { path: /admin }', 'routes: Expected a list of routes, got a group, did you mean [{ … }]'],
  [
    'tokens: { sources: authorization }',
    'tokens.sources: Expected a list of at least one source, such as { header: authorization }, got "authorization", did you mean [{ header: authorization }]',
  ],
  [
    'routes: [{ path: /a, methods: [ANY] }]',
    'routes[0].methods[0]: Expected a method such as "GET", got "ANY", leave "methods" out for all methods',
  ],
  [
    'routes: [{ path: /a, methods: ["*"] }]',
    'routes[0].methods[0]: Expected a method such as "GET", got "*", leave "methods" out for all methods',
  ],
  [
    'routes: [{ path: /a, methods: [GETT] }]',
    'routes[0].methods[0]: Expected a method such as "GET", got "GETT", did you mean "GET"',
  ],
  [
    'routes: [{ path: /a, methods: ["GET,POST"] }]',
    'routes[0].methods[0]: Expected a method such as "GET", got "GET,POST", did you mean [GET, POST]',
  ],
  ['cors: { origins: "*" }', 'cors.origins: Expected a list of origins, got "*"'],
  [
    'forward: { trustedProxies: [10.0.0.5/8] }',
    'forward.trustedProxies[0]: Expected a range that begins with its first address, got "10.0.0.5/8", did you mean "10.0.0.0/8" or "10.0.0.5" alone',
  ],
  [
    "forward: { trustedProxies: ['fd00::1/8'] }",
    'forward.trustedProxies[0]: Expected a range that begins with its first address, got "fd00::1/8", did you mean "fd00::/8" or "fd00::1" alone',
  ],
  [
    "forward: { trustedProxies: ['10.0.0.1:80'] }",
    'forward.trustedProxies[0]: Expected an address range such as "10.0.0.0/8" or "fd00::/8", got "10.0.0.1:80", did you mean "10.0.0.1"',
  ],
  [
    'upstream: http://127.0.0.1:0',
    'upstream: Expected a URL such as "http://127.0.0.1:3000", got "http://127.0.0.1:0"',
  ],
  [
    'upstream: unix:/run/app.sock',
    'upstream: Expected a URL such as "http://127.0.0.1:3000", got "unix:/run/app.sock", sockets of the file system are not supported',
  ],
])('%s', (text, line) => expect(refused(`${issuersLine}\n${text}`)).toEqual([line]))

test.each([
  ['1h30m', '90m'],
  ['1.5h', '90m'],
  ['7d', '168h'],
  ['1w', '168h'],
  ['PT5M', '5m'],
  ['90 seconds', '90s'],
  ['30', '30s'],
])('the duration %s is shown as %s', (given, right) => {
  expect(refused(`${issuersLine}\nrevocation: { maxStaleness: '${given}' }`)).toEqual([
    `revocation.maxStaleness: Expected a duration such as "500ms", "30s", "5m" or "12h", got "${given}", did you mean "${right}"`,
  ])
})

test.each([
  ['8KB', 8192],
  ['8KiB', 8192],
  ['8k', 8192],
  ["'8192'", 8192],
  ['8_192', 8192],
])('the size %s is shown as %d', (given, right) => {
  expect(refused(`${issuersLine}\ntokens: { maxBytes: ${given} }`)).toEqual([
    `tokens.maxBytes: Expected a whole number from 256 to 16384, got "${given.replaceAll("'", '')}", did you mean ${right}`,
  ])
})

test('ranges that begin with their first address are taken, in every spelling', () => {
  for (const range of [
    '10.0.0.0/8',
    '192.168.1.7',
    '192.168.1.7/32',
    '0.0.0.0/1',
    'fd00::/8',
    '2001:DB8::/32',
    '::1',
    '::ffff:10.0.0.0/104',
  ])
    expect(problemsOf(`${issuersLine}\nmode: off\nforward: { trustedProxies: ['${range}'] }`), range).toHaveLength(1)
})
