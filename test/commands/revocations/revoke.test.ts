// `sidegate revoke`: one rule, in a real Redis, and what a person is told about it.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { type Ran, sidegate, signatureOf } from '../../support/shell.ts'
import { goodClaims, makeKey, NOW_SECONDS, part, signToken } from '../../support/tokens.ts'

const PASSWORD = 'geheim-1234'
const key = makeKey()
const clock = () => NOW_SECONDS * 1000
const DAY_LATER = '2027-01-16T08:00:00Z'
let redis: TestRedis
let url: string
let place: string

beforeAll(async () => {
  redis = await startRedis()
  url = `redis://:${PASSWORD}@127.0.0.1:${redis.port}/0`
  place = `redis://127.0.0.1:${redis.port}/0`
  // The connection of the test itself is there before, and stays.
  await redis.command('config', 'set', 'requirepass', PASSWORD)
})
afterAll(() => redis.stop())
beforeEach(() => redis.command('flushall'))

async function revoke(given: readonly string[], input?: string): Promise<Ran> {
  const ran = await sidegate(['revoke', '--redis', url, ...given], { clock, ...(input === undefined ? {} : { input }) })
  expect(ran.text).not.toContain(PASSWORD)
  return ran
}

/** The entries of the log, each as its fields. */
async function logOf(list = 'default'): Promise<Record<string, string>[]> {
  const entries = (await redis.command('xrange', `sidegate:{${list}}:log`, '-', '+')) as [string, string[]][]
  return entries.map(([, fields]) => {
    const pairs = fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? ''] as const] : []))
    return Object.fromEntries(pairs)
  })
}

const targets: Record<string, readonly [given: readonly string[], sentence: string, fields: Record<string, string>]> = {
  'one token by its jti': [['--jti', 'j-1'], 'Revokes the token "j-1"', { kind: 'token', value: 'j-1' }],
  'a jti that begins with a dash': [['--jti', '-j7'], 'Revokes the token "-j7"', { kind: 'token', value: '-j7' }],
  'a jti that is a number with zeros in front': [
    ['--jti', '007'],
    'Revokes the token "007"',
    { kind: 'token', value: '007' },
  ],
  'a subject': [['--subject', 'alice'], 'Revokes every token of subject "alice"', { kind: 'subject', value: 'alice' }],
  'a session': [['--session', 's-1'], 'Revokes every token of session "s-1"', { kind: 'session', value: 's-1' }],
  'a client': [['--client', 'app'], 'Revokes every token of client "app"', { kind: 'client', value: 'app' }],
  'a key': [['--key-id', 'k1'], 'Revokes every token signed with key "k1"', { kind: 'key', value: 'k1' }],
  'an issuer': [
    ['--issuer', 'https://id.example'],
    'Revokes every token of issuer "https://id.example"',
    { kind: 'issuer', value: 'https://id.example' },
  ],
  'a subject of one issuer': [
    ['--subject', 'alice', '--issuer', 'https://id.example'],
    'Revokes every token of subject "alice" of issuer "https://id.example"',
    { kind: 'subject', value: 'alice', issuer: 'https://id.example' },
  ],
}

describe('says what will match, and writes it for the whole fleet', () => {
  test.each(Object.entries(targets))('%s', async (_, [given, sentence, fields]) => {
    const { printed, complained, exitCode } = await revoke(given)
    expect(complained).toEqual([])
    expect(printed).toEqual([`${sentence}, until ${DAY_LATER}`, `Written to ${place}, list "default"`])
    expect(exitCode).toBe(0)
    const [entry, ...more] = await logOf()
    expect(more).toEqual([])
    expect(entry).toMatchObject({ ...fields, expires: String(NOW_SECONDS + 86_400) })
    expect(entry?.actor).toMatch(/^sidegate CLI/)
  })

  test('--issued-before now, --expires and --reason', async () => {
    const { printed } = await revoke([
      ...[
        '--subject',
        'alice',
        '--issued-before',
        'now',
        '--expires',
        '2027-02-01T00:00:00Z',
        '--reason',
        'lost phone',
      ],
    ])
    const [entry, ...more] = await logOf()
    expect(more).toEqual([])
    expect(entry).toMatchObject({ expires: '1801440000', reason: 'lost phone' })
    // By the clock of Redis, with its fraction, and not by that of this machine.
    const before = Number(entry?.before)
    const [redisSeconds] = (await redis.command('time')) as [string]
    expect(Number(redisSeconds) - before).toBeLessThan(60)
    expect(before).toBeLessThan(NOW_SECONDS)
    expect(printed[0]).toBe(
      `Revokes every token of subject "alice" issued at or before ${new Date(before * 1000).toISOString().replace('.000Z', 'Z')}, until 2027-02-01T00:00:00Z`,
    )
  })

  test.each(['2027-01-15T09:00:00+01:00', String(NOW_SECONDS), '2027-01-15T08:00:00.000Z'])(
    'a time may be %s',
    async (time) => {
      await revoke(['--subject', 'alice', '--issued-before', time])
      expect((await logOf())[0]?.before).toBe(String(NOW_SECONDS))
    },
  )

  test('--json prints the rule', async () => {
    const { printed } = await revoke(['--json', '--jti', 'j-1', '--reason', 'why'])
    expect(printed).toHaveLength(1)
    expect(JSON.parse(printed[0] ?? '')).toEqual({
      kind: 'token',
      value: 'j-1',
      expiresAt: DAY_LATER,
      reason: 'why',
      actor: expect.stringMatching(/^sidegate CLI/),
      at: expect.any(String),
    })
  })

  const hourBefore = String(NOW_SECONDS - 3600)
  const replacing: Record<string, readonly [before: readonly string[], after: readonly string[], what: string]> = {
    'tokens of any time': [
      ['--subject', 'yan'],
      ['--subject', 'yan', '--issued-before', hourBefore],
      `every token of subject "yan", until ${DAY_LATER}`,
    ],
    'tokens of a later time': [
      ['--subject', 'yan', '--issued-before', String(NOW_SECONDS)],
      ['--subject', 'yan', '--issued-before', hourBefore],
      `every token of subject "yan" issued at or before 2027-01-15T08:00:00Z, until ${DAY_LATER}`,
    ],
    'tokens for longer': [
      ['--jti', 'j-1'],
      ['--jti', 'j-1', '--expires', '2027-01-15T09:00:00Z'],
      `the token "j-1", until ${DAY_LATER}`,
    ],
  }
  test.each(Object.entries(replacing))('a rule that matched %s and is replaced is told', async (_, rules) => {
    const [before, after, what] = rules
    expect((await revoke(before)).complained).toEqual([])
    const { complained, printed, exitCode } = await revoke(after)
    expect(complained).toEqual([`It replaces a rule that matched more: ${what}`])
    expect(printed).toHaveLength(2)
    expect(exitCode).toBe(0)
    // What replaced it is not less than itself.
    expect((await revoke(after)).complained).toEqual([])
    expect((await revoke(before)).complained).toEqual([])
  })

  test('--json prints the rule with the one that it replaces', async () => {
    await revoke(['--subject', 'yan', '--reason', 'why'])
    const { printed, exitCode } = await revoke(['--json', '--subject', 'yan', '--issued-before', hourBefore])
    expect(exitCode).toBe(0)
    expect(JSON.parse(printed[0] ?? '')).toMatchObject({
      issuedBefore: '2027-01-15T07:00:00Z',
      replaces: { kind: 'subject', value: 'yan', reason: 'why', expiresAt: DAY_LATER },
    })
  })

  test('a rule for another issuer, and one that was lifted, are not replaced', async () => {
    await revoke(['--subject', 'yan', '--issuer', 'https://id.example'])
    await revoke(['--subject', 'yan'])
    await sidegate(['revocations', 'lift', 'subject', 'yan', '--redis', url], { clock })
    expect((await revoke(['--subject', 'yan', '--issued-before', hourBefore])).complained).toEqual([])
  })

  test('--list names another list, and the lists do not see each other', async () => {
    const { printed } = await revoke(['--list', 'shop', '--jti', 'j-1'])
    expect(printed[1]).toBe(`Written to ${place}, list "shop"`)
    expect(await logOf('shop')).toHaveLength(1)
    expect(await logOf()).toEqual([])
  })
})

describe('a token itself', () => {
  const id = `--token`

  test('is revoked by its jti and issuer, for as long as tokens that follow it can live, and never printed', async () => {
    const token = signToken(key, goodClaims({ jti: 'j-9' }))
    const { printed, exitCode, text } = await revoke([id, token])
    expect(printed).toEqual([
      `Revokes the token "j-9" of issuer "https://id.example.com", until ${DAY_LATER}`,
      'Where gates signed tokens that follow it, they are revoked with it',
      `Written to ${place}, list "default"`,
    ])
    expect(exitCode).toBe(0)
    for (const each of token.split('.')) expect(text).not.toContain(each)
    expect(JSON.stringify(await logOf())).not.toContain(signatureOf(token))
  })

  test('can come by standard input', async () => {
    const { printed } = await revoke([id, '-'], `${signToken(key, goodClaims({ jti: 'j-10' }))}\n`)
    expect(printed[0]).toContain('Revokes the token "j-10"')
  })

  test('without a jti is named by the SHA-256 of its signed part', async () => {
    const token = signToken(key, goodClaims({ jti: undefined }))
    const digest = createHash('sha256')
      .update(token.slice(0, token.lastIndexOf('.')))
      .digest('base64url')
    const { printed } = await revoke([id, token])
    expect(printed.slice(0, 2)).toEqual([
      `Revokes the token "sha256:${digest}" of issuer "https://id.example.com", until ${DAY_LATER}`,
      'The token has no "jti": it is named by the SHA-256 of its header and payload',
    ])
    expect((await logOf())[0]?.value).toBe(`sha256:${digest}`)
  })

  test('with a session: what follows it lives on, and how to end it', async () => {
    const { printed } = await revoke([id, signToken(key, goodClaims({ sid: 's-7' }))])
    expect(printed[0]).toContain('until 2027-01-15T08:06:00Z')
    expect(printed[1]).toBe('Tokens that follow it in its session live on; --session "s-7" ends them all')
  })

  test('that has expired: what follows it may live on, and is revoked', async () => {
    const expired = goodClaims({ jti: 'first', iat: NOW_SECONDS - 900, exp: NOW_SECONDS - 600 })
    const { printed, exitCode } = await revoke([id, signToken(key, expired)])
    expect(printed[0]).toContain('every token of session "first"')
    expect(printed[1]).toContain('The token itself has expired at 2027-01-15T07:50:00Z')
    expect(exitCode).toBe(0)
    expect(await logOf()).toMatchObject([{ kind: 'session', value: 'first' }])
  })

  const problems: Record<string, readonly [given: readonly string[], message: string]> = {
    'without exp': [
      [id, signToken(key, goodClaims({ exp: undefined }))],
      'Cannot revoke: token has no "exp", so it is refused without a revocation',
    ],
    'of another issuer': [
      [id, signToken(key, goodClaims()), '--issuer', 'https://other.example'],
      'Cannot revoke: rule can never match: the token names another issuer than the one given',
    ],
    'that is younger than asked for': [
      [id, signToken(key, goodClaims()), '--issued-before', String(NOW_SECONDS - 60)],
      'Cannot revoke: rule can never match: the token was issued at 2027-01-15T07:59:50Z, which is later than asked for',
    ],
    'that is none': [[id, 'nonsense'], 'Cannot revoke: token is not a JWT of three parts'],
    'whose payload is no object': [
      [id, `${part({ alg: 'ES256' })}.${part('[]')}.AAAA`],
      'Cannot revoke: payload of the token is not a JSON object',
    ],
    'given as its jti': [
      ['--jti', signToken(key, goodClaims())],
      'Cannot revoke: value of a "token" rule is the jti of the token, not the token itself',
    ],
  }
  test.each(Object.entries(problems))('%s cannot be matched, and why is told', async (_, [given, message]) => {
    const { complained, printed, exitCode, text } = await revoke(given)
    expect(complained).toEqual([message])
    expect(printed).toEqual([])
    expect(exitCode).toBe(1)
    for (const each of given.flatMap((value) => value.split('.')[2] ?? [])) expect(text).not.toContain(each)
    expect(await logOf()).toEqual([])
  })
})

describe('a rule that cannot be', () => {
  test.each([
    ['a value that is empty', ['--jti', ''], '"value" is not a text of 1 to 1024 bytes without control characters'],
    ['a reason of several lines', ['--jti', 'a', '--reason', 'a\nb'], '"reason" is not a text of at most 256 bytes'],
    ['an end in the past', ['--jti', 'a', '--expires', '2020-01-01'], 'rule can never match: it ends at 2020-01-01'],
    ['another issuer beside --issuer', ['--issuer', ''], '"value" is not a text of 1 to 1024 bytes'],
  ])('%s is told, and nothing is written', async (_, given, message) => {
    const { complained, exitCode } = await revoke(given)
    expect(complained[0]).toContain(`Cannot revoke: ${message}`)
    expect(exitCode).toBe(1)
    expect(await logOf()).toEqual([])
  })
})

describe('where the list is', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sidegate-revoke-'))
    writeFileSync(join(folder, 'password'), `${PASSWORD}\n`)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const settings = (more: string) => {
    const path = join(folder, 'sidegate.yaml')
    const issuer =
      '{ issuer: https://id.example.com, audiences: [a], keys: { discovery: true }, maxLifetime: 1h, clockTolerance: 0s }'
    writeFileSync(path, `issuers: [${issuer}]\n${more}`)
    return path
  }

  test('the settings name it, with the password in a file; rules last as long as their tokens can', async () => {
    const config = settings(
      `revocation: { redis: 'redis://127.0.0.1:${redis.port}', list: shop, passwordFile: ${folder}/password }\n`,
    )
    const ran = await sidegate(['revoke', '-c', config, '--subject', 'alice'], { clock })
    expect(ran.printed).toEqual([
      'Revokes every token of subject "alice", until 2027-01-15T09:00:00Z',
      `Written to ${place}, list "shop"`,
    ])
    const other = await sidegate(['revoke', '-c', config, '--list', 'other', '--subject', 'alice'], { clock })
    expect(other.printed[1]).toBe(`Written to ${place}, list "other"`)
  })

  test('settings without Redis: each gate has a list of its own', async () => {
    const ran = await sidegate(['revoke', '-c', settings(''), '--jti', 'a'])
    expect(ran.complained).toEqual([
      'Cannot reach the list: "revocation.redis" is not set, so each gate keeps its own in memory;',
      'set it, or write to one gate by POST /revocations on its admin port',
    ])
    expect(ran.exitCode).toBe(1)
  })

  test.each([
    [
      'nobody listens',
      'redis://:geheim-1234@127.0.0.1:1',
      'Cannot reach redis://127.0.0.1:1/0: 127.0.0.1:1 refuses the connection: nothing listens there (ECONNREFUSED)',
    ],
    [
      'no Sentinel listens',
      'redis+sentinel://:geheim-1234@127.0.0.1:1/main',
      'Cannot reach redis+sentinel://127.0.0.1:1/main/0: the server closes the connection, or nothing listens there',
    ],
    ['the URL is none', 'localhost:6379', 'Cannot read the Redis URL: it is not like "redis://host:6379/0"'],
    [
      'the URL has a mistake',
      'redis://:geheim-1234@host:port',
      'Cannot read the Redis URL: a host is not like "host:6379"',
    ],
  ])('%s: one line, without the password', async (_, wrong, message) => {
    const ran = await sidegate(['revoke', '--redis', wrong, '--jti', 'a'])
    expect(ran.complained).toEqual([message])
    expect(ran.text).not.toContain(PASSWORD)
    expect(ran.exitCode).toBe(1)
  })

  test('a wrong password is told as such, and not repeated', async () => {
    const ran = await sidegate(['revoke', '--redis', `redis://:falsch-9876@127.0.0.1:${redis.port}`, '--jti', 'a'])
    expect(ran.complained).toHaveLength(1)
    expect(ran.complained[0]).toMatch(new RegExp(`^Cannot reach ${place}: `))
    expect(ran.complained[0]).toMatch(/WRONGPASS|password/i)
    expect(ran.text).not.toContain('falsch')
    expect(ran.exitCode).toBe(1)
  })

  test('a list name that cannot be one is told', async () => {
    const ran = await revoke(['--list', 'a}b', '--jti', 'a'])
    expect(ran.complained).toHaveLength(1)
    expect(ran.complained[0]).toContain('list')
    expect(ran.exitCode).toBe(1)
  })

  test('a Redis that takes no writes: nothing is confirmed', async () => {
    await redis.command('config', 'set', 'min-replicas-to-write', '1')
    try {
      const ran = await revoke(['--jti', 'a'])
      expect(ran.printed).toEqual([])
      expect(ran.complained).toHaveLength(1)
      expect(ran.complained[0]).toMatch(/bring the replicas back, or lower that setting \(NOREPLICAS\)$/)
      expect(ran.exitCode).toBe(1)
    } finally {
      await redis.command('config', 'set', 'min-replicas-to-write', '0')
    }
  })
})
