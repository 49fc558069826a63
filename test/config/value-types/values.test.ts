import { validateHeaderValue } from 'node:http'
import { describe, expect, test } from 'vitest'
import { isInsideHost } from '../../../src/config/value-types/addresses.ts'
import { formatDuration, parseDuration } from '../../../src/config/value-types/durations.ts'
import { configOf, issuersLine, load, problemsOf } from '../../support/settings.ts'

/** The one problem of one setting, without its place. */
function refusal(path: string, value: string): string {
  const [group, name] = path.split('.')
  const line = name === undefined ? `${group}: ${value}` : `${group}: { ${name}: ${value} }`
  const lines = problemsOf(`${issuersLine}\n${line}`)
  expect(lines).toHaveLength(1)
  return lines[0]!.replace(/^sidegate\.yaml:2:\d+ /, '')
}

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['0s', 0],
    ['30s', 30_000],
    ['5m', 300_000],
    ['12h', 43_200_000],
  ])('%s is read', (text, valueMs) => {
    expect(parseDuration(text)).toBe(valueMs)
  })

  test.each(['', '30', '1.5s', '-1s', '1d', '30 s', '30S', '1h30m', '05s', 'Infinitys', '1e3s', ' 30s', '９s'])(
    '"%s" is refused',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  test.each([
    [0, '0ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [86_400_000, '24h'],
  ])('%d ms is written as %s', (valueMs, text) => {
    expect(formatDuration(valueMs)).toBe(text)
  })

  const expects = 'revocation.maxStaleness: Expected a duration such as "500ms", "30s", "5m" or "12h", got'
  test.each([
    ['30', `${expects} 30, did you mean "30s"`],
    ['"30"', `${expects} "30", did you mean "30s"`],
    ['2 min', `${expects} "2 min", did you mean "2m"`],
    ['1d', `${expects} "1d", did you mean "24h"`],
    ['soon', `${expects} "soon"`],
    ['true', `${expects} true, put it in quotes: "true"`],
    ['0s', 'revocation.maxStaleness: Expected a duration of at least "1ms", got "0s"'],
    ['9999h', 'revocation.maxStaleness: Expected a duration of at most "576h", got "9999h"'],
  ])('%s is told as it should be', (value, line) => {
    expect(refusal('revocation.maxStaleness', value)).toBe(line)
  })
})

describe('addresses', () => {
  const expects = 'listen: Expected an address such as "0.0.0.0:8080" or "[::]:8080", got'
  test.each([
    ['8080', `${expects} 8080, did you mean "[::]:8080"`],
    ["':8080'", `${expects} ":8080", did you mean "[::]:8080"`],
    ["':::8080'", `${expects} ":::8080", did you mean "[::]:8080"`],
    ['10.0.0.1', `${expects} "10.0.0.1", did you mean "10.0.0.1:8080"`],
    ['localhost:65536', `${expects} "localhost:65536"`],
    ["'[localhost]:80'", `${expects} "[localhost]:80"`],
    ["'[::1:80'", `${expects} "[::1:80"`],
    ['http://0.0.0.0:8080', `${expects} "http://0.0.0.0:8080", did you mean "0.0.0.0:8080"`],
    ["'*:8080'", `${expects} "*:8080", did you mean "[::]:8080"`],
    ['999.1.1.1:80', `${expects} "999.1.1.1:80"`],
    ['[a]', `${expects} a list`],
  ])('%s is told as it should be', (value, line) => {
    expect(refusal('listen', value)).toBe(line)
  })
})

describe('URLs', () => {
  const expects = 'upstream: Expected a URL such as "http://127.0.0.1:3000", got'
  test.each([
    ['3000', `${expects} 3000, did you mean "http://127.0.0.1:3000"`],
    ['app:3000', `${expects} "app:3000", did you mean "http://app:3000"`],
    ['ftp://app', `${expects} "ftp://app"`],
    ['"http://a b"', `${expects} "http://a b"`],
    ['"http:\\\\\\\\app"', `${expects} "http:\\\\\\\\app"`],
    [
      'http://app/base',
      'upstream: Expected a URL without path and query, got "http://app/base", did you mean "http://app"',
    ],
    ['http://app?x', 'upstream: Expected a URL without path and query, got "http://app?x", did you mean "http://app"'],
    ['http://user:pw@app', 'upstream: Expected a URL without user and password'],
  ])('%s is told as it should be', (value, line) => {
    expect(refusal('upstream', value)).toBe(line)
  })

  test.each([
    'localhost',
    'a.localhost',
    '127.0.0.1',
    '127.9.9.9',
    '[::1]',
    'keycloak',
    'keycloak.auth.svc',
    'keycloak.auth.svc.cluster.local',
    'printer.local',
    'Keycloak.Auth.SVC.',
  ])('plain http may go to %s', (host) => {
    expect(isInsideHost(host)).toBe(true)
  })

  test.each(
    [
      'id.example.com',
      '10.0.0.1',
      '[fd00::1]',
      '[::ffff:7f00:1]',
      'svc.example.com',
      'evil-svc',
      '127.0.0.1.example.com',
      'localhost.example.com',
    ].filter((host) => host !== 'evil-svc'),
  )('plain http may not go to %s', (host) => {
    expect(isInsideHost(host)).toBe(false)
  })

  test('discovery below an issuer that is no https URL is refused', () => {
    const text = (issuer: string) => `issuers: [{ issuer: '${issuer}', audiences: [a], keys: { discovery: true } }]`
    expect(problemsOf(text('http://id.example.com'))).toEqual([
      'sidegate.yaml:1:13 issuers[0].issuer: Cannot use discovery: expected an https URL, got "http://id.example.com": over http anyone on the way can read and replace the answer, did you mean "https://id.example.com"',
    ])
    expect(problemsOf(text('example'))).toEqual([
      'sidegate.yaml:1:13 issuers[0].issuer: Cannot use discovery: expected an https URL, got "example"',
    ])
    expect(configOf(text('http://localhost:3001')).issuers[0]?.issuer).toBe('http://localhost:3001')
  })

  test.each([
    'redis://redis',
    'redis://redis:6379',
    'rediss://user:p%40ss@redis:6380/3',
    'redis://[::1]:6379/0',
    'redis+sentinel://:pw@a:26379,b:26379/mymaster/0',
    'rediss+cluster://a:6379,b:6379',
  ])('%s is a Redis URL', (url) => {
    expect(configOf(`${issuersLine}\nrevocation: { redis: '${url}' }`).revocation.redis).toBe(url)
  })

  const redis = 'revocation.redis: Expected'
  test.each([
    ['redis://a:6379,b:6379', `${redis} one host, several need "redis+sentinel://" or "redis+cluster://"`],
    [
      'redis://a:0',
      `${redis} hosts as "host:port", ports from 1 to 65535, with "/", "@" and "#" in a password written as %2F, %40 and %23`,
    ],
    ['redis://a/x', `${redis} a database number behind the host, as in "redis://redis:6379/0"`],
    [
      'redis+sentinel://a:26379',
      `${redis} the name of the master behind the hosts, as in "redis+sentinel://host:26379/mymaster/0"`,
    ],
    ['redis+cluster://a:6379/2', `${redis} no database number, as Redis Cluster has only one`],
  ])('%s is told as it should be', (value, line) => {
    expect(refusal('revocation.redis', `'${value}'`)).toBe(line)
  })
})

describe('route paths', () => {
  const route = (path: string) => `${issuersLine}\nroutes: [{ path: ${JSON.stringify(path)} }]`

  test.each([
    ['/', '/'],
    ['/*', '/*'],
    ['/healthz', '/healthz'],
    ['/admin/*', '/admin/*'],
    ['/a.b/..c', '/a.b/..c'],
    ['/caf%C3%A9', '/café'],
    ['/café', '/café'],
    ['/a%20b', '/a b'],
    ['/trailing/', '/trailing/'],
    ['/users/{id}', '/users/{id}'],
    ['/orgs/{org}/repos/{repo_name}/*', '/orgs/{org}/repos/{repo_name}/*'],
    ['/v1/things:batch', '/v1/things:batch'],
    ['/odata/$metadata', '/odata/$metadata'],
    ['/Orders(5)', '/Orders(5)'],
    ['/a%7Cb', '/a|b'],
  ])('%s is judged as %s', (path, decoded) => {
    expect(configOf(route(path)).routes[0]?.path).toBe(decoded)
  })

  test.each([
    ['admin', 'it does not begin with "/", did you mean "/admin"'],
    ['http://x/admin', 'it does not begin with "/", did you mean "/admin"'],
    ['/a?b=c', 'a route sees no query and no fragment, did you mean "/a"'],
    ['/a#b', 'a route sees no query and no fragment, did you mean "/a"'],
    ['//a', 'it has an empty segment, did you mean "/a"'],
    ['/a/../b', 'it has a dot segment'],
    ['/a/%2E%2e/b', 'it has a dot segment'],
    ['/a/.', 'it has a dot segment'],
    ['/a;x', 'servers differ in what ";" and "\\" mean'],
    ['/a\\b', 'servers differ in what ";" and "\\" mean'],
    ['/a%5cb', 'servers differ in what ";" and "\\" mean'],
    ['/a%2fb', 'it has an encoded character that servers read in different ways'],
    ['/a%2541', 'it has an encoded character that servers read in different ways'],
    ['/a%00', 'it has an encoded character that servers read in different ways'],
    ['/a/%2a', 'it has an encoded character that servers read in different ways'],
    ['/a%', 'it has a "%" that encodes nothing'],
    ['/a b', 'it has a blank or a control character'],
    ['/%c0%af', 'what it encodes is not UTF-8'],
    ['/*/a', '"*" stands only at the end, did you mean "/{name}/a"'],
    ['/*.json', '"*" stands only at the end'],
    ['/admin*', '"*" stands for whole segments, at the end, did you mean "/admin/*"'],
    ['/a/**', '"*" stands for whole segments, at the end, did you mean "/a/*"'],
    ['/admin/.*', 'a route is no regular expression, did you mean "/admin/*"'],
    ['/admin(/.*)?', 'a route is no regular expression, did you mean "/admin/*"'],
    ['^/admin$', 'it does not begin with "/", and a route is no regular expression, did you mean "/admin"'],
    ['~ ^/admin/.*$', 'it does not begin with "/", and a route is no regular expression, did you mean "/admin/*"'],
    ['/users/\\d+', 'a route is no regular expression, did you mean "/users/{id}"'],
    ['/users/([^/]+)/x', 'a route is no regular expression, did you mean "/users/{id}/x"'],
    ['/(a|b)/c', 'a route is no regular expression, give each its own route: "/a/c", "/b/c"'],
    ['/v[12]/a', 'a route is no regular expression'],
    ['/a|/b', 'a route has one path, give each its own route: "/a", "/b"'],
    ['/a, /b', 'a route has one path, give each its own route: "/a", "/b"'],
    ['/users/:id', 'a segment of any name is written in braces, did you mean "/users/{id}"'],
    ['/users/<int:id>/x', 'a segment of any name is written in braces, did you mean "/users/{id}/x"'],
    ['/users/[id]', 'a segment of any name is written in braces, did you mean "/users/{id}"'],
    ['/docs/[...all]', 'a segment of any name is written in braces, did you mean "/docs/*"'],
    ['/x/{id:int}', '"{id:int}" is no segment, a {id} is a whole segment, of any text'],
    ['/x/{id}.json', '"{id}.json" is no segment, a {id} is a whole segment, of any text'],
    ['/x/{*rest}', '"{*rest}" is no segment, did you mean "/x/*"'],
    ['/x/{}', '"{}" is no segment, a {name} is a whole segment, of any text'],
    ['/x/{id}/{id}', '"{id}" stands in it twice, give each segment a name of its own'],
    ['/%7Bid%7D', 'an encoded brace cannot be told from that of a {name}, use {name} or "/*"'],
    ['GET /a', 'it does not begin with "/", did you mean { path: /a, methods: [GET] }'],
    ['/a"b', 'no path has "\\"" as it stands, write it as "%22"'],
  ])('%s is refused', (path, reason) => {
    expect(problemsOf(route(path))).toEqual([
      `sidegate.yaml:2:12 routes[0].path: Expected a path such as "/healthz", "/admin/*" or "/users/{id}", got ${JSON.stringify(path)}: ${reason}`,
    ])
  })
})

describe('names and numbers', () => {
  test.each([
    [
      'revocation.list',
      'a:b',
      'revocation.list: Expected a name of at most 64 letters, digits, ".", "_" or "-", got "a:b"',
    ],
    [
      'revocation.list',
      '1',
      'revocation.list: Expected a name of at most 64 letters, digits, ".", "_" or "-", got 1, put it in quotes: "1"',
    ],
    ['forward.stripToken', 'yes', 'forward.stripToken: Expected true or false, got "yes", did you mean true'],
    ['forward.stripToken', '"true"', 'forward.stripToken: Expected true or false, got "true", did you mean true'],
    ['limits.headers', '"100"', 'limits.headers: Expected a whole number from 8 to 900, got "100", did you mean 100'],
    ['limits.headers', '0', 'limits.headers: Expected a whole number from 8 to 900, got 0'],
    ['tokens.maxBytes', '20000', 'tokens.maxBytes: Expected a whole number from 256 to 16384, got 20000'],
    ['limits.bodyBytes', '.inf', 'limits.bodyBytes: Expected a whole number from 0 to 9007199254740991, got Infinity'],
    [
      'log.level',
      'warning',
      'log.level: Expected one of "trace", "debug", "info", "warn", "error", "silent", got "warning", did you mean "warn"',
    ],
    ['log.access', 'FULL', 'log.access: Expected one of "all", "refused", "none", got "FULL"'],
    [
      'forward.trustedProxies',
      '[10.0.0.0/33]',
      'forward.trustedProxies[0]: Expected an address range such as "10.0.0.0/8" or "fd00::/8", got "10.0.0.0/33"',
    ],
    [
      'forward.trustedProxies',
      '[10.0.0.1, 10.0.0.1]',
      'forward.trustedProxies[1]: Repeated value "10.0.0.1", remove it',
    ],
    ['forward.identity', '[sub]', 'forward.identity: Expected a map from header names to claim names, got a list'],
    [
      'forward.identity',
      '{ "x y": sub }',
      'forward.identity["x y"]: Expected a header name of letters, digits and "-", such as "x-auth-subject", got "x y"',
    ],
    [
      'forward.identity',
      '{ x_user: sub }',
      'forward.identity.x_user: Expected a header name of letters, digits and "-", such as "x-auth-subject", got "x_user", did you mean "x-user"? Many apps read other characters as "-", from clients too',
    ],
    [
      'tokens.sources',
      '[{ header: X.Token }]',
      'tokens.sources[0].header: Expected a header name of letters, digits and "-", such as "x-auth-subject", got "X.Token", did you mean "x-token"? Many apps read other characters as "-", from clients too',
    ],
    ['forward.headerNames', 'loose', 'forward.headerNames: Expected one of "strict", "token", got "loose"'],
    [
      'forward.allowHeaders',
      '["x legacy"]',
      'forward.allowHeaders[0]: Expected a header name such as "x_legacy", got "x legacy"',
    ],
    [
      'forward.allowHeaders',
      '["x-*"]',
      'forward.allowHeaders[0]: Expected a header name such as "x_legacy", got "x-*", write each name in full',
    ],
    ['forward.drop', '["*"]', 'forward.drop[0]: Expected a header name such as "x-debug", or "x-debug-*", got "*"'],
    [
      'forward.identity',
      '{ X-A: sub, x-a: iss }',
      'forward.identity.x-a: Repeated header "x-a", remove one of the two',
    ],
    [
      'routes',
      '[{ path: /a, methods: [get] }]',
      'routes[0].methods[0]: Expected a method such as "GET", got "get", did you mean "GET"',
    ],
    [
      'routes',
      '[{ path: /a, scopes: ["a b"] }]',
      'routes[0].scopes[0]: Expected a scope such as "orders:read", got "a b", did you mean [a, b]',
    ],
    [
      'routes',
      '[{ path: /a, scopes: a b }]',
      'routes[0].scopes: Expected a list of scopes, got "a b", did you mean [a, b]',
    ],
    [
      'routes',
      '[{ path: /a, claims: { level: 3 } }]',
      'routes[0].claims.level: Expected a text or a list of texts, got 3, did you mean "3"',
    ],
    [
      'routes',
      '[{ path: /a, claims: { level: [1, 2] } }]',
      'routes[0].claims.level: Expected a text or a list of texts, got a list, did you mean ["1", "2"]',
    ],
    ['routes', '[{}]', 'routes[0].path: Missing setting, give a path such as "/healthz", "/admin/*" or "/users/{id}"'],
    [
      'tokens.sources',
      '[]',
      'tokens.sources: Expected a list of at least one source, such as { header: authorization }, got an empty list',
    ],
    ['tokens.sources', '[{}]', 'tokens.sources[0]: Expected exactly one of "header", "cookie", "query", got none'],
    ['log', '', 'log: Setting without a value, give it one or remove it'],
    ['log', 'debug', 'log: Expected a group of settings, got "debug"'],
  ])('%s: %s', (path, value, line) => {
    expect(refusal(path, value)).toBe(line)
  })

  const withCookie = (name: string, value: string) =>
    `${issuersLine}\nrefresh: { key: { secretFile: /s, algorithm: HS256 }, cookie: { ${name}: ${JSON.stringify(value)} } }`
  const pathExpects = 'path: Expected a cookie path such as "/", of printable ASCII characters without ";", got'
  const domainExpects = 'domain: Expected a domain such as "example.com", got'
  test.each([
    ['path', '/a; Domain=example.com', `${pathExpects} "/a; Domain=example.com"`],
    ['path', '/名', `${pathExpects} "/名"`],
    ['path', '/é', `${pathExpects} "/é"`],
    ['path', '/a\n', `${pathExpects} "/a\\n"`],
    ['path', ' ', `${pathExpects} " "`],
    ['path', '', `${pathExpects} ""`],
    ['domain', 'example.com; Path=/a', `${domainExpects} "example.com; Path=/a"`],
    ['domain', 'bücher.example', `${domainExpects} "bücher.example", did you mean "xn--bcher-kva.example"`],
    ['domain', '例え。テスト', `${domainExpects} "例え。テスト", did you mean "xn--r8jz45g.xn--zckzah"`],
    ['domain', 'a..b', `${domainExpects} "a..b"`],
    ['domain', '-a.example', `${domainExpects} "-a.example"`],
    ['domain', 'a b', `${domainExpects} "a b"`],
    ['domain', '*.example.com', `${domainExpects} "*.example.com"`],
    ['domain', '', `${domainExpects} ""`],
  ])('no cookie has the %s %s', (name, value, line) => {
    const lines = problemsOf(withCookie(name, value))
    expect(lines.map((each) => each.replace(/^sidegate\.yaml:2:\d+ refresh\.cookie\./, ''))).toEqual([line])
  })

  test.each([
    ['path', '/'],
    ['path', '/a path/with%20signs=,"quotes"~'],
    ['domain', 'example.com'],
    ['domain', '.example.com'],
    ['domain', 'localhost'],
    ['domain', 'my_app.xn--bcher-kva.example'],
  ])('a cookie may have the %s %s', (name, value) => {
    expect(configOf(withCookie(name, value)).refresh?.cookie).toMatchObject({ [name]: value })
  })

  test('the attributes of a cookie that are taken can be sent', () => {
    const paths = Array.from({ length: 0x180 }, (_, code) => `/${String.fromCharCode(code)}`)
    const taken = paths.filter((path) => 'config' in load(withCookie('path', path)))
    expect(taken.length).toBe(94)
    for (const path of taken)
      expect(() => validateHeaderValue('set-cookie', `session=x; Path=${path}; HttpOnly`)).not.toThrow()
  })

  test.each([
    ['issuer: a', 'sidegate.yaml:2:1: Unknown setting "issuer", did you mean "issuers"'],
    ['maxStaleness: 1s', 'sidegate.yaml:2:1: Unknown setting "maxStaleness", did you mean "revocation.maxStaleness"'],
    [
      'limits: { header_bytes: 1 }',
      'sidegate.yaml:2:11 limits: Unknown setting "header_bytes", did you mean "headerBytes"',
    ],
    [
      'log: { colour: true }',
      'sidegate.yaml:2:8 log: Unknown setting "colour", known here: level, access, refusedPerSecond, format',
    ],
    [
      'refresh: { exchange: { tokenEndpoint: "https://a.b", clientId: c, clientSecret: hunter2, clientSecretFile: /c } }',
      'sidegate.yaml:2:67 refresh.exchange: Unknown setting "clientSecret", did you mean "clientSecretFile"',
    ],
  ])('%s has an unknown name', (text, line) => {
    expect(problemsOf(`${issuersLine}\n${text}`)).toEqual([line])
  })

  test('what a message quotes is short, on one line, and cannot move a terminal', () => {
    const [line] = problemsOf(`${issuersLine}\nmode: ${JSON.stringify(`a\u001b[31m\u202e\n${'x'.repeat(500)}`)}`)
    expect(line).toMatch(/got "a\\u001b\[31m\\u202e\\n/)
    expect(line!.length).toBeLessThan(200)
  })
})
