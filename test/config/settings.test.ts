import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { namedRows, settingRows } from '../../src/config/sources/flags.ts'
import { configOf, issuersLine } from '../support/settings.ts'

interface Sample {
  /** As a variable or a flag would have it. */
  readonly text: string
  readonly value: unknown
  /** What else must be given for it to make sense. */
  readonly with?: Record<string, string>
}

const issuers = '[{ issuer: https://id.example.com, audiences: [orders], keys: { discovery: true } }]'
const secureUpstream = { upstream: 'https://app' }
const refreshKey = {
  'refresh-key-secret-file': '/s',
  'refresh-key-algorithm': 'HS256',
  issuers: '[{ issuer: a, audiences: [b], algorithms: [HS256], keys: { secretFile: /s } }]',
}
const pair = { 'tls-cert-file': '/c', 'tls-key-file': '/k' }
const exchange = {
  'refresh-exchange-token-endpoint': 'https://id.example.com/token',
  'refresh-exchange-client-id': 'c',
  'refresh-exchange-client-secret-file': '/c',
}
const redis = { 'revocation-redis': 'redis://redis:6379/0' }
const exchangeByKey = {
  'refresh-exchange-token-endpoint': 'https://id.example.com/token',
  'refresh-exchange-client-id': 'c',
  'refresh-exchange-client-authentication': 'private_key_jwt',
  'refresh-exchange-client-key-file': '/k',
  'refresh-exchange-client-key-algorithm': 'ES256',
}
const refreshGrant = {
  ...exchange,
  ...redis,
  'refresh-exchange-grant': 'refresh-token',
  'refresh-exchange-store-key-file': '/store',
  'admin-token-file': '/token',
}

const samples: Record<string, Sample> = {
  listen: { text: '[::]:8000', value: { host: '::', port: 8000 } },
  'tls.certFile': { text: '/c2', value: '/c2', with: pair },
  'tls.keyFile': { text: '/k2', value: '/k2', with: pair },
  'tls.clientCaFile': { text: '/ca', value: '/ca', with: pair },
  'tls.clientCrlFile': { text: '/crl', value: '/crl', with: { ...pair, 'tls-client-ca-file': '/ca' } },
  'tls.minVersion': { text: '1.3', value: '1.3', with: pair },
  upstream: { text: 'http://127.0.0.1:4000/', value: 'http://127.0.0.1:4000' },
  'upstreamTls.caFile': { text: '/ca', value: '/ca', with: secureUpstream },
  'upstreamTls.serverName': { text: 'app.svc', value: 'app.svc', with: secureUpstream },
  workers: { text: '2', value: 2 },
  'admin.listen': { text: 'localhost:0', value: { host: 'localhost', port: 0 } },
  'admin.appProbes': {
    text: '{ app: { readiness: "http://127.0.0.1:3000/health" } }',
    value: { app: { readiness: 'http://127.0.0.1:3000/health' } },
  },
  'admin.tokenFile': { text: '/etc/token', value: '/etc/token' },
  issuers: {
    text: issuers,
    value: expect.arrayContaining([
      expect.objectContaining({ issuer: 'https://id.example.com', keys: { discovery: true } }),
    ]),
  },
  'tokens.sources': {
    text: '[{ header: X-Token }, { query: access_token }]',
    value: [{ header: 'x-token' }, { query: 'access_token' }],
  },
  'tokens.crossSite': { text: 'refuse', value: 'refuse' },
  'tokens.maxBytes': { text: '4096', value: 4096 },
  routes: { text: '[{ path: /a }]', value: [{ path: '/a', access: 'token' }] },
  'cors.origins': { text: '[https://App.example.com:443/]', value: ['https://app.example.com'] },
  'revocation.redis': { text: 'rediss://u:p@redis:6380/1', value: 'rediss://u:p@redis:6380/1' },
  'revocation.passwordFile': { text: '/p', value: '/p', with: redis },
  'revocation.sentinelPasswordFile': { text: '/p', value: '/p', with: { 'revocation-redis': 'redis+sentinel://s/m' } },
  'revocation.caFile': { text: '/c', value: '/c', with: { 'revocation-redis': 'rediss://r' } },
  'revocation.natMap': {
    text: '{ "10.0.0.5:6379": "redis.example.com:7001" }',
    value: { '10.0.0.5:6379': 'redis.example.com:7001' },
    with: { 'revocation-redis': 'redis+cluster://r' },
  },
  'revocation.list': { text: '0123', value: '0123' },
  'revocation.check': { text: 'redis', value: 'redis', with: redis },
  'revocation.maxStaleness': { text: '500ms', value: 500 },
  'revocation.whenStale': { text: 'allow', value: 'allow' },
  'revocation.keys': { text: '["{jti}"]', value: ['{jti}'], with: { ...redis, 'revocation-check': 'redis' } },
  'revocation.minReplicas': { text: '1', value: 1, with: redis },
  'revocation.follow': { text: 'poll', value: 'poll' },
  'revocation.timeout': { text: '20ms', value: 20 },
  'refresh.window': { text: '30s', value: 30_000, with: refreshKey },
  'refresh.lifetime': { text: '10m', value: 600_000, with: refreshKey },
  'refresh.maxSession': { text: '8h', value: 28_800_000, with: refreshKey },
  'refresh.key.privateKeyFile': {
    text: '/k',
    value: '/k',
    with: { 'refresh-key-algorithm': 'ES256', 'refresh-key-key-id': 'k1' },
  },
  'refresh.key.secretFile': { text: '/s', value: '/s', with: refreshKey },
  'refresh.key.algorithm': { text: 'HS256', value: 'HS256', with: refreshKey },
  'refresh.key.keyId': { text: '1', value: '1', with: refreshKey },
  'refresh.keys': {
    text: '[{ secretFile: /s, algorithm: HS256, keyId: k1, active: true }]',
    value: [{ secretFile: '/s', algorithm: 'HS256', keyId: 'k1', active: true }],
  },
  'refresh.issuer': { text: 'https://gate.example.com', value: 'https://gate.example.com', with: refreshKey },
  'refresh.exchange.tokenEndpoint': {
    text: 'https://id.example.com/t',
    value: 'https://id.example.com/t',
    with: exchange,
  },
  'refresh.exchange.clientId': { text: 'gate', value: 'gate', with: exchange },
  'refresh.exchange.clientSecretFile': { text: '/c2', value: '/c2', with: exchange },
  'refresh.exchange.clientAuthentication': {
    text: 'client_secret_post',
    value: 'client_secret_post',
    with: exchange,
  },
  'refresh.exchange.clientKeyFile': { text: '/k2', value: '/k2', with: exchangeByKey },
  'refresh.exchange.clientKeyAlgorithm': { text: 'PS256', value: 'PS256', with: exchangeByKey },
  'refresh.exchange.clientKeyId': { text: 'k1', value: 'k1', with: exchangeByKey },
  'refresh.exchange.clientAudience': { text: 'https://a.b', value: 'https://a.b', with: exchangeByKey },
  'refresh.exchange.whenInDoubt': { text: 'retry', value: 'retry', with: refreshGrant },
  'refresh.exchange.caFile': { text: '/ca', value: '/ca', with: exchange },
  'refresh.exchange.grant': { text: 'refresh-token', value: 'refresh-token', with: refreshGrant },
  'refresh.exchange.storeKeyFile': { text: '/store2', value: '/store2', with: refreshGrant },
  'refresh.exchange.timeout': { text: '1s', value: 1000, with: exchange },
  'refresh.header': { text: 'X-Next', value: 'x-next', with: refreshKey },
  'refresh.cookie.path': { text: '/app', value: '/app', with: refreshKey },
  'refresh.cookie.sameSite': { text: 'strict', value: 'strict', with: refreshKey },
  'refresh.cookie.secure': { text: 'false', value: false, with: refreshKey },
  'refresh.cookie.httpOnly': { text: 'false', value: false, with: refreshKey },
  'refresh.endWithProviderKey': { text: 'true', value: true, with: refreshKey },
  'refresh.cookie.header': { text: 'true', value: true, with: refreshKey },
  'refresh.cookie.domain': { text: 'example.com', value: 'example.com', with: refreshKey },
  'forward.identity': { text: '{ X-User: sub }', value: { 'x-user': 'sub' } },
  'forward.headerNames': { text: 'token', value: 'token' },
  'forward.allowHeaders': { text: '[X_Legacy, client-ip]', value: ['x_legacy', 'client-ip'] },
  'forward.drop': { text: '[X-Internal, "x-debug-*"]', value: ['x-internal', 'x-debug-*'] },
  'forward.stripToken': { text: 'true', value: true },
  'outbound.proxy': { text: 'http://u:p@proxy:3128/', value: 'http://u:p@proxy:3128' },
  'forward.trustedProxies': {
    text: '[10.0.0.0/8, "fd00::/8", 192.0.2.1]',
    value: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'],
  },
  'limits.headerBytes': { text: '32768', value: 32_768 },
  'limits.headers': { text: '50', value: 50 },
  'limits.bodyBytes': { text: '1048576', value: 1_048_576 },
  'limits.requestTimeout': { text: '2m', value: 120_000 },
  'limits.headersTimeout': { text: '5s', value: 5000 },
  'limits.idleTimeout': { text: '30s', value: 30_000 },
  'limits.sendTimeout': { text: '30s', value: 30_000 },
  'limits.upstreamConnectTimeout': { text: '1s', value: 1000 },
  'limits.upstreamResponseTimeout': { text: '10s', value: 10_000 },
  'limits.upstreamConnections': { text: '8', value: 8 },
  'limits.maxConnections': { text: '100', value: 100 },
  'limits.drainTimeout': { text: '1s', value: 1000 },
  mode: { text: 'shadow', value: 'shadow' },
  'log.level': { text: 'debug', value: 'debug' },
  'log.access': { text: 'all', value: 'all' },
  'log.refusedPerSecond': { text: '0', value: 0 },
  'log.format': { text: 'json', value: 'json' },
}

const partOf = (root: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], root)

test('every setting of the table has a sample here', () => {
  expect(Object.keys(samples).sort()).toEqual(namedRows.map((row) => row.name).sort())
})

describe.each(namedRows)('$name', (row) => {
  const { text, value, with: others = {} } = samples[row.name]!
  const { [row.flag]: _, ...otherFlags }: Record<string, string> = { issuers, ...others }

  test('comes from its variable', () => {
    const result = loadConfig({
      environment: { [row.environment]: text },
      flags: row.flag === 'issuers' ? {} : otherFlags,
    })
    expect(result).not.toHaveProperty('problems')
    expect('config' in result && partOf(result.config, row.path)).toEqual(value)
  })

  test('comes from its flag, which beats the variable', () => {
    const result = loadConfig({ environment: { [row.environment]: '?[' }, flags: { ...otherFlags, [row.flag]: text } })
    expect(result).not.toHaveProperty('problems')
    expect('config' in result && partOf(result.config, row.path)).toEqual(value)
  })

  test('has a sentence and says what it expects', () => {
    expect(row.description).toMatch(/[.;]$/)
    expect(row.expects).not.toBe('')
  })
})

test('every part of a list item is read', () => {
  const config = configOf(`
issuers:
  - issuer: https://id.example.com
    audiences: [orders, billing]
    algorithms: [ES512]
    keys: { jwksUri: 'https://id.example.com/jwks' }
    clockTolerance: 0s
    tokenTypes: [at+jwt]
    requiredClaims: [sub]
    maxLifetime: 1h
    refresh: false
  - { issuer: b, audiences: [x], keys: { jwksFile: /j } }
  - { issuer: c, audiences: [x], keys: { publicKeyFile: /p } }
  - { issuer: d, audiences: [x], keys: { secretFile: /s }, algorithms: [HS256] }
  - { issuer: 'https://e.example.com', audiences: [x], keys: { discovery: true } }
  - { issuer: 'https://f.example.com', audiences: [x], keys: { caFile: /ca, discovery: true } }
tokens: { sources: [{ header: Authorization }, { cookie: Session }, { query: t }] }
routes:
  - { path: /caf%C3%A9/*, methods: [GET], access: token, scopes: [a, b], claims: { tenant: [acme], plan: gold } }
refresh:
  keys:
    - { privateKeyFile: /one, algorithm: ES256, keyId: k1, active: true }
    - { publicKeyFile: /two, algorithm: EdDSA, keyId: k2 }
    - { secretFile: /three, algorithm: HS256, keyId: k3, active: 2026-12-01T10:00:00Z }
`)
  expect(config.issuers[0]).toEqual({
    issuer: 'https://id.example.com',
    audiences: ['orders', 'billing'],
    algorithms: ['ES512'],
    keys: { jwksUri: 'https://id.example.com/jwks' },
    clockTolerance: 0,
    tokenTypes: ['at+jwt'],
    allowIdTokens: false,
    confirmation: 'checked',
    requiredClaims: ['sub'],
    maxLifetime: 3_600_000,
    refresh: false,
  })
  expect(config.issuers.map((issuer) => issuer.keys)).toEqual([
    { jwksUri: 'https://id.example.com/jwks' },
    { jwksFile: '/j' },
    { publicKeyFile: '/p' },
    { secretFile: '/s' },
    { discovery: true },
    { discovery: true, caFile: '/ca' },
  ])
  expect(config.tokens.sources).toEqual([{ header: 'authorization' }, { cookie: 'Session' }, { query: 't' }])
  // Requests are judged by their decoded path, so a route is decoded as well.
  expect(config.routes).toEqual([
    {
      path: '/café/*',
      methods: ['GET'],
      access: 'token',
      scopes: ['a', 'b'],
      claims: { tenant: ['acme'], plan: ['gold'] },
    },
  ])
  expect(config.refresh?.keys).toEqual([
    { privateKeyFile: '/one', algorithm: 'ES256', keyId: 'k1', active: true },
    { publicKeyFile: '/two', algorithm: 'EdDSA', keyId: 'k2', active: false },
    { secretFile: '/three', algorithm: 'HS256', keyId: 'k3', active: 1_796_119_200 },
  ])
  const parts = settingRows.filter((row) => row.path.includes('[]')).map((row) => row.path.at(-1))
  expect(parts).toEqual([
    'issuer',
    'audiences',
    'algorithms',
    'keys',
    'discovery',
    'jwksUri',
    'jwksFile',
    'publicKeyFile',
    'secretFile',
    'caFile',
    'clockTolerance',
    'tokenTypes',
    'allowIdTokens',
    'confirmation',
    'requiredClaims',
    'maxLifetime',
    'refresh',
    'header',
    'cookie',
    'query',
    'path',
    'methods',
    'access',
    'scopes',
    'claims',
    'privateKeyFile',
    'publicKeyFile',
    'secretFile',
    'algorithm',
    'keyId',
    'active',
  ])
})

test('the defaults are the documented ones', () => {
  const config = configOf(issuersLine)
  expect(config).toEqual({
    listen: { host: '::', port: 8080 },
    upstream: 'http://127.0.0.1:3000',
    workers: 1,
    admin: { listen: { host: '::', port: 9090 }, appProbes: {} },
    issuers: [
      {
        issuer: 'https://id.example.com',
        audiences: ['orders'],
        algorithms: ['PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA', 'Ed25519', 'RS256'],
        keys: { discovery: true },
        clockTolerance: 5000,
        allowIdTokens: false,
        confirmation: 'checked',
        requiredClaims: [],
        maxLifetime: 86_400_000,
        refresh: true,
      },
    ],
    tokens: { sources: [{ header: 'authorization' }], crossSite: 'allow', maxBytes: 8192 },
    routes: [],
    cors: { origins: [] },
    revocation: {
      list: 'default',
      check: 'local',
      maxStaleness: 30_000,
      whenStale: 'deny',
      minReplicas: 0,
      follow: 'stream',
      timeout: 50,
    },
    forward: {
      identity: { 'x-auth-subject': 'sub', 'x-auth-scope': 'scope', 'x-auth-issuer': 'iss' },
      headerNames: 'strict',
      allowHeaders: [],
      drop: [],
      stripToken: false,
      trustedProxies: [],
    },
    outbound: { proxy: 'env' },
    limits: {
      headerBytes: 16_384,
      headers: 100,
      bodyBytes: 0,
      requestTimeout: 0,
      headersTimeout: 10_000,
      idleTimeout: 75_000,
      sendTimeout: 60_000,
      upstreamConnectTimeout: 2000,
      upstreamResponseTimeout: 60_000,
      upstreamConnections: 256,
      maxConnections: 10_000,
      drainTimeout: 25_000,
    },
    mode: 'enforce',
    log: { level: 'info', access: 'refused', refusedPerSecond: 100, format: 'auto' },
  })
})

test('the defaults of the refresh are the documented ones', () => {
  const config = configOf(`${issuersLine}\nrefresh: { key: { privateKeyFile: /k, algorithm: ES256, keyId: k1 } }`)
  expect(config.refresh).toEqual({
    window: 60_000,
    lifetime: 300_000,
    maxSession: 43_200_000,
    endWithProviderKey: false,
    key: { privateKeyFile: '/k', algorithm: 'ES256', keyId: 'k1' },
    header: 'x-refreshed-token',
    cookie: { path: '/', sameSite: 'lax', secure: true, httpOnly: true, header: false },
  })
})

test('no two settings share a variable or a flag, and none looks like a Kubernetes service link', () => {
  expect(new Set(namedRows.map((row) => row.environment)).size).toBe(namedRows.length)
  expect(new Set(namedRows.map((row) => row.flag)).size).toBe(namedRows.length)
  for (const row of namedRows) expect(row.environment).not.toMatch(/_(SERVICE_HOST|SERVICE_PORT|PORT)/)
})
