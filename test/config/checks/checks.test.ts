import { describe, expect, test } from 'vitest'
import { jsonSchema } from '../../../src/config/schema.ts'
import { configOf, issuersLine, problemsOf } from '../../support/settings.ts'

const key = 'key: { privateKeyFile: /k, algorithm: ES256, keyId: k1 }'

/** Each rule: the settings behind the issuers, and what is said about them. */
const rules: readonly (readonly [string, string, string])[] = [
  [
    'the admin port is not the port of requests',
    'listen: 127.0.0.1:9090',
    'admin.listen: Expected another port than "listen" has, got 9090, as requests from outside must not reach the admin port',
  ],
  [
    'the gate is not its own app',
    'upstream: http://localhost:8080',
    'upstream: Expected the address of the app, got "http://localhost:8080", which is "listen" itself',
  ],
  [
    'an app without TLS has no certificate',
    'upstreamTls: { caFile: /ca }',
    'upstreamTls: Cannot use TLS settings: the connection to the app is not encrypted, begin "upstream" with "https"',
  ],
  [
    'an address is no name of a certificate',
    'upstream: https://127.0.0.1:8443\nupstreamTls: { serverName: 127.0.0.1 }',
    'upstreamTls.serverName: Expected a host name such as "app.example.svc", got "127.0.0.1"',
  ],
  [
    'the admin port is not the app',
    'upstream: http://127.0.0.1:9090',
    'upstream: Expected the address of the app, got "http://127.0.0.1:9090", which is "admin.listen" itself',
  ],
  [
    'a source stands once',
    'tokens: { sources: [{ header: Authorization }, { header: authorization }] }',
    'tokens.sources[1]: Repeated source: header "authorization", remove it',
  ],
  [
    'the Cookie header is not a source',
    'tokens: { sources: [{ header: Cookie }] }',
    'tokens.sources[0].header: Expected a header that can carry a token, got "cookie", did you mean { cookie: session }',
  ],
  [
    'a token fits into the head',
    'limits: { headerBytes: 4096 }',
    'tokens.maxBytes: Expected at most "limits.headerBytes", 4096, got 8192',
  ],
  [
    'a request may take at least as long as its head',
    'limits: { requestTimeout: 5s }',
    'limits.requestTimeout: Expected at least as much as "limits.headersTimeout", "10s", got "5s", or "0s" for no limit',
  ],
  [
    'a route behind the same one is dead',
    'routes: [{ path: /a }, { path: /a, scopes: [x] }]',
    'routes[1].path: Route "/a" can never match: routes[0], "/a", covers it and comes first, as only the first counts, remove one or give them different "methods"; one route may list several scopes, which a token must all have',
  ],
  [
    'a route behind a wider one is dead',
    'routes: [{ path: /a/*, access: public }, { path: /a/b/*, scopes: [x] }]',
    'routes[1].path: Route "/a/b/*" can never match: routes[0], "/a/*", covers it and comes first, move it up',
  ],
  [
    'a prefix covers the path itself',
    'routes: [{ path: /a/* }, { path: /a }]',
    'routes[1].path: Route "/a" can never match: routes[0], "/a/*", covers it and comes first, move it up',
  ],
  [
    'an encoded spelling is the same route',
    'routes: [{ path: /é }, { path: /%C3%A9 }]',
    'routes[1].path: Route "/é" can never match: routes[0], "/é", covers it and comes first, as only the first counts, remove one or give them different "methods"; one route may list several scopes, which a token must all have',
  ],
  [
    'fewer methods of the same path are dead too',
    'routes: [{ path: /a, methods: [GET, PUT] }, { path: /a, methods: [PUT] }]',
    'routes[1].path: Route "/a" can never match: routes[0], "/a", covers it and comes first, as only the first counts, remove one or give them different "methods"; one route may list several scopes, which a token must all have',
  ],
  [
    'GET covers HEAD',
    'routes: [{ path: /a, methods: [GET], access: public }, { path: /a, methods: [HEAD], scopes: [x] }]',
    'routes[1].path: Route "/a" can never match: routes[0], "/a", covers it and comes first, as only the first counts, remove one or give them different "methods"; one route may list several scopes, which a token must all have',
  ],
  [
    'a name in braces covers every name',
    'routes: [{ path: "/users/{id}", access: public }, { path: /users/root, scopes: [x] }]',
    'routes[1].path: Route "/users/root" can never match: routes[0], "/users/{id}", covers it and comes first, move it up',
  ],
  [
    'a public route behind one that asks in every spelling can never be public',
    'routes: [{ path: /admin/*, scopes: [x] }, { path: /Admin, access: public }]',
    'routes[1].path: Route "/Admin" can never be public: routes[0], "/admin/*", asks for something in every spelling of its path and comes first, move it up if the app takes the two for different pages, else remove it',
  ],
  [
    'a public route that differs by a slash at the end can never be public',
    'routes: [{ path: /a }, { path: /a/, access: public }]',
    'routes[1].path: Route "/a/" can never be public: routes[0], "/a", asks for something in every spelling of its path and comes first, move it up if the app takes the two for different pages, else remove it',
  ],
  [
    'a public route asks for no scopes',
    'routes: [{ path: /a, access: public, scopes: [x] }]',
    'routes[0].scopes: Cannot ask for scopes on a public route: it needs no token, remove "access: public"',
  ],
  [
    'a public route asks for no claims',
    'routes: [{ path: /a, access: public, claims: { a: b } }]',
    'routes[0].claims: Cannot ask for claims on a public route: it needs no token, remove "access: public"',
  ],
  [
    'several workers need Redis to tell each other what is revoked',
    'workers: 2\nadmin: { tokenFile: /t }',
    'workers: Cannot use several workers: without Redis a revocation reaches the one that is told, and no other, give "revocation.redis" as well',
  ],
  [
    'checking in Redis needs Redis',
    'revocation: { check: redis }',
    'revocation.check: Cannot check in Redis: no Redis is given, give "revocation.redis" as well',
  ],
  [
    'a password needs Redis',
    'revocation: { passwordFile: /p }',
    'revocation.passwordFile: Cannot use a password: no Redis is given, give "revocation.redis" as well',
  ],
  [
    'a password of Sentinels needs Sentinels',
    "revocation: { redis: 'redis://r', sentinelPasswordFile: /p }",
    'revocation.sentinelPasswordFile: Cannot use a password for Sentinels: "revocation.redis" names none, write it as "redis+sentinel://host:26379/name-of-the-master"',
  ],
  [
    'certificates need TLS',
    "revocation: { redis: 'redis://r', caFile: /c }",
    'revocation.caFile: Cannot use certificates: the connection to Redis is not encrypted, begin "revocation.redis" with "rediss"',
  ],
  [
    'certificates need Redis',
    'revocation: { caFile: /c }',
    'revocation.caFile: Cannot use certificates: no Redis is given, give "revocation.redis" as well',
  ],
  [
    'certificates for a token endpoint need TLS',
    "refresh: { exchange: { tokenEndpoint: 'http://127.0.0.1/t', clientId: c, clientSecretFile: /s, caFile: /c } }",
    'refresh.exchange.caFile: Cannot use certificates: the connection to "http://127.0.0.1/t" is not encrypted, begin that URL with "https"',
  ],
  [
    'refresh tokens need a key',
    refreshTokens('grant: refresh-token'),
    'refresh.exchange.storeKeyFile: Missing setting, give a file with a key for refresh tokens, as "openssl rand -base64 32" makes it',
  ],
  [
    'refresh tokens need Redis',
    refreshTokens('grant: refresh-token, storeKeyFile: /k', { redis: '' }),
    'refresh.exchange.grant: Cannot use "refresh-token": no Redis is given, where refresh tokens are kept and gates keep each other from using one twice, give "revocation.redis" as well',
  ],
  [
    'refresh tokens need somebody who may hand them in',
    refreshTokens('grant: refresh-token, storeKeyFile: /k', { admin: '' }),
    'refresh.exchange.grant: Cannot use "refresh-token": without an admin token nobody can hand one in, give "admin.tokenFile" as well',
  ],
  [
    'a token exchange keeps no refresh tokens',
    refreshTokens('storeKeyFile: /k'),
    'refresh.exchange.storeKeyFile: Cannot use a key for refresh tokens with "grant: token-exchange", which keeps none, remove it, or set "grant: refresh-token"',
  ],
  [
    'a token exchange has no refresh token that could be in doubt',
    refreshTokens('whenInDoubt: retry'),
    'refresh.exchange.whenInDoubt: Cannot use "retry" with "grant: token-exchange", which uses no refresh token, remove it, or set "grant: refresh-token"',
  ],
  [
    'a client proves itself with its secret',
    exchangeBy(''),
    'refresh.exchange.clientSecretFile: Missing setting, give a file with the secret of this client, or set "clientAuthentication: private_key_jwt"',
  ],
  [
    'a client that proves itself with its key has one',
    exchangeBy('clientAuthentication: private_key_jwt, clientKeyAlgorithm: ES256'),
    'refresh.exchange.clientKeyFile: Missing setting, give a file with the private key of this client',
  ],
  [
    'the key of a client signs with one algorithm',
    exchangeBy('clientAuthentication: private_key_jwt, clientKeyFile: /k'),
    'refresh.exchange.clientKeyAlgorithm: Missing setting, give the algorithm that the key signs with, such as ES256',
  ],
  [
    'a client that proves itself with its key has no secret',
    refreshTokens('clientAuthentication: private_key_jwt, clientKeyFile: /k, clientKeyAlgorithm: ES256'),
    'refresh.exchange.clientSecretFile: Cannot use it with "clientAuthentication: private_key_jwt", remove it, or set "clientAuthentication: client_secret_basic"',
  ],
  ...(['clientKeyFile: /k', 'clientKeyAlgorithm: ES256', 'clientKeyId: k', 'clientAudience: a'] as const).map(
    (setting): [string, string, string] => [
      `a client that proves itself with its secret has no "${setting}"`,
      refreshTokens(`clientAuthentication: client_secret_post, ${setting}`),
      `refresh.exchange.${setting.split(':')[0]}: Cannot use it with "clientAuthentication: client_secret_post", remove it, or set "clientAuthentication: private_key_jwt"`,
    ],
  ),
  ['a certificate needs its key', 'tls: { certFile: /c }', 'tls.keyFile: Missing setting, give the path of a file'],
  [
    'replicas need Redis',
    'revocation: { minReplicas: 1 }',
    'revocation.minReplicas: Cannot wait for replicas: no Redis is given, give "revocation.redis" as well',
  ],
  [
    'plain keys need a lookup',
    "revocation: { redis: 'redis://r', keys: ['{jti}'] }",
    'revocation.keys: Cannot use "keys" with "check: local": the local copy follows the log and sees no plain keys, set "check: redis"',
  ],
  [
    'one password is enough',
    "revocation: { redis: 'redis://u:p@r', passwordFile: /p }",
    'revocation.passwordFile: Expected one password, got one in the file and one in "revocation.redis", remove the one in the URL',
  ],
  [
    'a refresh has a signer',
    'refresh: { window: 10s }',
    'refresh: Expected exactly one of "refresh.key", "refresh.keys", "refresh.exchange", got none',
  ],
  [
    'a refresh has one signer',
    `refresh: { ${key}, exchange: { tokenEndpoint: 'https://a.b', clientId: c, clientSecretFile: /s } }`,
    'refresh: Expected exactly one of "refresh.key", "refresh.keys", "refresh.exchange", got "refresh.key" and "refresh.exchange"',
  ],
  [
    'the window is shorter than the lifetime',
    `refresh: { ${key}, window: 5m }`,
    'refresh.window: Expected less than "refresh.lifetime", "5m", got "5m", as a successor would need the next one at once',
  ],
  [
    'the lifetime fits into the session',
    `refresh: { ${key}, maxSession: 4m }`,
    'refresh.lifetime: Expected at most "refresh.maxSession", "4m", got "5m"',
  ],
  [
    'successors count whole seconds',
    `refresh: { ${key}, window: 1500ms }`,
    'refresh.window: Expected whole seconds, got "1500ms"',
  ],
  [
    'successors are not too long for their issuer',
    `refresh: { ${key}, lifetime: 25h, maxSession: 48h }`,
    'refresh.lifetime: Expected at most the "maxLifetime" of issuer "https://id.example.com", "24h", got "25h", as every successor would be refused',
  ],
  [
    'a secret signs with HS',
    'refresh: { key: { secretFile: /s, algorithm: ES256 } }',
    'refresh.key.algorithm: Expected "HS256", "HS384" or "HS512" with "secretFile", got "ES256", a private key is given by "privateKeyFile"',
  ],
  [
    'a private key has a key id',
    'refresh: { key: { privateKeyFile: /k, algorithm: ES256 } }',
    'refresh.key.keyId: Missing setting, give the key id under which the public key is published',
  ],
  [
    'a signer has one key',
    'refresh: { key: { privateKeyFile: /k, secretFile: /s, algorithm: ES256, keyId: k } }',
    'refresh.key: Expected exactly one of "privateKeyFile", "secretFile", got both',
  ],
  [
    'SameSite=None needs Secure',
    `refresh: { ${key}, cookie: { sameSite: none, secure: false } }`,
    'refresh.cookie.secure: Expected true with "sameSite: none", got false, as browsers drop such a cookie',
  ],
  [
    'a __Host- cookie has no domain',
    `tokens: { sources: [{ cookie: __Host-s }] }\nrefresh: { ${key}, cookie: { domain: a.b } }`,
    'refresh.cookie.domain: Expected none, got "a.b", as browsers drop a cookie named "__Host-s" otherwise',
  ],
  [
    'the identity has headers of its own',
    'forward: { identity: { Content-Length: sub } }',
    'forward.identity.content-length: Expected a header of its own for the identity, got "content-length", choose a name such as "x-auth-subject"',
  ],
  [
    'the identity is not what says another path',
    'forward: { identity: { X-Original-URL: sub } }',
    'forward.identity.x-original-url: Expected a header of its own for the identity, got "x-original-url", choose a name such as "x-auth-subject"',
  ],
  [
    'what an app takes for an identity header is not let through',
    'forward: { allowHeaders: [X_Auth_Subject] }',
    'forward.allowHeaders[0]: Cannot allow "x_auth_subject": apps read it as "x-auth-subject", which is set by the gate alone, rename one of the two headers',
  ],
  [
    'what an app takes for the header of successors is not let through',
    `refresh: { ${key} }\nforward: { allowHeaders: [x.refreshed.token] }`,
    'forward.allowHeaders[0]: Cannot allow "x.refreshed.token": apps read it as "x-refreshed-token", which is set by the gate alone, rename one of the two headers',
  ],
  [
    'what an app takes for a header with the token is not let through',
    'tokens: { sources: [{ header: x-token }] }\nforward: { allowHeaders: [x_token] }',
    'forward.allowHeaders[0]: Cannot allow "x_token": apps read it as "x-token", which reaches the app in its own spelling, and in no other, remove it',
  ],
  [
    'what an app takes for the type of the body is not let through',
    'forward: { allowHeaders: [content_type] }',
    'forward.allowHeaders[0]: Cannot allow "content_type": apps read it as "content-type", which reaches the app in its own spelling, and in no other, remove it',
  ],
  [
    'a forwarding header is not let through from everybody',
    'forward: { allowHeaders: [X-Forwarded-User] }',
    'forward.allowHeaders[0]: Cannot allow "x-forwarded-user": it says how the request came, name the proxy that sets it in "forward.trustedProxies"',
  ],
  [
    'what an app takes for the framing is not let through',
    'forward: { allowHeaders: [Transfer.Encoding] }',
    'forward.allowHeaders[0]: Cannot allow "transfer.encoding": apps read it as "transfer-encoding", which is protected, have the client use a header of another name',
  ],
  [
    'what says another method is not let through',
    'forward: { allowHeaders: [X-HTTP-Method-Override] }',
    'forward.allowHeaders[0]: Cannot allow "x-http-method-override": it is protected, have the client use a header of another name',
  ],
  [
    'what the gate writes is not left out',
    'forward: { drop: [X-Forwarded-*] }',
    'forward.drop[0]: Cannot leave out "x-forwarded-*": the gate itself writes "x-forwarded-for", remove it',
  ],
  [
    'the identity is not left out',
    'forward: { drop: ["x-auth-*"] }',
    'forward.drop[0]: Cannot leave out "x-auth-*": "forward.identity" sets "x-auth-subject", and no client can, remove one of the two',
  ],
  [
    'a name is not both let through and left out',
    'forward: { drop: [x-a], allowHeaders: [x-a] }',
    'forward.drop[0]: Cannot leave out "x-a": "forward.allowHeaders" lets it through, remove one of the two',
  ],
  [
    'the identity leaves Authorization alone',
    'tokens: { sources: [{ cookie: s }] }\nforward: { identity: { authorization: sub } }',
    'forward.identity.authorization: Expected a header of its own for the identity, got "authorization", choose a name such as "x-auth-subject"',
  ],
  [
    'the identity is not where tokens come',
    'tokens: { sources: [{ header: x-token }] }\nforward: { identity: { x-token: sub } }',
    'forward.identity.x-token: Cannot use "x-token" for the identity: tokens come in it, choose another name',
  ],
  [
    'successors are not in an identity header',
    `refresh: { ${key}, header: X-Auth-Subject }`,
    'refresh.header: Cannot use "x-auth-subject" for successors: "forward.identity" has it, choose another name',
  ],
  [
    'successors are not in a header of the message',
    `refresh: { ${key}, header: Content-Type }`,
    'refresh.header: Expected a header of its own for successors, got "content-type", choose a name such as "x-refreshed-token"',
  ],
]

/** Settings of a refresh by the identity provider. */
function refreshTokens(more: string, { redis = "redis: 'redis://r'", admin = 'tokenFile: /t' } = {}): string {
  const exchange = `{ tokenEndpoint: 'https://a.b', clientId: c, clientSecretFile: /s, ${more} }`
  return `admin: { ${admin} }\nrevocation: { ${redis} }\nrefresh: { exchange: ${exchange} }`
}

/** Settings of a refresh by the identity provider without a secret of the client. */
function exchangeBy(client: string): string {
  return `refresh: { exchange: { tokenEndpoint: 'https://a.b', clientId: c, ${client} } }`
}

test.each(rules)('%s', (_, text, line) => {
  const lines = problemsOf(`${issuersLine}\n${text}`).map((problem) => problem.replace(/^sidegate\.yaml:\d+:\d+ /, ''))
  expect(lines).toEqual([line])
})

describe('issuers', () => {
  test('an HS algorithm beside a public key is refused, so that the key never passes for the secret', () => {
    expect(
      problemsOf('issuers: [{ issuer: a, audiences: [b], algorithms: [ES256, HS256], keys: { jwksFile: /j } }]'),
    ).toEqual([
      'sidegate.yaml:1:40 issuers[0].algorithms: Expected no "HS256" without "secretFile", as a public key would then pass for a secret that everybody knows',
    ])
  })

  test('a secret needs its algorithm named', () => {
    expect(problemsOf('issuers: [{ issuer: a, audiences: [b], keys: { secretFile: /s } }]')).toEqual([
      'sidegate.yaml:1:11 issuers[0].algorithms: Expected only HS256, HS384 or HS512 with "secretFile", got "PS256", name the one that the issuer uses: algorithms: [HS256]',
    ])
  })

  test.each([
    ['jwksFile: /j', 'the keys come from a file, remove "caFile"'],
    [
      'jwksUri: "http://127.0.0.1/j"',
      'the connection to "http://127.0.0.1/j" is not encrypted, begin that URL with "https"',
    ],
  ])('certificates for %s would protect nothing', (keys, why) => {
    expect(problemsOf(`issuers: [{ issuer: a, audiences: [b], keys: { ${keys}, caFile: /c } }]`)).toEqual([
      expect.stringContaining(`issuers[0].keys.caFile: Cannot use certificates: ${why}`),
    ])
  })

  test('certificates alone are no keys, and stand beside one source of them', () => {
    const expected =
      'issuers[0].keys: Expected exactly one of "discovery", "jwksUri", "jwksFile", "publicKeyFile", "secretFile", got'
    expect(problemsOf('issuers: [{ issuer: a, audiences: [b], keys: { caFile: /c } }]')).toEqual([
      expect.stringContaining(`${expected} none`),
    ])
    expect(
      problemsOf('issuers: [{ issuer: a, audiences: [b], keys: { jwksFile: /j, secretFile: /s, caFile: /c } }]'),
    ).toContainEqual(expect.stringContaining(`${expected} "jwksFile" and "secretFile"`))
    expect(jsonSchema()).toMatchObject({
      properties: {
        issuers: { items: { properties: { keys: { oneOf: expect.arrayContaining([{ required: ['jwksUri'] }]) } } } },
      },
    })
  })

  test('one issuer stands once', () => {
    const issuer = '{ issuer: a, audiences: [b], keys: { jwksFile: /j } }'
    expect(problemsOf(`issuers: [${issuer}, ${issuer}]`)).toEqual([
      'sidegate.yaml:1:68 issuers[1].issuer: Repeated issuer "a", it is issuers[0] already',
    ])
  })
})

describe('routes that only look alike', () => {
  test.each([
    ['other methods', 'routes: [{ path: /a, methods: [GET] }, { path: /a }]'],
    ['a longer name', 'routes: [{ path: /a/* }, { path: /ab }]'],
    ['another case', 'routes: [{ path: /a }, { path: /A }]'],
    ['a trailing slash', 'routes: [{ path: /a }, { path: /a/ }]'],
    ['the narrow one first', 'routes: [{ path: /a/b/* }, { path: /a/* }, { path: /* }]'],
  ])('%s', (_, text) => {
    expect(configOf(`${issuersLine}\n${text}`).routes.length).toBeGreaterThan(1)
  })
})

test('several workers need no Redis where nobody can revoke, and no token where Redis tells them', () => {
  expect(configOf(`${issuersLine}\nworkers: 2`).workers).toBe(2)
  expect(
    configOf(`${issuersLine}\nworkers: 2\nadmin: { tokenFile: /t }\nrevocation: { redis: 'redis://r' }`).workers,
  ).toBe(2)
})

test('the same port on two different hosts is no conflict', () => {
  expect(configOf(`${issuersLine}\nlisten: 10.0.0.1:9090\nadmin: { listen: 127.0.0.1:9090 }`).listen.port).toBe(9090)
  expect(configOf(`${issuersLine}\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }`).listen.port).toBe(0)
})

test('a rule is not told where its value was wrong in the first place', () => {
  expect(problemsOf(`${issuersLine}\nrevocation: { redis: 5, check: redis }`)).toHaveLength(1)
  expect(problemsOf(`${issuersLine}\nrefresh: { key: 5 }`)).toHaveLength(1)
  expect(problemsOf(`${issuersLine}\nroutes: [{ path: /a, methods: [get] }, { path: /a }]`)).toHaveLength(1)
})

test('a header is found in the file however it is spelled there', () => {
  expect(problemsOf(`${issuersLine}\nforward:\n  identity:\n    x-user: sub\n    Content-Length: iss`)).toEqual([
    'sidegate.yaml:5:5 forward.identity.content-length: Expected a header of its own for the identity, got "content-length", choose a name such as "x-auth-subject"',
  ])
})
