// THE table: every setting once, with its kind, its default and the sentence that explains it. The type, the variables,
// the flags, the messages, the JSON Schema and docs/configuration.md are all derived from it. Rules that concern more
// than one setting stand in rules.ts.
import type * as z from 'zod'
import { address, addressRange, origin, redisUrl, secureUrl, webOrigin } from './value-types/addresses.ts'
import { byContainer, probeTarget } from './value-types/app-probes.ts'
import { attributeValue, domain } from './value-types/cookie-attributes.ts'
import { duration } from './value-types/durations.ts'
import { audience, claimMap, claimName, issuerName, keyTemplate, tokenType } from './value-types/literals.ts'
import { moment } from './value-types/moments.ts'
import {
  anyHeaderName,
  byHeader,
  cookieName,
  headerName,
  headerPattern,
  hostName,
  listName,
  method,
  queryName,
  scope,
} from './value-types/names.ts'
import { natMap } from './value-types/nat-map.ts'
import { outboundProxy } from './value-types/proxy-url.ts'
import { routePath } from './value-types/route-path.ts'
import {
  choice,
  filePath,
  flag,
  group,
  integer,
  list,
  oneOf,
  only,
  secretPath,
  text,
} from './value-types/value-types.ts'

const asymmetric = ['PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA', 'Ed25519', 'RS256'] as const
const algorithm = choice([...asymmetric, 'ES512', 'RS384', 'RS512', 'HS256', 'HS384', 'HS512'])

/**
 * What a running gate does with a changed value. `reload`: takes it over at once. `restart`: keeps the value of the start.
 * `presence`: takes over another value, and keeps only whether the setting is there at all.
 */
export type OnChange = 'reload' | 'restart' | 'presence'

/** For each row of the table that says so, what a running gate does with a change; the others follow their group. */
export const onChangeOf = new WeakMap<object, OnChange>()

/**
 * Gives a setting the sentence that the documentation and the JSON Schema print. A setting at the top of the table, and
 * one in a group that does not say it for all, says what a change does; a test asks each for it.
 */
function setting<S extends z.ZodType>(schema: S, sentence: string, onChange?: OnChange): S {
  const row = schema.meta({ description: sentence })
  if (onChange !== undefined) onChangeOf.set(row, onChange)
  return row
}

const issuer = group(
  {
    issuer: setting(issuerName(), 'The claim `iss` must equal this exactly.'),
    audiences: setting(
      list(audience(), { min: 1, expects: 'a list of at least one audience' }),
      'At least one of these must be in the claim `aud`.',
    ),
    algorithms: setting(
      list(algorithm, { min: 1, expects: 'a list of at least one algorithm' }).prefault([...asymmetric]),
      'The signature algorithms that are allowed. HS256, HS384 and HS512 need a secretFile, and no other algorithm may stand beside them. ES512 is not in the default because one verification costs milliseconds.',
    ),
    keys: setting(
      oneOf(
        {
          discovery: setting(only(true), 'Finds the keys by OpenID discovery below the issuer.'),
          jwksUri: setting(secureUrl(), 'The URL of the key set. It is https, or http to this machine or cluster.'),
          jwksFile: setting(filePath('key set'), 'A file with the key set (RFC 7517).'),
          publicKeyFile: setting(filePath('public key'), 'A file with one public key, as PEM or JWK.'),
          secretFile: setting(
            secretPath('shared secret'),
            'A file with the shared secret of HS256, HS384 or HS512: at least 32, 48 or 64 bytes.',
          ),
        },
        {
          caFile: setting(
            filePath('identity provider certificates').exactOptional(),
            'A file with the certificates (PEM) that vouch for the identity provider, with discovery or jwksUri; absent: those of the system.',
          ),
        },
      ),
      'Where the keys come from: exactly one of these, and caFile where it is needed.',
    ),
    clockTolerance: setting(
      duration({ max: '10m' }).prefault('5s'),
      'By how much the clocks of the issuer and of this machine may differ.',
    ),
    tokenTypes: setting(
      list(tokenType(), {
        min: 1,
        expects: 'a list of at least one token type',
      }).exactOptional(),
      'When set, the header `typ` must be one of these. Absent: no `typ`, or `JWT`, `at+jwt` or `application/at+jwt` in any letter case.',
    ),
    allowIdTokens: setting(
      flag().prefault(false),
      'Whether ID tokens of Keycloak (`typ: ID` in the payload) and Cognito (`token_use: id`) are taken as access tokens. An ID token is meant for the client that logged the user in, and not for an API.',
    ),
    confirmation: setting(
      choice(['checked', 'ignored']).prefault('checked'),
      'What becomes of a token that is bound to a key (`cnf`): `checked` refuses one whose proof is not seen, and no kind of proof can be seen yet; `ignored` takes it as if it were not bound, so whoever steals it can use it.',
    ),
    requiredClaims: setting(
      list(claimName(), { expects: 'a list of claim names' }).prefault([]),
      'Claims that every token must have. `exp` is always required.',
    ),
    maxLifetime: setting(
      duration({ min: '1s', max: '87600h' }).prefault('24h'),
      'The longest time from `iat` to `exp` that is accepted.',
    ),
    refresh: setting(
      flag().prefault(true),
      'Whether tokens of this issuer are refreshed, where `refresh` is set. With `false` no key of the gate speaks for this issuer.',
    ),
  },
  {
    suggest: (input) =>
      typeof input === 'string'
        ? `{ issuer: ${JSON.stringify(input)}, audiences: [your-api], keys: { discovery: true } }`
        : undefined,
  },
)

const source = oneOf(
  {
    header: setting(headerName(), 'A header that carries `Bearer` and the token.'),
    cookie: setting(cookieName(), 'A cookie that carries the token.'),
    query: setting(
      queryName(),
      'A parameter of the query that carries the token. URLs end up in logs: prefer the others.',
    ),
  },
  {},
  {
    suggest: (input) => (typeof input === 'string' && /^[\w-]{1,64}$/.test(input) ? `{ header: ${input} }` : undefined),
  },
)

const route = group(
  {
    path: setting(
      routePath(),
      'An exact path such as `/healthz`, or all below a prefix that ends in `/*`. `{name}` is any one segment.',
    ),
    methods: setting(
      list(method(), { min: 1, expects: 'a list of at least one method' }).exactOptional(),
      'The methods that this route covers; absent: all. `GET` covers `HEAD`.',
    ),
    access: setting(choice(['public', 'token']).prefault('token'), 'Whether a request needs a token.'),
    scopes: setting(
      list(scope(), { expects: 'a list of scopes' }).exactOptional(),
      'Scopes that the token must all have.',
    ),
    claims: setting(
      claimMap().exactOptional(),
      'Claims that the token must have with this value, or with one of these values.',
    ),
  },
  {
    suggest: (input) =>
      typeof input === 'string' && input.startsWith('/') ? `{ path: ${JSON.stringify(input)} }` : undefined,
  },
)

const key = group({
  privateKeyFile: setting(secretPath('signing key').exactOptional(), 'A file with the private key, as PEM or JWK.'),
  secretFile: setting(
    secretPath('shared secret').exactOptional(),
    'A file with the shared secret, where the algorithm is HS256, HS384 or HS512.',
  ),
  algorithm: setting(algorithm, 'The algorithm that signs the next token.'),
  keyId: setting(text('a key id').exactOptional(), 'The `kid` of the next token; required with privateKeyFile.'),
})

const listedKey = group({
  privateKeyFile: setting(secretPath('signing key').exactOptional(), 'A file with the private key, as PEM or JWK.'),
  publicKeyFile: setting(
    filePath('public key').exactOptional(),
    'A file with the public key alone, as PEM or JWK: for a key that signs no more, but whose successors are still about.',
  ),
  secretFile: setting(
    secretPath('shared secret').exactOptional(),
    'A file with the shared secret, where the algorithm is HS256, HS384 or HS512.',
  ),
  algorithm: setting(algorithm, 'The algorithm that the key signs with.'),
  keyId: setting(text('a key id'), 'The `kid` of the tokens that it signs.'),
  active: setting(
    moment().prefault(false),
    'From when on it signs: `true`, or a time (ISO 8601 or unix seconds). Of several keys the one signs whose time came last; `true` comes before every time. With `false` it only verifies.',
  ),
})

const refresh = group({
  window: setting(
    duration({ min: '1s', max: '87600h', wholeSeconds: true }).prefault('60s'),
    'A token with less time left than this gets a successor.',
  ),
  lifetime: setting(
    duration({ min: '1s', max: '87600h', wholeSeconds: true }).prefault('5m'),
    'How long a successor is valid.',
  ),
  maxSession: setting(
    duration({ min: '1s', max: '87600h', wholeSeconds: true }).prefault('12h'),
    'The longest session, counted from the `auth_time` of the first token, else from its `iat`. No successor goes past it.',
  ),
  endWithProviderKey: setting(
    flag().prefault(false),
    'Whether a successor ends once the identity provider no longer publishes the key of its first token. A provider that rotates its keys then ends the sessions of the key that it takes away.',
  ),
  key: setting(key.exactOptional(), 'The key that signs successors here: this, keys or exchange.'),
  keys: setting(
    list(listedKey, { min: 1, max: 16, expects: 'a list of 1 to 16 keys' }).exactOptional(),
    'Several keys, of which one signs successors and all verify them, so that keys can be changed: this, key or exchange.',
  ),
  issuer: setting(
    text('an issuer as the claim "iss" shall spell it', 1024).exactOptional(),
    'The `iss` of successors; `original_issuer` then holds the one of the first token. Absent: successors keep the `iss`.',
  ),
  exchange: setting(
    group({
      tokenEndpoint: setting(secureUrl(), 'The token endpoint of the identity provider.'),
      clientId: setting(text('a client id'), 'The client that Sidegate is there.'),
      clientAuthentication: setting(
        choice(['client_secret_basic', 'client_secret_post', 'private_key_jwt']).prefault('client_secret_basic'),
        'How this client proves itself: with its secret in the Authorization header or in the form, or with an assertion that its private key signs (RFC 7523).',
      ),
      clientSecretFile: setting(
        secretPath('client secret').exactOptional(),
        'A file with the secret of this client, for `client_secret_basic` and `client_secret_post`.',
      ),
      clientKeyFile: setting(
        secretPath('client key').exactOptional(),
        'A file with the private key of this client, PEM or JWK, for `private_key_jwt`.',
      ),
      clientKeyAlgorithm: setting(
        choice([...asymmetric, 'ES512', 'RS384', 'RS512']).exactOptional(),
        'The algorithm that the key of this client signs with.',
      ),
      clientKeyId: setting(
        text('a key id').exactOptional(),
        'The `kid` of the assertions, where the provider knows several keys of this client; absent: that of the JWK, else none.',
      ),
      clientAudience: setting(
        text('whom assertions are for, such as the issuer', 1024).exactOptional(),
        'The `aud` of the assertions, as the provider wants it; absent: the `tokenEndpoint`.',
      ),
      caFile: setting(
        filePath('identity provider certificates').exactOptional(),
        'A file with the certificates (PEM) that vouch for the token endpoint; absent: those of the system.',
      ),
      grant: setting(
        choice(['token-exchange', 'refresh-token']).prefault('token-exchange'),
        '`token-exchange` asks with the token itself (RFC 8693); `refresh-token` with the refresh token that the login app handed in.',
      ),
      storeKeyFile: setting(
        secretPath('key for refresh tokens').exactOptional(),
        'A file with the key that seals refresh tokens in Redis: 32 bytes as base64 or hex. With several lines the first seals and all open.',
      ),
      whenInDoubt: setting(
        choice(['stop', 'retry']).prefault('stop'),
        'What becomes of a refresh token that was sent to the provider and never answered. `stop` uses it no more: the session gets no next token. `retry` uses it once more, for providers that allow a second use for a while.',
      ),
      timeout: setting(
        duration({ min: '1ms', max: '2s' }).prefault('300ms'),
        'How long a response waits for the successor; one that comes later goes out with the next response.',
      ),
    }).exactOptional(),
    'Asks the identity provider for successors: this, key or keys.',
  ),
  header: setting(headerName().prefault('x-refreshed-token'), 'The response header that carries the successor.'),
  cookie: setting(
    group({
      path: setting(attributeValue('a cookie path such as "/"').prefault('/'), 'The attribute Path.'),
      sameSite: setting(
        choice(['strict', 'lax', 'none']).prefault('lax'),
        'The attribute SameSite; none needs secure.',
      ),
      secure: setting(flag().prefault(true), 'The attribute Secure.'),
      httpOnly: setting(flag().prefault(true), 'The attribute HttpOnly.'),
      domain: setting(
        domain('a domain such as "example.com"').exactOptional(),
        'The attribute Domain; absent: this host only.',
      ),
      header: setting(
        flag().prefault(false),
        'Whether `refresh.header` carries the next token of a cookie as well, for pages that read it there. Then every script of the page can read the token, which `httpOnly` prevents.',
      ),
    }).prefault({}),
    'The attributes of the cookie that carries the successor of a token from a cookie.',
  ),
})

const probe = () =>
  setting(probeTarget().exactOptional(), 'A URL of this machine, http, https or tcp; or { url, headers }.')
const appProbes = group({ startup: probe(), readiness: probe(), liveness: probe() })

const table = {
  listen: setting(address().prefault('[::]:8080'), 'Where requests arrive.', 'restart'),
  tls: setting(
    group({
      certFile: setting(
        filePath('listener certificate'),
        'A file with the certificate (PEM) of this server, and those between it and its authority after it.',
        'reload',
      ),
      keyFile: setting(secretPath('listener key'), 'A file with the private key (PEM) of the certificate.', 'reload'),
      clientCaFile: setting(
        filePath('client certificates').exactOptional(),
        'A file with the certificates (PEM) that vouch for clients. When set, a client without a certificate from them is not let in.',
        'presence',
      ),
      clientCrlFile: setting(
        filePath('revoked client certificates').exactOptional(),
        'A file with lists of revoked client certificates (CRL, PEM), one from each authority in `clientCaFile`. A client in them is not let in, and a new list ends the connections that are open.',
        'reload',
      ),
      minVersion: setting(
        choice(['1.2', '1.3']).prefault('1.2'),
        'The oldest version of TLS that clients may speak.',
        'reload',
      ),
    }).exactOptional(),
    'Speaks HTTPS (TLS 1.2 or 1.3, HTTP/1.1) on `listen`; absent: plain HTTP. A changed certificate is taken over without a restart.',
    'presence',
  ),
  upstream: setting(origin().prefault('http://127.0.0.1:3000'), 'The app that stands behind.', 'reload'),
  upstreamTls: setting(
    group({
      caFile: setting(
        filePath('app certificates').exactOptional(),
        'A file with the certificates (PEM) that vouch for the app; absent: those of the system.',
      ),
      serverName: setting(
        hostName().exactOptional(),
        'The name that must be in the certificate of the app, and that it is asked for (SNI); absent: the host of `upstream`.',
      ),
    }).exactOptional(),
    'How an app with https proves that it is the app. A changed file is taken over without a restart.',
    'reload',
  ),
  workers: setting(
    integer(1, 64).prefault(1),
    'How many processes serve requests, for more than one core. They share the ports, and each has its own copy of the revocation list and of remembered tokens. `maxConnections`, `upstreamConnections` and `refusedPerSecond` are divided among them.',
    'restart',
  ),
  admin: setting(
    group({
      listen: setting(
        address().prefault('[::]:9090'),
        'Where /livez, /readyz, /metrics and the APIs for revocations and refresh tokens are.',
        'restart',
      ),
      tokenFile: setting(
        secretPath('admin token').exactOptional(),
        'A file with the bearer token of the APIs for revocations and refresh tokens; without it they answer 404.',
        'reload',
      ),
      appProbes: setting(
        byContainer(appProbes).prefault({}),
        'What is asked of the app when the kubelet asks `/app-probe/<container>/<kind>`: a URL of this machine (http, https or tcp), or `{ url, headers }`, for the kinds startup, readiness and liveness of each container, as in `{ app: { readiness: "http://127.0.0.1:3000/health" } }`. `sidegate inject` writes it.',
        'reload',
      ),
    }).prefault({}),
    'The port for probes, metrics and operators.',
  ),
  issuers: setting(
    list(issuer, { min: 1, max: 32, expects: 'a list of at least one issuer' }),
    'Whose tokens are accepted.',
    'reload',
  ),
  tokens: setting(
    group({
      sources: setting(
        list(source, {
          min: 1,
          max: 16,
          expects: 'a list of at least one source, such as { header: authorization }',
        }).prefault([{ header: 'authorization' }]),
        'Where a request may carry its token, such as `{ cookie: session }`. Two different tokens in one request are refused.',
      ),
      crossSite: setting(
        choice(['allow', 'refuse']).prefault('allow'),
        'Whether pages of other origins may change something with a token from a cookie. `refuse` answers 403 to methods other than GET, HEAD and OPTIONS whose Origin is neither this host nor in `cors.origins`. A WebSocket with a token from a cookie is always asked for its Origin.',
      ),
      maxBytes: setting(integer(256, 16_384).prefault(8192), 'The longest token that is read, in bytes.'),
    }).prefault({}),
    'How a token comes with a request.',
    'reload',
  ),
  routes: setting(
    list(route, { expects: 'a list of routes' }).prefault([]),
    'What each path asks for. The first match wins; a path that no route covers needs a token. Routes before the match that ask for something are asked too where an app could take the path for theirs: in any letter case, with or without a slash at the end.',
    'reload',
  ),
  cors: setting(
    group({
      origins: setting(
        list(webOrigin(), { max: 64, expects: 'a list of origins' }).prefault([]),
        'Origins of pages that call the app from elsewhere. Their preflights reach the app without a token, and their scripts can read refusals.',
      ),
    }).prefault({}),
    'Pages of other origins (CORS). The app answers them itself; this is what the gate has to know.',
    'reload',
  ),
  revocation: setting(
    group({
      redis: setting(
        redisUrl().exactOptional(),
        'Where the revocation list is kept; absent: in the memory of this process only.',
      ),
      passwordFile: setting(
        secretPath('redis password').exactOptional(),
        'A file with the Redis password, instead of one in the URL.',
        'reload',
      ),
      sentinelPasswordFile: setting(
        secretPath('sentinel password').exactOptional(),
        'A file with the password of the Sentinels, where they have one.',
        'reload',
      ),
      caFile: setting(
        filePath('redis certificates').exactOptional(),
        'A file with the certificates (PEM) that vouch for Redis; absent: those of the system. It needs `rediss`.',
      ),
      natMap: setting(
        natMap().exactOptional(),
        'Where nodes of a Cluster, or the master that Sentinels name, are reached, where the addresses that Redis announces lead nowhere from here: `{ "10.0.0.5:6379": "redis.example.com:7001" }`.',
      ),
      list: setting(listName().prefault('default'), 'The name of the list. Several products can share one Redis.'),
      check: setting(
        choice(['local', 'redis']).prefault('local'),
        '`local` asks the local copy; `redis` asks Redis on every request.',
      ),
      maxStaleness: setting(duration({ min: '1ms' }).prefault('30s'), 'How old the local copy may be.'),
      whenStale: setting(
        choice(['deny', 'allow']).prefault('deny'),
        'What happens when the list is too old or cannot be asked: `deny` answers 503; `allow` goes by what is known, counted and logged.',
      ),
      keys: setting(
        list(keyTemplate(), { min: 1, max: 16, expects: 'a list of key templates such as "{jti}"' }).exactOptional(),
        'Plain Redis keys whose existence revokes a token, with claims in braces; only with `check: redis`.',
      ),
      minReplicas: setting(
        integer(0, 64).prefault(0),
        'On how many replicas a revocation must be before it is confirmed.',
      ),
      follow: setting(
        choice(['stream', 'poll']).prefault('stream'),
        '`stream` waits in Redis for news (XREAD BLOCK); `poll` asks again and again, for a Redis without it.',
      ),
      timeout: setting(
        duration({ min: '1ms', max: '1m' }).prefault('50ms'),
        'How long an answer of Redis may take with `check: redis`.',
      ),
    }).prefault({}),
    'Which tokens were taken back.',
    'restart',
  ),
  refresh: setting(
    refresh.exactOptional(),
    'Hands out the next token before the old one expires; absent: off.',
    'reload',
  ),
  forward: setting(
    group({
      identity: setting(
        byHeader(claimName()).prefault({
          'x-auth-subject': 'sub',
          'x-auth-scope': 'scope',
          'x-auth-issuer': 'iss',
        }),
        'The headers that tell the app who is calling, each with the claim that it carries. Nobody outside can set them.',
      ),
      headerNames: setting(
        choice(['strict', 'token']).prefault('strict'),
        'Which header names of requests reach the app. `strict`: letters, digits and `-`; `token`: every character that HTTP allows in a name, for an app that does not read `X.A` or `X_A` as `X-A`.',
      ),
      allowHeaders: setting(
        list(anyHeaderName(), { max: 256, expects: 'a list of header names' }).prefault([]),
        'Names that reach the app although `headerNames` or the [list](security.md#header-names) would leave them out. A protected name cannot be one of them.',
      ),
      drop: setting(
        list(headerPattern(), { max: 256, expects: 'a list of header names' }).prefault([]),
        'More names that never reach the app, in whatever spelling; `x-internal-*` stands for all names that begin so.',
      ),
      stripToken: setting(flag().prefault(false), 'Removes the token before the app sees the request.'),
      trustedProxies: setting(
        list(addressRange(), { expects: 'a list of address ranges' }).prefault([]),
        'Ranges of addresses whose X-Forwarded-*, Forwarded, client address and client certificate headers are believed. Name only proxies that set or remove each of them.',
      ),
    }).prefault({}),
    'What the app sees.',
    'reload',
  ),
  outbound: setting(
    group({
      proxy: setting(
        outboundProxy().prefault('env'),
        'The HTTP proxy through which identity providers are asked (keys, discovery, token endpoint): a URL, `none`, or `env` for HTTPS_PROXY, or HTTP_PROXY for http URLs. Never asked through it: this machine, names without a dot, names below `svc` and `cluster.local`, KUBERNETES_SERVICE_HOST, and what NO_PROXY names.',
      ),
    }).prefault({}),
    'How Sidegate reaches servers other than the app and Redis.',
    'reload',
  ),
  limits: setting(
    group({
      headerBytes: setting(integer(1024, 65_536).prefault(16_384), 'The largest request head, in bytes.', 'restart'),
      headers: setting(integer(8, 900).prefault(100), 'The largest number of request headers.', 'reload'),
      bodyBytes: setting(
        integer(0, Number.MAX_SAFE_INTEGER).prefault(0),
        'The largest request body, in bytes; 0: no limit.',
        'reload',
      ),
      requestTimeout: setting(
        duration().prefault('0s'),
        'How long a client may take to send a whole request; 0s: no limit.',
        'restart',
      ),
      headersTimeout: setting(
        duration({ min: '1ms' }).prefault('10s'),
        'How long a client may take to send the head of a request.',
        'restart',
      ),
      idleTimeout: setting(
        duration({ min: '1ms' }).prefault('75s'),
        'How long a connection stays open between two requests.',
        'restart',
      ),
      sendTimeout: setting(
        duration().prefault('60s'),
        'How long a client may take no byte of an answer that waits for it, before it is broken off; 0s: no limit.',
        'reload',
      ),
      upstreamConnectTimeout: setting(
        duration({ min: '1ms' }).prefault('2s'),
        'How long connecting to the app may take.',
        'reload',
      ),
      upstreamResponseTimeout: setting(
        duration({ min: '1ms' }).prefault('60s'),
        'How long the app may take to begin its answer, and how long a request waits before that for a free connection to it.',
        'reload',
      ),
      upstreamConnections: setting(
        integer(1, 65_535).prefault(256),
        'The largest number of connections to the app.',
        'reload',
      ),
      maxConnections: setting(
        integer(1, 1_000_000).prefault(10_000),
        'The largest number of connections from clients.',
        'restart',
      ),
      drainTimeout: setting(
        duration().prefault('25s'),
        'How long open requests may go on after the signal to stop.',
        'reload',
      ),
    }).prefault({}),
    'Sizes, counts and times.',
  ),
  mode: setting(
    choice(['enforce', 'shadow']).prefault('enforce'),
    '`shadow` forwards everything, and counts and logs what would have been refused.',
    'reload',
  ),
  log: setting(
    group({
      level: setting(
        choice(['trace', 'debug', 'info', 'warn', 'error', 'silent']).prefault('info'),
        'The least severe lines that are written.',
      ),
      access: setting(choice(['all', 'refused', 'none']).prefault('refused'), 'Which requests get a line.'),
      refusedPerSecond: setting(
        integer(0, 1_000_000).prefault(100),
        'The most lines in a second for requests that were not simply admitted; how many were left out is told once a second, by reason. 0: no bound.',
      ),
      format: setting(
        choice(['auto', 'json', 'pretty']).prefault('auto'),
        '`auto` is pretty on a terminal, else JSON lines.',
      ),
    }).prefault({}),
    'What is logged.',
    'restart',
  ),
}

/** The schema of all settings, without the rules between them. */
export const settingsSchema = group(table)

/** The settings as read: defaults filled in, every duration in milliseconds, addresses split, names in lower case. */
export type Config = DeepReadonly<z.output<typeof settingsSchema>>

export type IssuerConfig = Config['issuers'][number]
export type RouteConfig = Config['routes'][number]
export type RefreshConfig = NonNullable<Config['refresh']>

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
    : T
