import { describe, expect, test } from 'vitest'
import { configOf, issuersLine, problemsOf } from '../../support/settings.ts'

const one = 'privateKeyFile: /a, algorithm: ES256, keyId: k1'
const two = 'privateKeyFile: /b, algorithm: EdDSA, keyId: k2'
const keys = (...listed: string[]) => `refresh: { keys: [${listed.map((key) => `{ ${key} }`).join(', ')}] }`
const exchange = "exchange: { tokenEndpoint: 'https://a.b', clientId: c, clientSecretFile: /s }"

/** Each rule: the settings behind the issuers, and what is said about them. */
const rules: readonly (readonly [string, string, string])[] = [
  [
    'one key and several exclude each other',
    `refresh: { key: { ${one} }, keys: [{ ${two}, active: true }] }`,
    'refresh: Expected exactly one of "refresh.key", "refresh.keys", "refresh.exchange", got "refresh.key" and "refresh.keys"',
  ],
  [
    'a list of keys holds one',
    'refresh: { keys: [] }',
    'refresh.keys: Expected a list of 1 to 16 keys, got an empty list',
  ],
  [
    'and at most sixteen',
    keys(
      ...Array.from(
        { length: 17 },
        (_, index) => `secretFile: /s, algorithm: HS256, keyId: k${index}, active: ${index}`,
      ),
    ),
    'refresh.keys: Expected at most 16 in this list, got 17',
  ],
  [
    'a key of the list has one file',
    keys(`${one}, publicKeyFile: /p, active: true`),
    'refresh.keys[0]: Expected exactly one of "privateKeyFile", "publicKeyFile", "secretFile", got "privateKeyFile" and "publicKeyFile"',
  ],
  [
    'and no less than that',
    keys('algorithm: ES256, keyId: k1, active: true'),
    'refresh.keys[0]: Expected exactly one of "privateKeyFile", "publicKeyFile", "secretFile", got none',
  ],
  [
    'a secret of the list signs with HS',
    keys('secretFile: /s, algorithm: ES256, keyId: k1, active: true'),
    'refresh.keys[0].algorithm: Expected "HS256", "HS384" or "HS512" with "secretFile", got "ES256", a private key is given by "privateKeyFile"',
  ],
  [
    'a public key verifies no HS',
    keys(`${one}, active: true`, 'publicKeyFile: /p, algorithm: HS256, keyId: k2'),
    'refresh.keys[1].algorithm: Expected an algorithm with a key pair, got "HS256", for "HS256" give "secretFile"',
  ],
  [
    'each key of the list has a name',
    keys('secretFile: /s, algorithm: HS256, active: true'),
    'refresh.keys[0].keyId: Missing setting, give a key id',
  ],
  [
    'and a name of its own',
    keys(`${one}, active: true`, 'secretFile: /s, algorithm: HS256, keyId: k1'),
    'refresh.keys[1].keyId: Repeated key id "k1", refresh.keys[0] has it already',
  ],
  [
    'a public key signs nothing',
    keys(`${one}, active: true`, 'publicKeyFile: /p, algorithm: ES256, keyId: k2, active: 1900000000'),
    'refresh.keys[1].active: Cannot sign with a public key, give "privateKeyFile", or remove "active"',
  ],
  [
    'one key signs since ever',
    keys(`${one}, active: true`, `${two}, active: true`),
    'refresh.keys[1].active: Expected a time at which no other key begins to sign, got that of refresh.keys[0], give the newer of the two the time from which on it signs',
  ],
  [
    'no two keys begin at the same time, however it is written',
    keys(`${one}, active: 2026-12-01T10:00:00Z`, `${two}, active: 1796119200`),
    'refresh.keys[1].active: Expected a time at which no other key begins to sign, got that of refresh.keys[0]',
  ],
  ['some key signs', keys(one, two), 'refresh.keys: Expected a key that signs, got none, give one "active: true"'],
  [
    'successors of several keys are not too long for their issuer either',
    `refresh: { keys: [{ ${one}, active: true }], lifetime: 25h, maxSession: 48h }`,
    'refresh.lifetime: Expected at most the "maxLifetime" of issuer "https://id.example.com", "24h", got "25h", as every successor would be refused',
  ],
  [
    'the issuer of successors is none of the others',
    `refresh: { key: { ${one} }, issuer: https://id.example.com }`,
    'refresh.issuer: Expected an issuer of its own for successors, got "https://id.example.com", which is issuers[0], without "refresh.issuer" successors keep the "iss" of the first token',
  ],
  [
    'the provider names the issuer of what it exchanges',
    `refresh: { ${exchange}, issuer: https://gate.example.com }`,
    'refresh.issuer: Cannot give successors an issuer: with "refresh.exchange" the identity provider names it, remove it',
  ],
]

test.each(rules)('%s', (_, text, line) => {
  const lines = problemsOf(`${issuersLine}\n${text}`).map((problem) => problem.replace(/^sidegate\.yaml:\d+:\d+ /, ''))
  expect(lines).toEqual([line])
})

test('a rule about keys is not told where a value was wrong in the first place', () => {
  expect(problemsOf(`${issuersLine}\n${keys(`${one}, active: soon`)}`)).toHaveLength(1)
  expect(problemsOf(`${issuersLine}\n${keys('secretFile: 5, algorithm: HS256, keyId: k, active: true')}`)).toHaveLength(
    1,
  )
  expect(problemsOf(`${issuersLine}\nrefresh: { keys: 5 }`)).toHaveLength(1)
})

describe('when a key signs', () => {
  const activeOf = (active: string) => {
    const other = 'secretFile: /s, algorithm: HS256, keyId: other, active: 1'
    return configOf(`${issuersLine}\n${keys(`${one}, active: ${active}`, other)}`).refresh?.keys?.[0]?.active
  }

  test.each([
    ['true', true],
    ['false', false],
    ['1796119200', 1_796_119_200],
    ['2026-12-01T10:00:00Z', 1_796_119_200],
    ['"2026-12-01T11:00:00.000+01:00"', 1_796_119_200],
    ['2026-12-01T10:00Z', 1_796_119_200],
  ])('%s is read', (text, value) => {
    expect(activeOf(text)).toBe(value)
  })

  test('a key that says nothing about it only verifies', () => {
    const config = configOf(`${issuersLine}\n${keys(`${one}, active: true`, two)}`)
    expect(config.refresh?.keys?.map(({ active }) => active)).toEqual([true, false])
  })

  const expects = 'refresh.keys[0].active: Expected true, false or a time such as "2026-12-01T10:00:00Z", got'
  test.each([
    ['yes', `${expects} "yes"`],
    ['now', `${expects} "now"`],
    ['2026-12-01', `${expects} "2026-12-01"`],
    ['2026-13-01T10:00:00Z', `${expects} "2026-13-01T10:00:00Z"`],
    ['2026-12-01T10:00:00', `${expects} "2026-12-01T10:00:00", give the time zone: "2026-12-01T10:00:00Z"`],
    ['1796119200000', `${expects} 1796119200000, unix seconds, not milliseconds`],
    ['"1796119200"', `${expects} "1796119200", did you mean 1796119200`],
    ['-1', `${expects} -1`],
    ['.nan', `${expects} NaN`],
    ['[true]', `${expects} a list`],
  ])('%s is told as it should be', (text, line) => {
    const [problem, ...more] = problemsOf(`${issuersLine}\n${keys(`${one}, active: ${text}`)}`)
    expect(problem?.replace(/^sidegate\.yaml:\d+:\d+ /, '')).toBe(line)
    expect(more).toEqual([])
  })
})
