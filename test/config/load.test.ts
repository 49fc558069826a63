import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { formatProblem, formatProblems } from '../../src/config/problems.ts'
import { configOf, issuersLine, load, problemsOf } from '../support/settings.ts'

describe('precedence', () => {
  const text = `${issuersLine}\nlimits: { headers: 10, headerBytes: 2048, idleTimeout: 1s }\ntokens: { maxBytes: 1024 }`

  test('a flag beats a variable, a variable beats the file, the file beats the default, one setting at a time', () => {
    const environment = { SIDEGATE_LIMITS_HEADERS: '20', SIDEGATE_LIMITS_HEADER_BYTES: '4096' }
    const { limits } = configOf(text, { environment, flags: { 'limits-headers': '30' } })
    expect(limits).toMatchObject({ headers: 30, headerBytes: 4096, idleTimeout: 1000, drainTimeout: 25_000 })
  })

  test('a list given by a variable replaces the list of the file', () => {
    const { forward } = configOf(`${issuersLine}\nforward: { trustedProxies: [10.0.0.0/8] }`, {
      environment: { SIDEGATE_FORWARD_TRUSTED_PROXIES: '[]' },
    })
    expect(forward.trustedProxies).toEqual([])
  })

  test('a variable alone makes an optional group', () => {
    const key = {
      SIDEGATE_REFRESH_KEY_PRIVATE_KEY_FILE: '/k',
      SIDEGATE_REFRESH_KEY_ALGORITHM: 'ES256',
      SIDEGATE_REFRESH_KEY_KEY_ID: 'k1',
    }
    expect(configOf(issuersLine, { environment: key }).refresh).toMatchObject({ window: 60_000, key: { keyId: 'k1' } })
    expect(problemsOf(issuersLine, { environment: { SIDEGATE_REFRESH_WINDOW: '10s' } })).toEqual([
      'SIDEGATE_REFRESH_WINDOW refresh: Expected exactly one of "refresh.key", "refresh.keys", "refresh.exchange", got none',
    ])
  })

  test('a wrong value in the file is not told where a variable replaces it', () => {
    expect(configOf(`${issuersLine}\nmode: nonsense`, { environment: { SIDEGATE_MODE: 'shadow' } }).mode).toBe('shadow')
  })

  test('flags may be booleans and numbers, as a command line gives them', () => {
    const config = configOf(issuersLine, {
      flags: { 'forward-strip-token': true, 'limits-headers': 50, mode: undefined },
    })
    expect(config.forward.stripToken).toBe(true)
    expect(config.limits.headers).toBe(50)
  })

  test('an undefined flag is absent', () => {
    expect(configOf(issuersLine, { environment: { SIDEGATE_MODE: 'shadow' }, flags: { mode: undefined } }).mode).toBe(
      'shadow',
    )
  })
})

test('the settings are frozen through and through', () => {
  const config = configOf(issuersLine)
  expect(Object.isFrozen(config)).toBe(true)
  expect(Object.isFrozen(config.issuers[0]?.algorithms)).toBe(true)
  expect(Object.isFrozen(config.forward.identity)).toBe(true)
})

test('freezing one result leaves the defaults of the next one alone', () => {
  configOf(issuersLine)
  expect(configOf(issuersLine).tokens.sources).toEqual([{ header: 'authorization' }])
})

test('without a file, a missing setting is told with the names by which it could be given', () => {
  expect(loadConfig({ environment: {}, flags: {} })).toEqual({
    problems: [
      {
        where: 'issuers (SIDEGATE_ISSUERS, --issuers)',
        message: 'Missing setting',
        hint: 'give a list of at least one issuer',
      },
    ],
    warnings: [],
  })
})

describe('variables', () => {
  test('only the names of the table are read: service links are passed over in silence', () => {
    const environment = {
      SIDEGATE_PORT: 'tcp://10.0.0.1:8080',
      SIDEGATE_SERVICE_HOST: '10.0.0.1',
      SIDEGATE_SERVICE_PORT: '8080',
      SIDEGATE_SERVICE_PORT_HTTP: '8080',
      SIDEGATE_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      SIDEGATE_PORT_8080_TCP_ADDR: '10.0.0.1',
      SIDEGATE_UPSTREAM_SERVICE_HOST: '10.0.0.1',
      UPSTREAM: 'http://elsewhere',
      sidegate_upstream: 'http://elsewhere',
    }
    const result = load(issuersLine, { environment })
    expect(result.warnings).toEqual([])
    expect('config' in result && result.config.upstream).toBe('http://127.0.0.1:3000')
  })

  test('a name that only looks like a setting is a warning with the nearest one', () => {
    const { warnings } = load(issuersLine, {
      environment: { SIDEGATE_UPSTREM: 'x', SIDEGATE_REVOCATION_MAXSTALENESS: '1s', SIDEGATE_ZZZZZZZZZZZZ: 'x' },
    })
    expect(warnings.map(formatProblem)).toEqual([
      'SIDEGATE_UPSTREM: Ignored variable "SIDEGATE_UPSTREM": no setting has this name, did you mean "SIDEGATE_UPSTREAM"',
      'SIDEGATE_REVOCATION_MAXSTALENESS: Ignored variable "SIDEGATE_REVOCATION_MAXSTALENESS": no setting has this name, did you mean "SIDEGATE_REVOCATION_MAX_STALENESS"',
      'SIDEGATE_ZZZZZZZZZZZZ: Ignored variable "SIDEGATE_ZZZZZZZZZZZZ": no setting has this name',
    ])
  })

  test('the file has no variable, and whoever tries one is told how it is named', () => {
    const { warnings } = load(issuersLine, { environment: { SIDEGATE_CONFIG: '/etc/sidegate.yaml' } })
    expect(warnings.map(formatProblem)).toEqual([
      'SIDEGATE_CONFIG: Ignored variable "SIDEGATE_CONFIG": no setting has this name, the file is named by the flag "--config"',
    ])
  })

  test('problems name the variable or the flag, and the place inside a list', () => {
    const environment = {
      SIDEGATE_UPSTREAM: 'localhost:3000',
      SIDEGATE_ISSUERS: '[{ isuer: a, audiences: [], keys: { discovery: true } }]',
      SIDEGATE_ROUTES: '[{ path: /a',
      SIDEGATE_LOG_LEVEL: '',
    }
    expect(
      problemsOf('', { environment, flags: { mode: 'shado', lisen: '1', 'log-access': ['all', 'none'] } }),
    ).toEqual([
      '--lisen: Unknown flag "--lisen", did you mean "--listen"',
      'SIDEGATE_ROUTES: Cannot read YAML: Flow map in block collection must be sufficiently indented and end with a } (line 1, column 12)',
      'SIDEGATE_LOG_LEVEL: Setting without a value, give it one or remove it',
      '--log-access: Expected one value, got several, a list is one text in YAML: [a, b]',
      'SIDEGATE_UPSTREAM: Expected a URL such as "http://127.0.0.1:3000", got "localhost:3000", did you mean "http://localhost:3000"',
      'SIDEGATE_ISSUERS issuers[0].issuer: Missing setting, give the issuer as the claim "iss" spells it',
      'SIDEGATE_ISSUERS issuers[0].audiences: Expected a list of at least one audience, got an empty list',
      'SIDEGATE_ISSUERS issuers[0]: Unknown setting "isuer", did you mean "issuer"',
      '--mode: Expected one of "enforce", "shadow", got "shado", did you mean "shadow"',
    ])
  })
})

test('every problem of the file is told in one run, in the order of the file', () => {
  const text = `listen: 8080
upstrem: http://127.0.0.1:3000
issuers:
  - issuer: https://id.example.com
    audiences: orders
    algorithms: [ES265]
    keys: { discovery: true, jwksUri: 'http://keys.example.com' }
  - issuer: https://id.example.com
    audiences: [orders]
    clockTolerance: 30
    keys: { secretFile: /s }
revocation:
  check: redis
  maxStalenes: 30s
limits: { headers: 1.5 }
`
  const lines = problemsOf(text)
  expect(lines).toEqual([
    'sidegate.yaml:1:1 listen: Expected an address such as "0.0.0.0:8080" or "[::]:8080", got 8080, did you mean "[::]:8080"',
    'sidegate.yaml:2:1: Unknown setting "upstrem", did you mean "upstream"',
    'sidegate.yaml:5:5 issuers[0].audiences: Expected a list of at least one audience, got "orders", did you mean [orders]',
    'sidegate.yaml:6:18 issuers[0].algorithms[0]: Expected one of "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519", "RS256", "ES512", "RS384", "RS512", "HS256", "HS384", "HS512", got "ES265", did you mean "ES256"',
    'sidegate.yaml:7:5 issuers[0].keys: Expected exactly one of "discovery", "jwksUri", "jwksFile", "publicKeyFile", "secretFile", got "discovery" and "jwksUri"',
    'sidegate.yaml:7:30 issuers[0].keys.jwksUri: Expected an https URL, got "http://keys.example.com": over http anyone on the way can read and replace the answer, did you mean "https://keys.example.com"',
    'sidegate.yaml:8:5 issuers[1].issuer: Repeated issuer "https://id.example.com", it is issuers[0] already',
    'sidegate.yaml:8:5 issuers[1].algorithms: Expected only HS256, HS384 or HS512 with "secretFile", got "PS256", name the one that the issuer uses: algorithms: [HS256]',
    'sidegate.yaml:10:5 issuers[1].clockTolerance: Expected a duration such as "500ms", "30s", "5m" or "12h", got 30, did you mean "30s"',
    'sidegate.yaml:13:3 revocation.check: Cannot check in Redis: no Redis is given, give "revocation.redis" as well',
    'sidegate.yaml:14:3 revocation: Unknown setting "maxStalenes", did you mean "maxStaleness"',
    'sidegate.yaml:15:11 limits.headers: Expected a whole number from 8 to 900, got 1.5',
  ])
})

test('the printed lines have a heading that counts', () => {
  const problem = { where: '--mode', message: 'Expected more', hint: 'give it' }
  expect(formatProblems([])).toEqual([])
  expect(formatProblems([problem])).toEqual(['The settings have 1 problem:', '  --mode: Expected more, give it'])
  expect(formatProblems([problem, { where: 'a', message: 'b' }])[0]).toBe('The settings have 2 problems:')
})

test('no message holds a password, whatever is wrong with the URL around it', () => {
  const urls = [
    'http://user:hunter2@redis',
    'redis://user:hunter2@',
    'redis://user:hunter2@a,b',
    'redis://:hunter2@h:port',
    'redis://:hunter2@h/x',
    `redis://:hunter2@${'h'.repeat(5000)}`,
    'redis+sentinel://:hunter2@h:1',
    'redis://u:hunter2@x@y',
    'redis://hunter2 x',
  ]
  for (const url of urls) {
    const lines = [
      ...problemsOf(issuersLine, { environment: { SIDEGATE_REVOCATION_REDIS: url } }),
      ...problemsOf(`${issuersLine}\nrevocation: { redis: ${JSON.stringify(url)} }`),
      ...problemsOf(`${issuersLine}\nrevocation: { redis: [${JSON.stringify(url)}] }`),
    ]
    expect(lines.join('\n')).toContain('revocation.redis: Expected')
    expect(lines.join('\n')).not.toContain('hunter2')
  }
})

test('no message holds a number that stands where the password would', () => {
  expect(problemsOf(`${issuersLine}\nrevocation: { redis: 5550123 }`).join('\n')).not.toContain('5550123')
})

test('a key pasted where its file belongs is refused without being shown', () => {
  const text = `${issuersLine}\nrefresh:\n  key:\n    algorithm: ES256\n    keyId: k1\n    privateKeyFile: |\n      -----BEGIN PRIVATE KEY-----\n      c2VjcmV0\n`
  expect(problemsOf(text)).toEqual([
    'sidegate.yaml:6:5 refresh.key.privateKeyFile: Expected the path of a file, got what looks like the content itself, put it into a file and name that file here',
  ])
})
