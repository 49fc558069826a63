// Settings that work as written, but probably not as meant: a warning, and no problem.
import { describe, expect, test } from 'vitest'
import { issuersLine, load, problemsOf, warningsOf } from '../../support/settings.ts'

test('ranges of proxies that hold every client', () => {
  expect(warningsOf(`${issuersLine}\nforward: { trustedProxies: [10.0.0.0/8, 0.0.0.0/0] }`)).toEqual([
    'sidegate.yaml:2:41 forward.trustedProxies[1]: Every client is believed to be a proxy: "0.0.0.0/0" holds all addresses, name the addresses of the proxies in front alone',
  ])
})

describe('an Authorization that the gate does not read', () => {
  const cookie = `${issuersLine}\ntokens: { sources: [{ cookie: session }] }`
  const line =
    'sidegate.yaml:2:11 tokens.sources: The header Authorization is no source of tokens, and reaches the app unread, add { header: authorization }, or leave it out with forward.drop: [authorization]'

  const warnings = (text: string) => warningsOf(text).filter((warning) => warning.includes('Authorization'))

  test('may hold another token than the judged one', () => {
    expect(warnings(cookie)).toEqual([line])
  })

  test.each([
    ['it is left out', `${cookie}\nforward: { drop: [Authorization] }`],
    ['it is a source too', `${issuersLine}\ntokens: { sources: [{ cookie: session }, { header: authorization }] }`],
    ['nothing is said', issuersLine],
  ])('is no warning where %s', (_, text) => {
    expect(warnings(text)).toEqual([])
  })
})

test('a warning is told beside problems, and is none of them', () => {
  const text = `${issuersLine}\nforward: { trustedProxies: ['::/0'] }\nmode: off`
  expect(problemsOf(text)).toHaveLength(1)
  expect(load(text).warnings).toHaveLength(1)
})

describe('routes', () => {
  const warnings = (routes: string) =>
    warningsOf(`${issuersLine}\nroutes: [${routes}]`).map((line) => line.replace(/^sidegate\.yaml:\d+:\d+ /, ''))
  const otherSpelling = 'an app that ignores letter case or a slash at the end takes the two for one page'

  test.each([
    [
      '{ path: /Admin, access: public }, { path: /admin/*, scopes: [x] }',
      `routes[0].path: Route "/Admin" is public and comes before routes[1], "/admin/*": ${otherSpelling}, move it down, unless the app tells them apart`,
    ],
    [
      '{ path: /Admin }, { path: /admin, scopes: [x] }',
      `routes[0].path: Route "/Admin" asks for less and comes before routes[1], "/admin": ${otherSpelling}, move it down, unless the app tells them apart`,
    ],
    [
      '{ path: "/files/{name}", access: public }, { path: /Files/secret }',
      `routes[0].path: Route "/files/{name}" is public and comes before routes[1], "/Files/secret": ${otherSpelling}, move it down, unless the app tells them apart`,
    ],
    [
      '{ path: /a/, methods: [GET], access: public }, { path: /a, methods: [HEAD, PUT] }',
      `routes[0].path: Route "/a/" is public and comes before routes[1], "/a": ${otherSpelling}, move it down, unless the app tells them apart`,
    ],
    [
      '{ path: /a, scopes: [x] }, { path: /A, scopes: [y] }',
      'routes[1].path: Route "/A" needs what routes[0], "/a", asks for as well, which asks for something in every spelling of its path and comes first, move it up if the app takes the two for different pages',
    ],
    [
      '{ path: /admin.php, scopes: [x] }',
      'routes[0].path: Route "/admin.php" leaves out "/admin.php/x", which PHP and CGI answer with the same file, write "/admin.php/*"',
    ],
    [
      '{ path: /admin.php }, { path: /*, access: public }',
      'routes[0].path: Route "/admin.php" leaves out "/admin.php/x", which PHP and CGI answer with the same file, write "/admin.php/*"',
    ],
    [
      '{ path: /admin/, scopes: [x] }',
      'routes[0].path: Route "/admin/" means that one path and nothing below it, write "/admin/*"',
    ],
    ['{ path: /, scopes: [x] }', 'routes[0].path: Route "/" means that one path and nothing below it, write "/*"'],
  ])('%s', (routes, line) => expect(warnings(routes)).toEqual([line]))

  test.each([
    '{ path: /healthz, methods: [GET], access: public }, { path: /admin/*, scopes: [admin] }, { path: /*, access: public }',
    '{ path: /admin/login, access: public }, { path: /admin/*, scopes: [admin] }',
    '{ path: /a, methods: [GET], access: public }, { path: /A, methods: [POST], scopes: [x] }',
    '{ path: /a, scopes: [x] }, { path: /A, scopes: [x] }',
    '{ path: /admin.php }',
    '{ path: /admin.php, scopes: [x] }, { path: /*, scopes: [x] }',
    '{ path: /admin.php/*, scopes: [x] }',
    '{ path: /index.php, access: public }',
    '{ path: /, access: public }',
    '{ path: /v1.2, scopes: [x] }',
  ])('no word about %s', (routes) => expect(warnings(routes)).toEqual([]))
})

test('an app at an address needs a certificate for the address, or a name', () => {
  expect(warningsOf(`${issuersLine}\nupstream: https://127.0.0.1:8443`)).toEqual([
    expect.stringMatching(
      /upstream: The certificate of the app has to hold the address "127\.0\.0\.1", where it holds a name, set "upstreamTls\.serverName" to that$/,
    ),
  ])
  for (const settings of [
    'upstream: https://127.0.0.1:8443\nupstreamTls: { serverName: app.svc }',
    'upstream: https://app.svc',
    'upstream: http://127.0.0.1:3000',
  ])
    expect(warningsOf(`${issuersLine}\n${settings}`)).toEqual([])
})
