// `sidegate check`: everything that can be known before a start, all of it in one run, each problem with its place.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificates } from '../../support/certificates.ts'
import { sidegate } from '../../support/shell.ts'
import { jwksOf, makeKey, privatePem, publicPem } from '../../support/tokens.ts'

let folder: string
const file = (name: string) => join(folder, name)
const secret = 'a-shared-secret-that-is-long-enough-0123456789'

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-check-'))
  const key = makeKey()
  writeFileSync(file('jwks.json'), jwksOf(key))
  writeFileSync(file('private.pem'), privatePem(key))
  writeFileSync(file('public.pem'), publicPem(key))
  writeFileSync(file('rsa.pem'), publicPem(makeKey('RS256')))
  writeFileSync(file('short'), 'geheim\n')
  writeFileSync(file('secret'), `${secret}\n`)
  writeFileSync(file('empty'), '')
  writeFileSync(file('no-keys.json'), '{"keys":[]}')
  writeFileSync(file('bad-keys.json'), JSON.stringify({ keys: [{ kty: 'oct', k: 'Z2VoZWlt', kid: 'shared' }] }))
  writeFileSync(
    file('mixed-keys.json'),
    JSON.stringify({ keys: [...JSON.parse(jwksOf(key)).keys, { kty: 'RSA', kid: 'weak', n: 'AQAB', e: 'AQAB' }] }),
  )
  mkdirSync(file('folder'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Writes settings and checks them. `@/` stands for the folder. */
async function check(text: string, given: readonly string[] = [], environment: Record<string, string> = {}) {
  const path = file('sidegate.yaml')
  writeFileSync(path, text.replaceAll('@/', `${folder}/`))
  const ran = await sidegate(['check', '--config', path, ...given], { environment })
  const tidy = (line: string) => line.replaceAll(`${folder}/`, '')
  return { ...ran, printed: ran.printed.map(tidy), complained: ran.complained.map(tidy) }
}

const issuer = (keys: string, more = '') => `issuers:
  - issuer: https://id.example.com
    audiences: [orders]
    keys: { ${keys} }
    ${more}
`

test('valid settings are told with their size, and answer 0', async () => {
  const { printed, complained, exitCode } = await check(
    `${issuer('jwksFile: @/jwks.json')}routes: [{ path: /healthz, access: public }]\n`,
  )
  expect(printed).toEqual(['The settings are valid: 1 issuer, 1 route, upstream http://127.0.0.1:3000'])
  expect(complained).toEqual([])
  expect(exitCode).toBe(0)
})

test('an admin token that is too short opens nothing, and check says so', async () => {
  const { complained, printed, exitCode } = await check(
    `${issuer('jwksFile: @/jwks.json')}admin: { tokenFile: '@/short' }\n`,
  )
  expect([...printed, ...complained].join('\n')).toContain(
    'admin.tokenFile: Cannot use the admin token: it has 6 characters, and needs at least 32',
  )
  expect(exitCode).toBe(0)
})

test('schema, routes, variables, flags and files: every problem in one run, each with its place', async () => {
  const { complained, printed, exitCode } = await check(
    `upstrem: http://127.0.0.1:3000
admin: { tokenFile: @/missing }
issuers:
  - { issuer: https://id.example.com, audiences: [], keys: { jwksFile: @/missing.json } }
routes:
  - { path: /a/*, access: public }
  - { path: /a/b, scopes: [x] }
revocation: { maxStaleness: 30 }
`,
    ['--limits-headers', 'many'],
    { SIDEGATE_MODE: 'shadwo' },
  )
  expect(complained).toEqual([
    'The settings have 8 problems:',
    '  sidegate.yaml:1:1: Unknown setting "upstrem", did you mean "upstream"',
    '  sidegate.yaml:4:39 issuers[0].audiences: Expected a list of at least one audience, got an empty list',
    '  sidegate.yaml:7:7 routes[1].path: Route "/a/b" can never match: routes[0], "/a/*", covers it and comes first, move it up',
    expect.stringMatching(/^ {2}sidegate\.yaml:8:15 revocation\.maxStaleness: .*did you mean "30s"$/),
    expect.stringContaining('  --limits-headers: Expected a whole number from 8 to 900, got "many"'),
    '  SIDEGATE_MODE: Expected one of "enforce", "shadow", got "shadwo", did you mean "shadow"',
    '  sidegate.yaml:2:10 admin.tokenFile: Cannot read "missing": it does not exist',
    '  sidegate.yaml:4:62 issuers[0].keys.jwksFile: Cannot read "missing.json": it does not exist',
  ])
  expect(printed).toEqual([])
  expect(exitCode).toBe(1)
})

test('the certificate of the listener: a wrong pair is a problem at its place, and a variable is named as such', async () => {
  const [ours, others] = [makeCertificates(), makeCertificates()]
  try {
    const settings = `tls:\n  certFile: ${ours.certificateFile}\n  keyFile: ${others.keyFile}\n${issuer('jwksFile: @/jwks.json')}`
    const wrong = await check(settings)
    expect(wrong.complained).toEqual([
      'The settings have 1 problem:',
      `  sidegate.yaml:2:3 tls.certFile: Cannot use "${ours.certificateFile}" as listener certificate: it does not belong to the key in "tls.keyFile"`,
    ])
    expect(wrong.exitCode).toBe(1)
    expect((await check(settings, ['--tls-key-file', ours.keyFile])).exitCode).toBe(0)
    const { complained } = await check(settings, [], { SIDEGATE_TLS_KEY_FILE: ours.certificateFile })
    expect(complained[1]).toBe(
      `  SIDEGATE_TLS_KEY_FILE: Cannot use "${ours.certificateFile}" as listener key: it is not a private key in PEM`,
    )
  } finally {
    ours.remove()
    others.remove()
  }
})

const keyProblems: Record<string, readonly [settings: string, problem: string]> = {
  'a file that is missing': [issuer('jwksFile: @/none'), 'keys.jwksFile: Cannot read "none": it does not exist'],
  'a folder': [issuer('jwksFile: @/folder'), 'keys.jwksFile: Cannot read "folder": it is a directory'],
  'an empty file': [issuer('publicKeyFile: @/empty'), 'keys.publicKeyFile: Cannot read "empty": it is empty'],
  'a PEM where a key set is wanted': [
    issuer('jwksFile: @/public.pem'),
    'keys.jwksFile: Cannot use "public.pem" as key set: it is not JSON',
  ],
  'a private key where a public one is wanted': [
    issuer('publicKeyFile: @/private.pem'),
    'keys.publicKeyFile: Cannot use "private.pem" as public key: it holds a private key; give the public key alone',
  ],
  'a key set without a key': [
    issuer('jwksFile: @/no-keys.json'),
    'keys.jwksFile: Cannot use "no-keys.json" as key set: it holds no usable key',
  ],
  'a key set without a usable key': [
    issuer('jwksFile: @/bad-keys.json'),
    'keys.jwksFile: Cannot use "bad-keys.json" as key set: it holds no usable key ("shared": a symmetric key does not belong into a published key set)',
  ],
  'a key that fits no allowed algorithm': [
    issuer('publicKeyFile: @/rsa.pem', 'algorithms: [ES256]'),
    'keys.publicKeyFile: Cannot use "rsa.pem" as public key: none of its keys fits the allowed algorithms ES256',
  ],
  'a secret that is too short': [
    issuer('secretFile: @/short', 'algorithms: [HS256]'),
    'keys.secretFile: Cannot use "short" as shared secret: it has 6 bytes; HS256 needs at least 32',
  ],
  'a public key as a secret': [
    issuer('secretFile: @/rsa.pem', 'algorithms: [HS256]'),
    'keys.secretFile: Cannot use "rsa.pem" as shared secret: it is a key of a key pair, not a shared secret',
  ],
}

test.each(Object.entries(keyProblems))('%s is named with its setting and its place', async (_, [text, problem]) => {
  const { complained, exitCode } = await check(text)
  expect(complained).toEqual(['The settings have 1 problem:', `  sidegate.yaml:4:13 issuers[0].${problem}`])
  expect(exitCode).toBe(1)
  expect(complained.join()).not.toMatch(/geheim|Z2VoZWlt|BEGIN/)
})

test.each([
  ['jwks.json', 'ES256', 'Cannot use "jwks.json" as signing key: it is not a private key in PEM or JWK'],
  ['private.pem', 'ES384', 'Cannot use "private.pem" as signing key: it cannot sign with ES384; it can with ES256'],
])('a signing key %s that cannot sign with %s is named', async (name, algorithm, message) => {
  const { complained, exitCode } = await check(
    `${issuer('jwksFile: @/jwks.json')}refresh: { key: { privateKeyFile: @/${name}, algorithm: ${algorithm}, keyId: k1 } }\n`,
  )
  expect(complained[1]).toBe(`  sidegate.yaml:6:19 refresh.key.privateKeyFile: ${message}`)
  expect(exitCode).toBe(1)
})

test.each([
  ['secret', 'ES256', 'it is not a private key in PEM or JWK'],
  ['private.pem', 'RS256', 'it cannot sign with RS256; it can with ES256'],
])('a client key %s that cannot sign with %s is named', async (name, algorithm, problem) => {
  const client = `clientId: app, clientAuthentication: private_key_jwt, clientKeyFile: @/${name}, clientKeyAlgorithm: ${algorithm}`
  const { complained, exitCode } = await check(
    `${issuer('jwksFile: @/jwks.json')}refresh: { exchange: { tokenEndpoint: 'https://id.example.com/token', ${client} } }\n`,
  )
  expect(complained[1]).toContain(`refresh.exchange.clientKeyFile: Cannot use "${name}" as client key: ${problem}`)
  expect(exitCode).toBe(1)
})

const storeKeyProblems: Record<string, readonly [content: string, problem: string]> = {
  'of 31 bytes': [Buffer.alloc(31, 7).toString('base64'), 'line 1 is not 32 bytes as base64 or hex'],
  'that is a passphrase': ['geheim geheim geheim geheim gehe', 'line 1 is not 32 bytes as base64 or hex'],
  'whose second line is cut off': [`${'ab'.repeat(32)}\n${'ab'.repeat(31)}\n`, 'line 2 is not 32 bytes'],
  'of blank lines': ['\n\n \n', 'it holds no key'],
  'with too many keys': [`${'ab'.repeat(32)}\n`.repeat(17), 'it holds 17 keys; at most 16'],
}

const refreshTokens = `${issuer('jwksFile: @/jwks.json')}admin: { tokenFile: @/secret }
revocation: { redis: 'redis://redis' }
refresh:
  exchange:
    tokenEndpoint: https://id.example.com/token
    clientId: app
    clientSecretFile: @/secret
    grant: refresh-token
    storeKeyFile: @/store-key
`

test.each(Object.entries(storeKeyProblems))('a key for refresh tokens %s is named', async (_, [content, problem]) => {
  writeFileSync(file('store-key'), content)
  const { complained, exitCode } = await check(refreshTokens)
  expect(complained[1]).toContain(
    `refresh.exchange.storeKeyFile: Cannot use "store-key" as key for refresh tokens: ${problem}`,
  )
  expect(complained.join()).not.toMatch(/geheim|abab|BwcH/)
  expect(exitCode).toBe(1)
})

test('keys for refresh tokens are base64 of either alphabet, with or without padding, or hex', async () => {
  const bytes = Buffer.alloc(32, 0xfb)
  const spellings = [bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex')]
  writeFileSync(file('store-key'), `${spellings.join('\r\n')}\n\n`)
  expect(await check(refreshTokens)).toMatchObject({ complained: [], exitCode: 0 })
})

test('a file that a variable or a flag names is told with the variable or the flag', async () => {
  const { complained } = await check(issuer('jwksFile: @/jwks.json'), ['--revocation-password-file', '@none'], {
    SIDEGATE_ADMIN_TOKEN_FILE: file('empty'),
    SIDEGATE_REVOCATION_REDIS: 'redis://redis',
  })
  expect(complained).toEqual([
    'The settings have 2 problems:',
    '  SIDEGATE_ADMIN_TOKEN_FILE: Cannot read "empty": it is empty',
    '  --revocation-password-file: Cannot read "@none": it does not exist',
  ])
})

test('an issuer list that a variable gives is checked for its files too, with the place in the variable', async () => {
  const issuers = `[{ issuer: https://id.example.com, audiences: [a], keys: { jwksFile: ${file('none')} } }, {}]`
  const { complained } = await check('{}\n', [], { SIDEGATE_ISSUERS: issuers })
  expect(complained).toContain('  SIDEGATE_ISSUERS issuers[0].keys.jwksFile: Cannot read "none": it does not exist')
  expect(complained).toContain(
    '  SIDEGATE_ISSUERS issuers[1].audiences: Missing setting, give a list of at least one audience',
  )
})

test('a key that is ignored is a warning with its place, and the settings are valid', async () => {
  const { complained, exitCode } = await check(issuer('jwksFile: @/mixed-keys.json'))
  expect(complained).toHaveLength(1)
  expect(complained[0]).toMatch(/^warning: sidegate\.yaml:4:13 issuers\[0\]\.keys\.jwksFile: Ignored a key "weak": /)
  expect(exitCode).toBe(0)
})

const everyone = "forward: { trustedProxies: ['::/0'] }\n"

test('a setting that is probably not meant is a warning with its place, and the settings are valid', async () => {
  const { complained, printed, exitCode } = await check(`${issuer('jwksFile: @/jwks.json')}${everyone}`)
  expect(complained).toEqual([
    expect.stringMatching(/^warning: sidegate\.yaml:\d+:\d+ forward\.trustedProxies\[0\]: Every client is believed/),
  ])
  expect(printed).toEqual([expect.stringMatching(/^The settings are valid/)])
  expect(exitCode).toBe(0)
})

test('--json carries the warnings about settings that are valid', async () => {
  const { printed, exitCode } = await check(`${issuer('jwksFile: @/jwks.json')}${everyone}`, ['--json'])
  const [warning, ...more] = JSON.parse(printed.join('\n')).warnings
  expect(more).toEqual([])
  expect(warning).toMatchObject({ where: expect.stringContaining('forward.trustedProxies[0]') })
  expect(exitCode).toBe(0)
})

describe('a secret that the provider shares with the gate, which signs with it too', () => {
  const refreshed = (keys: string, more = '') =>
    `${issuer(keys, `algorithms: [HS256]\n    ${more}`)}refresh: { window: 60s, lifetime: 2m, key: { secretFile: @/secret, algorithm: HS256, keyId: own } }\n`
  const told = async (text: string) => {
    const { complained, exitCode } = await check(text)
    expect(exitCode).toBe(0)
    return complained.filter((line) => line.includes('cannot be told apart'))
  }

  test('is a warning, whatever ends the line of its file', async () => {
    writeFileSync(file('same-secret'), `${secret}\r\n`)
    for (const name of ['secret', 'same-secret']) {
      const [warning, ...more] = await told(refreshed(`secretFile: @/${name}`))
      expect(warning).toContain('refresh.key: The issuer signs with key "own" of the refresh')
      expect(warning).not.toContain(secret)
      expect(more).toEqual([])
    }
  })

  test('is none where the secrets differ, where the issuer is not refreshed, and without refresh', async () => {
    writeFileSync(file('other-secret'), `${secret}x\n`)
    expect(await told(refreshed('secretFile: @/other-secret'))).toEqual([])
    expect(await told(refreshed('secretFile: @/secret', 'refresh: false'))).toEqual([])
    expect(await told(issuer('secretFile: @/secret', 'algorithms: [HS256]'))).toEqual([])
  })
})

test('--json prints the settings in force, without the password of Redis and without secrets', async () => {
  const { printed, exitCode, text } = await check(
    `${issuer('secretFile: @/secret', 'algorithms: [HS256]')}revocation: { redis: 'redis://app:geheim@redis:6379/0' }\n`,
    ['--json'],
  )
  const answer = JSON.parse(printed.join('\n'))
  expect(answer.problems).toBeUndefined()
  expect(answer).toMatchObject({ ok: true, warnings: [], settings: { mode: 'enforce' } })
  expect(answer.settings.revocation.redis).toBe('redis://app:***@redis:6379/0')
  expect(text).not.toContain('geheim')
  expect(text).not.toContain(secret)
  expect(exitCode).toBe(0)
})

test('--json prints problems with their places', async () => {
  const { printed, complained, exitCode } = await check('mode: off\n', ['--json'])
  const answer = JSON.parse(printed.join('\n'))
  expect(answer.ok).toBe(false)
  expect(answer.problems.map(({ where }: { where: string }) => where)).toEqual([
    'sidegate.yaml:1:1 issuers',
    'sidegate.yaml:1:1 mode',
  ])
  expect(complained).toEqual([])
  expect(exitCode).toBe(1)
})

test('a settings file that is missing or cannot be read is told as such', async () => {
  const missing = await sidegate(['check', '--config', file('none.yaml')])
  expect(missing.complained).toEqual([
    'The settings have 1 problem:',
    `  --config: Cannot read "${file('none.yaml')}": it does not exist`,
  ])
  expect(missing.exitCode).toBe(1)
})

test.skipIf(process.getuid?.() === 0)('a key file that may not be read says so', async () => {
  writeFileSync(file('closed'), 'x')
  chmodSync(file('closed'), 0)
  expect((await check(issuer('jwksFile: @/closed'))).complained[1]).toContain('permission is denied')
})

test('no settings at all: every setting that has to be given is named with its variable and its flag', async () => {
  const { complained, exitCode } = await sidegate(['check'])
  expect(complained).toEqual([
    'The settings have 1 problem:',
    '  issuers (SIDEGATE_ISSUERS, --issuers): Missing setting, give a list of at least one issuer',
    'No settings file is given: name one with --config sidegate.yaml; "sidegate demo" needs none',
  ])
  expect(exitCode).toBe(1)
})
