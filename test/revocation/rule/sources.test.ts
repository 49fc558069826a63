// Rules that an automatic writer made, beside those of people: neither weakens the other.
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createList } from '../../../src/revocation/compact-list/list.ts'
import { readScope } from '../../../src/revocation/compact-list/scopes.ts'
import { decodeEntry, encodeEntry } from '../../../src/revocation/log/entry.ts'
import { mirrorField } from '../../../src/revocation/log/keys.ts'
import { ruleToJson } from '../../../src/revocation/rule/json.ts'
import type { Rule } from '../../../src/revocation/rule/rule.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import { rule, soon, startLookup, startSynced, stateOf, stopAll, untilState } from '../harness.ts'

const now = 1_800_000_000
const alice = { kind: 'subject', value: 'alice', expiresAtSeconds: now + 600, atMs: now * 1000, lifted: false } as const
const tokenAt = (iat: number) => verifiedToken({ sub: 'alice', iat })
const issuers = [undefined, 'https://id.example']

describe('a list', () => {
  test('keeps copies of different sources side by side: a token is refused when any matches', () => {
    const list = createList()
    list.apply({ ...alice, issuedBeforeSeconds: now - 100 })
    list.apply({ ...alice, source: 'okta:disabled', issuedBeforeSeconds: now - 50, atMs: alice.atMs + 1 })
    list.apply({ ...alice, source: 'oauth', issuedBeforeSeconds: now - 200, atMs: alice.atMs + 2 })
    expect(list.check(tokenAt(now - 60), now)?.source).toBe('okta:disabled')
    expect(list.check(tokenAt(now - 40), now)).toBeUndefined()
    expect(list.findAll({ kind: 'subject', value: 'alice' }).map(({ source }) => source)).toEqual([
      undefined,
      'okta:disabled',
      'oauth',
    ])
  })

  test('keeps the later "before" and the later end of one source, in whichever order they come', () => {
    const wide = { ...alice, source: 's', issuedBeforeSeconds: now - 10, expiresAtSeconds: now + 100 }
    const long = { ...wide, issuedBeforeSeconds: now - 90, expiresAtSeconds: now + 900, atMs: alice.atMs + 5 }
    for (const copies of [
      [wide, long],
      [long, wide],
    ]) {
      const list = createList()
      for (const copy of copies) list.apply(copy)
      expect(list.find(wide)).toMatchObject({
        issuedBeforeSeconds: now - 10,
        expiresAtSeconds: now + 900,
        atMs: long.atMs,
      })
    }
  })

  test('ends with the lift of an event its own source only, and with that of a person all', () => {
    const list = createList()
    const sources = [undefined, 'a', 'b'] as const
    for (const source of sources) list.apply({ ...alice, source })
    list.apply({ ...alice, source: 'a', lifted: true, atMs: alice.atMs + 1 })
    expect(list.findAll(alice).map(({ lifted }) => lifted)).toEqual([false, false, true].toSorted())
    list.apply({ ...alice, lifted: true, atMs: alice.atMs + 2 })
    expect(list.check(tokenAt(now), now)).toBeUndefined()
    // What a person lifted stays lifted where the rule comes in late, and ends with the next event.
    list.apply({ ...alice, source: 'late', atMs: alice.atMs + 1 })
    expect(list.check(tokenAt(now), now)).toBeUndefined()
    list.apply({ ...alice, source: 'late', atMs: alice.atMs + 3 })
    expect(list.check(tokenAt(now), now)?.source).toBe('late')
  })

  // holds: automatic-write-weakens-rule
  test('an automatic write never weakens a rule in force', () => {
    const copies = fc.record({
      issuer: fc.constantFrom(...issuers),
      source: fc.constantFrom(undefined, 'a', 'b'),
      issuedBeforeSeconds: fc.constantFrom(undefined, now - 20, now - 10, now),
      expiresAtSeconds: fc.constantFrom(now + 10, now + 20, now + 30),
      atMs: fc.integer({ min: 0, max: 6 }).map((more) => alice.atMs + more),
      lifted: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(copies, { maxLength: 12 }), copies, (before, write) => {
        fc.pre(write.source !== undefined && !write.lifted)
        const list = createList()
        for (const copy of before) list.apply({ ...alice, ...copy })
        const asked = [0, 10, 20, 30].flatMap((age) =>
          [now, now + 15, now + 25].map((at) => [tokenAt(now - age), at] as const),
        )
        const refused = asked.filter(([token, at]) => list.check(token, at) !== undefined)
        list.apply({ ...alice, ...write })
        for (const [token, at] of refused) expect(list.check(token, at)).toBeDefined()
      }),
    )
  })
})

test('an entry and a field of Redis keep the source, and a rule without one is written as ever', () => {
  const made: Rule = { ...alice, issuer: 'https://id.example', source: 'okta:signed-out' }
  const fields = encodeEntry(made, { keepsTime: true })
  expect(fields).toEqual(expect.arrayContaining(['source', 'okta:signed-out']))
  expect(decodeEntry(`${alice.atMs}-0`, fields, 1)).toEqual(made)
  expect(encodeEntry(alice, { keepsTime: false })).not.toContain('source')
  expect(readScope(mirrorField(made))).toEqual({ issuer: made.issuer, source: made.source })
  expect(mirrorField(alice)).toBe('')
  expect(mirrorField({ ...alice, issuer: 'https://id.example' })).toBe('https://id.example')
  expect(ruleToJson(made).source).toBe('okta:signed-out')
})

describe('with Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    await stopAll()
    await redis.command('flushall')
  })

  test('check: redis asks for every source, and a lift of a person ends them all', async () => {
    const gate = await startSynced({ url: redis.url })
    const one = { kind: 'token', value: 'one' } as const
    await gate.revocations.write([rule(one), rule({ ...one, source: 'oauth' })])
    await gate.revocations.lift('token', 'one')
    await gate.revocations.write([rule({ kind: 'token', value: 'two', source: 'oauth' })])
    const lookup = startLookup({ url: redis.url })
    await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
    expect(await lookup.check(verifiedToken({ jti: 'one' }))).toMatchObject({ state: 'clear' })
    expect(await lookup.check(verifiedToken({ jti: 'two' }))).toMatchObject({
      state: 'revoked',
      rule: { source: 'oauth' },
    })
    expect(stateOf(gate, 'one')).toBe('clear')
    expect(await lookup.lift('token', 'two')).toMatchObject({ value: 'two' })
    await untilState(gate, 'two', 'clear')
    expect(await lookup.check(verifiedToken({ jti: 'two' }))).toMatchObject({ state: 'clear' })
    const late = await startSynced({ url: redis.url })
    expect([stateOf(late, 'one'), stateOf(late, 'two')]).toEqual(['clear', 'clear'])
  })
})
