// `sidegate revocations list | lift | import`, on a real Redis.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { sidegate } from '../../support/shell.ts'
import { goodClaims, makeKey, signToken } from '../../support/tokens.ts'

let redis: TestRedis
let folder: string
let place: string

beforeAll(async () => {
  redis = await startRedis()
  place = `redis://127.0.0.1:${redis.port}/0, list "default"`
  folder = mkdtempSync(join(tmpdir(), 'sidegate-revocations-'))
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => redis.command('flushall'))

const run = (...given: string[]) => sidegate([...given.slice(0, 2), '--redis', redis.url, ...given.slice(2)])
const revoke = (...given: string[]) => sidegate(['revoke', '--redis', redis.url, ...given])
const entries = async () => Number(await redis.command('xlen', 'sidegate:{default}:log'))

async function listed(...given: string[]): Promise<Record<string, unknown>[]> {
  const { printed } = await run('revocations', 'list', '--json', ...given)
  return printed.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A lift that was written by a machine whose clock is a minute ahead. */
const liftAhead = (value: string) => {
  const fields = ['kind', 'token', 'value', value, 'lifted', '1', 'at', String(Date.now() + 60_000)]
  return redis.command('xadd', 'sidegate:{default}:log', '*', ...fields, 'expires', '4000000000')
}

describe('revoke', () => {
  // holds: lift-by-one-address
  test('is in force over a lift from a machine whose clock is ahead, however long the log is', async () => {
    const before = Array.from({ length: 1999 }, (_, index) => ['kind', 'token', 'value', `old-${index}`])
    for (const fields of before) redis.client.call('xadd', 'sidegate:{default}:log', '*', ...fields)
    await liftAhead('zy1')
    const { exitCode } = await revoke('--jti', 'zy1')
    expect(exitCode).toBe(0)
    expect(await listed()).toContainEqual(expect.objectContaining({ kind: 'token', value: 'zy1' }))
    expect((await run('revocations', 'lift', 'token', 'zy1')).exitCode).toBe(0)
    expect((await revoke('--jti', 'zy1')).exitCode).toBe(0)
    expect(await listed()).toContainEqual(expect.objectContaining({ kind: 'token', value: 'zy1' }))
  })
})

describe('list', () => {
  test('an empty list says so', async () => {
    const { printed, exitCode } = await run('revocations', 'list')
    expect(printed).toEqual([`0 rules in ${place}`])
    expect(exitCode).toBe(0)
  })

  test('prints every rule with what narrows it, the oldest first', async () => {
    await revoke('--jti', 'j-1', '--reason', 'lost phone')
    await revoke('--subject', 'alice', '--issuer', 'https://id.example', '--issued-before', '2026-01-01')
    const { printed } = await run('revocations', 'list')
    const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`
    expect(printed).toHaveLength(3)
    expect(printed[0]).toMatch(new RegExp(`^${time} {2}token {5}j-1 {2}until ${time} {2}lost phone$`))
    expect(printed[1]).toMatch(
      new RegExp(
        `^${time} {2}subject {3}alice {2}issuer https://id.example {2}issued before 2026-01-01T00:00:00Z {2}until ${time}$`,
      ),
    )
    expect(printed[2]).toBe(`2 rules in ${place}`)
  })

  test('leaves out what was lifted and what has ended', async () => {
    await revoke('--jti', 'lifted')
    await revoke('--jti', 'standing')
    await redis.command('xadd', 'sidegate:{default}:log', '*', 'kind', 'token', 'value', 'ended', 'expires', '1000')
    await run('revocations', 'lift', 'token', 'lifted')
    expect(await listed()).toEqual([expect.objectContaining({ kind: 'token', value: 'standing' })])
  })

  test('shows rules that another program wrote by XADD alone', async () => {
    await redis.command(
      'xadd',
      'sidegate:{default}:log',
      '*',
      'kind',
      'session',
      'value',
      's-1',
      'expires',
      '4000000000',
    )
    expect(await listed()).toEqual([expect.objectContaining({ kind: 'session', value: 's-1' })])
  })

  test('--list looks at another list', async () => {
    await revoke('--list', 'shop', '--jti', 'of the shop')
    expect(await listed()).toEqual([])
    expect(await listed('--list', 'shop')).toEqual([expect.objectContaining({ value: 'of the shop' })])
  })

  test('a Redis that is away is one line and 1, without its password', async () => {
    const { complained, exitCode, text } = await sidegate([
      ...['revocations', 'list', '--redis', 'redis://app:geheim@127.0.0.1:1'],
    ])
    expect(complained).toEqual([
      'Cannot reach redis://127.0.0.1:1/0: 127.0.0.1:1 refuses the connection: nothing listens there (ECONNREFUSED)',
    ])
    expect(text).not.toContain('geheim')
    expect(exitCode).toBe(1)
  })
})

describe('lift', () => {
  test('ends a rule, and says so', async () => {
    await revoke('--session', 's-1')
    const { printed, exitCode } = await run('revocations', 'lift', 'session', 's-1')
    expect(printed).toEqual([`Lifted the rule for session "s-1" in ${place}`])
    expect(exitCode).toBe(0)
    expect(await listed()).toEqual([])
  })

  test('of nothing answers 1', async () => {
    const { complained, printed, exitCode } = await run('revocations', 'lift', 'session', 's-1')
    expect(complained).toEqual([`No rule for session "s-1" is in force in ${place}`])
    expect(printed).toEqual([])
    expect(exitCode).toBe(1)
    expect(await entries()).toBe(0)
  })

  test('twice: the second time there is nothing left', async () => {
    await revoke('--jti', 'j-1')
    expect((await run('revocations', 'lift', 'token', 'j-1')).exitCode).toBe(0)
    expect((await run('revocations', 'lift', 'token', 'j-1')).exitCode).toBe(1)
  })

  test('takes the issuer that narrows a rule for a part of its name', async () => {
    await revoke('--subject', 'alice', '--issuer', 'https://id.example')
    expect((await run('revocations', 'lift', 'subject', 'alice')).exitCode).toBe(1)
    expect((await run('revocations', 'lift', 'subject', 'alice', '--issuer', 'https://id.example')).exitCode).toBe(0)
    expect(await listed()).toEqual([])
  })

  test('a value that begins with a dash follows --', async () => {
    await revoke('--jti', '-x3f')
    expect((await run('revocations', 'lift', 'token', '--', '-x3f')).printed).toEqual([
      `Lifted the rule for token "-x3f" in ${place}`,
    ])
  })

  test('a rule can be written again after it was lifted', async () => {
    await revoke('--jti', 'j-1')
    await run('revocations', 'lift', 'token', 'j-1')
    await revoke('--jti', 'j-1')
    expect(await listed()).toHaveLength(1)
  })
})

describe('import', () => {
  const file = (text: string) => {
    writeFileSync(join(folder, 'rules.jsonl'), text)
    return join(folder, 'rules.jsonl')
  }
  const lines = (...rules: object[]) => `${rules.map((rule) => JSON.stringify(rule)).join('\n')}\n`

  test('writes every line, from a file or from standard input', async () => {
    const rules = lines({ kind: 'token', value: 'j-1' }, { kind: 'subject', value: 'bob', issuedBefore: 'now' })
    const { printed, exitCode } = await run('revocations', 'import', file(`${rules}\n\n`))
    expect(printed).toEqual([`Wrote 2 rules to ${place}`])
    expect(exitCode).toBe(0)
    const more = await sidegate(['revocations', 'import', '-', '--redis', redis.url], {
      input: lines({ kind: 'session', value: 's-1' }),
    })
    expect(more.printed).toEqual([`Wrote 1 rule to ${place}`])
    expect((await listed()).map(({ kind }) => kind).sort()).toEqual(['session', 'subject', 'token'])
  })

  test('reads what list --json prints, and the actor is the one who imports', async () => {
    await revoke('--jti', 'j-1', '--reason', 'why')
    await revoke('--subject', 'alice', '--issuer', 'https://id.example', '--issued-before', 'now')
    const before = await run('revocations', 'list', '--json')
    await redis.command('flushall')
    const { exitCode } = await run('revocations', 'import', file(`${before.printed.join('\n')}\n`))
    expect(exitCode).toBe(0)
    const bare = ({ at: _, actor: __, ...rule }: Record<string, unknown>) => rule
    const after = await listed()
    expect(after.map(bare)).toEqual(before.printed.map((line) => bare(JSON.parse(line))))
    expect(after[0]?.actor).toBe('sidegate CLI, import')
  })

  test('more rules than one write takes', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => ({ kind: 'token', value: `j-${index}` }))
    expect((await run('revocations', 'import', file(lines(...many)))).printed).toEqual([`Wrote 2500 rules to ${place}`])
    expect(await listed()).toHaveLength(2500)
  })

  test('is in force over whatever the log holds, also where that is from a clock that is ahead', async () => {
    await liftAhead('j-1200')
    const many = Array.from({ length: 1500 }, (_, index) => ({ kind: 'token', value: `j-${index}` }))
    // The same rule twice, in two writes.
    const { exitCode } = await run('revocations', 'import', file(lines(...many, { kind: 'token', value: 'j-1200' })))
    expect(exitCode).toBe(0)
    expect(await listed()).toHaveLength(1500)
  })

  test('says what it replaces, where that matched more', async () => {
    const future = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
    await revoke('--subject', 'yan')
    await revoke('--jti', 'j-1', '--expires', future(1000))
    const narrower = [
      { kind: 'subject', value: 'yan', issuedBefore: '2026-01-01T00:00:00Z' },
      { kind: 'token', value: 'j-1', expiresAt: future(999) },
      { kind: 'token', value: 'j-2', expiresAt: future(999) },
    ]
    const first = await run('revocations', 'import', file(lines(...narrower)))
    expect([first.exitCode, first.printed]).toEqual([0, [`Wrote 3 rules to ${place}`]])
    expect(first.complained).toEqual([
      '1 of them replaces a rule that matched more',
      expect.stringMatching(/^ {2}every token of subject "yan", until /),
    ])
    // The last two are in a third write, when the first two are done.
    const later = Array.from({ length: 2000 }, (_, index) => ({ kind: 'token', value: `k-${index}` }))
    const more = [{ kind: 'token', value: 'j-1', expiresAt: future(100) }, ...later, { kind: 'token', value: 'k-1' }]
    const third = { kind: 'token', value: 'k-2', expiresAt: future(100) }
    const { complained } = await run('revocations', 'import', file(lines(...more, third)))
    expect(complained).toEqual([
      '2 of them replace a rule that matched more',
      expect.stringMatching(/^ {2}the token "j-1", until /),
      expect.stringMatching(/^ {2}the token "k-2", until /),
    ])
  })

  test('a wrong line anywhere writes nothing, and every wrong line is named', async () => {
    const token = signToken(makeKey(), goodClaims())
    const text = [
      '{"kind":"token","value":"j-1"}',
      'not JSON',
      '{"kind":"user","value":"alice"}',
      '{"kind":"token","value":"j-2","isuedBefore":"now"}',
      '{"kind":"token","value":"j-3","issuedBefore":"tomorrow"}',
      JSON.stringify({ kind: 'token', value: token }),
      '{"kind":"token","value":"j-4","expiresAt":"2020-01-01"}',
    ].join('\n')
    const { complained, printed, exitCode, text: all } = await run('revocations', 'import', file(text))
    expect(complained).toEqual([
      'Nothing was written: 6 lines are wrong',
      '  line 2: Cannot revoke: rule is not a JSON object',
      '  line 3: Cannot revoke: "kind" is not one of token, subject, session, client, key, issuer',
      '  line 4: Cannot revoke: member "isuedBefore" is not known',
      '  line 5: Cannot revoke: "issuedBefore" is neither ISO 8601 with a time zone, nor unix seconds, nor "now"',
      '  line 6: Cannot revoke: value of a "token" rule is the jti of the token, not the token itself',
      '  line 7: Cannot revoke: rule can never match: it ends at 2020-01-01T00:00:00Z, which is in the past',
    ])
    expect(printed).toEqual([])
    expect(exitCode).toBe(1)
    expect(all).not.toContain(token)
    expect(await entries()).toBe(0)
  })

  test('of a thousand wrong lines twenty are shown', async () => {
    const { complained } = await run('revocations', 'import', file('x\n'.repeat(1000)))
    expect(complained[0]).toBe('Nothing was written: 1000 lines are wrong')
    expect(complained).toHaveLength(21)
  })

  test('a wrong file is told even where Redis is away', async () => {
    const { complained } = await sidegate(['revocations', 'import', file('x\n'), '--redis', 'redis://127.0.0.1:1'])
    expect(complained[0]).toBe('Nothing was written: 1 line is wrong')
  })

  test('a file that is missing is told', async () => {
    const { complained, exitCode } = await run('revocations', 'import', join(folder, 'none'))
    expect(complained).toEqual([`Cannot read "${folder}/none"`])
    expect(exitCode).toBe(1)
  })

  describe('the keys of another list', () => {
    test('become rules, their time to live kept', async () => {
      const keys = file('revoked:j-1 60\nrevoked:j-2 -1\nrevoked:gone -2\n\nrevoked:j:3\n')
      const { printed, exitCode } = await run('revocations', 'import', keys, '--keys', 'revoked:{jti}')
      expect([exitCode, printed]).toEqual([0, [expect.stringContaining('Wrote 3 rules to redis://')]])
      const rules = await listed()
      expect(rules.map(({ kind, value }) => `${kind} ${value}`).sort()).toEqual(['token j-1', 'token j-2', 'token j:3'])
      const short = rules.find(({ value }) => value === 'j-1')
      expect(Date.parse(String(short?.expiresAt))).toBeLessThan(Date.now() + 62_000)
    })

    test.each([
      ['{sub}', 'alice', 'subject alice'],
      ['session:{sid}:revoked', 'session:s-1:revoked', 'session s-1'],
      ['c/{client_id}', 'c/web', 'client web'],
    ])('%s names what it says', async (template, key, rule) => {
      await run('revocations', 'import', file(`${key}\n`), '--keys', template)
      expect((await listed()).map(({ kind, value }) => `${kind} ${value}`)).toEqual([rule])
    })

    test('are refused as a whole where one has another form', async () => {
      const keys = file('revoked:j-1\nother:j-2\nrevoked: 5\nrevoked:j-3 soon\n')
      const { complained, exitCode } = await run('revocations', 'import', keys, '--keys', 'revoked:{jti}')
      expect(complained).toEqual([
        'Nothing was written: 3 lines are wrong',
        '  line 2: Key "other:j-2" is not of the form "revoked:{jti}"',
        '  line 3: Key "revoked:" is not of the form "revoked:{jti}"',
        '  line 4: Time to live "soon" is no number',
      ])
      expect(exitCode).toBe(1)
      expect(await entries()).toBe(0)
    })

    test('need a template that says what they name', async () => {
      const { complained, exitCode } = await run('revocations', 'import', file('a\n'), '--keys', 'revoked:{email}')
      expect(complained[0]).toContain('Cannot read the template "revoked:{email}": it must hold exactly one of {jti}')
      expect(exitCode).toBe(2)
    })
  })

  test('a Redis that stops taking writes: what is certain is told', async () => {
    await redis.command('config', 'set', 'min-replicas-to-write', '1')
    try {
      const { complained, printed, exitCode } = await run(
        'revocations',
        'import',
        file(lines({ kind: 'token', value: 'j-1' })),
      )
      expect(printed).toEqual([])
      expect(complained[0]).toMatch(
        /^Only the first 0 of 1 rules are certain to be written: Redis takes no writes, .* \(NOREPLICAS\)$/,
      )
      expect(exitCode).toBe(1)
    } finally {
      await redis.command('config', 'set', 'min-replicas-to-write', '0')
    }
  })
})

describe('a rule of one issuer', () => {
  const issuer = 'https://id.example.com'

  // holds: lift-by-one-address
  test('that is lifted without the issuer stays, and the answer says which option lifts it', async () => {
    await revoke('--jti', 'j-1', '--issuer', issuer)
    const { exitCode, text } = await run('revocations', 'lift', 'token', 'j-1')
    expect(exitCode).toBe(1)
    expect(text).toContain(`--issuer ${issuer}`)
  })

  test("of a token: lifting it names the command for its session's rule, quoted for a shell", async () => {
    for (const option of ['--jti', '--session']) await revoke(option, "j'; id", '--issuer', issuer)
    const { exitCode, text } = await run('revocations', 'lift', 'token', "j'; id", '--issuer', issuer)
    expect(exitCode).toBe(0)
    expect(text).toContain(`sidegate revocations lift session 'j'\\''; id' --issuer ${issuer} lifts that too`)
  })
})
