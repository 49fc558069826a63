import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createList } from '../../../src/revocation/compact-list/list.ts'
import { compareRules, type Rule, ruleKeyOf, ruleKinds } from '../../../src/revocation/rule/rule.ts'
import { verifiedToken } from '../../support/verified-token.ts'

const now = 1_000
const base = { expiresAtSeconds: 2_000, atMs: 1, lifted: false } satisfies Partial<Rule>
const names = ['alice', '__proto__', 'constructor', 'a', 'b']
const issuers = ['https://id.example', 'https://other.example']

const rules = fc.record({
  kind: fc.constantFrom(...ruleKinds),
  value: fc.constantFrom(...names, ...issuers),
  issuer: fc.constantFrom(undefined, ...issuers),
  issuedBeforeSeconds: fc.constantFrom(undefined, 400, 500, 600),
  expiresAtSeconds: fc.constantFrom(900, 1_000, 1_500, 2_000),
  reason: fc.constantFrom(undefined, 'x', 'y'),
  actor: fc.constant(undefined),
  atMs: fc.integer({ min: 0, max: 4 }),
  lifted: fc.boolean(),
}) satisfies fc.Arbitrary<Rule>

const optionalName = fc.constantFrom(undefined, ...names)
const tokens = fc
  .record({
    iss: fc.constantFrom(...issuers),
    iat: fc.constantFrom(undefined, 400, 500, 501),
    sub: optionalName,
    sid: optionalName,
    azp: optionalName,
    client_id: optionalName,
    jti: fc.constantFrom(...names),
    kid: fc.constantFrom(...names),
  })
  .map(({ kid, iat, ...claims }) => verifiedToken({ ...claims, iat } as object, { keyId: kid }))

/** The slow, obvious answer: the copy that counts of every rule, then every rule against the token. */
function naiveCheck(copies: readonly Rule[], token: ReturnType<typeof verifiedToken>): boolean {
  const winners = new Map<string, Rule>()
  for (const copy of copies) {
    const known = winners.get(ruleKeyOf(copy))
    if (known === undefined || compareRules(copy, known) > 0) winners.set(ruleKeyOf(copy), copy)
  }
  const { iss, iat, sub, sid, azp, client_id: clientId } = token.claims
  const named = {
    token: [token.id],
    subject: [sub],
    session: [sid],
    client: [azp, clientId],
    key: [token.keyId],
    issuer: [iss],
  }
  return [...winners.values()].some(
    (rule) =>
      !rule.lifted &&
      rule.expiresAtSeconds > now &&
      (named[rule.kind] as unknown[]).includes(rule.value) &&
      (rule.issuer === undefined || rule.issuer === iss) &&
      (rule.issuedBeforeSeconds === undefined || iat === undefined || iat <= rule.issuedBeforeSeconds),
  )
}

describe('merging', () => {
  test('any order of the same copies gives the same list and the same answers as the naive model', () => {
    const shuffled = fc
      .array(rules, { maxLength: 40 })
      .chain((copies) => fc.tuple(fc.constant(copies), fc.shuffledSubarray(copies, { minLength: copies.length })))
    fc.assert(
      fc.property(shuffled, fc.array(tokens, { minLength: 1, maxLength: 10 }), ([copies, reordered], asked) => {
        const [left, right] = [createList(), createList()]
        for (const copy of copies) left.apply(copy)
        for (const copy of reordered) right.apply(copy)
        const sorted = (list: typeof left) => [...list.entries()].map((rule) => JSON.stringify(rule)).sort()
        expect(sorted(left)).toEqual(sorted(right))
        for (const token of asked) {
          expect(left.check(token, now) !== undefined).toBe(naiveCheck(copies, token))
          expect(right.check(token, now) !== undefined).toBe(naiveCheck(copies, token))
        }
        const sizes = ruleKinds.reduce((sum, kind) => sum + left.size(kind), 0)
        expect(sizes).toBe([...left.entries()].filter((rule) => !rule.lifted).length)
      }),
      { numRuns: 500 },
    )
  })

  test('sweeping in small steps drops what has ended and nothing else', () => {
    fc.assert(
      fc.property(fc.array(rules, { maxLength: 40 }), fc.array(tokens, { maxLength: 5 }), (copies, asked) => {
        const list = createList()
        for (const copy of copies) list.apply(copy)
        const before = asked.map((token) => list.check(token, now))
        for (let step = 0; step < 100; step += 1) list.sweep(now, 3)
        expect(asked.map((token) => list.check(token, now))).toEqual(before)
        list.sweep(5_000, 10_000)
        list.sweep(5_000, 10_000)
        expect(list.sizeAll()).toBe(0)
        expect(list.memoryBytes()).toBe(0)
      }),
    )
  })

  test('an older rule that arrives after its lift stays lifted, as long as it could be in force', () => {
    const list = createList()
    const revoked: Rule = { ...base, kind: 'token', value: 'a', expiresAtSeconds: 3_000 }
    list.apply({ ...revoked, atMs: 2, lifted: true, expiresAtSeconds: 1_500 })
    expect(list.apply(revoked)).toBe(false)
    list.sweep(2_000, 10)
    list.apply(revoked)
    expect(list.check(verifiedToken({ jti: 'a' }), now)).toBeUndefined()
    expect([...list.entries()]).toMatchObject([{ lifted: true, expiresAtSeconds: 3_000 }])
  })

  test('at the same time a rule counts before its lift', () => {
    const list = createList()
    list.apply({ ...base, kind: 'token', value: 'a', lifted: true })
    list.apply({ ...base, kind: 'token', value: 'a' })
    expect(list.check(verifiedToken({ jti: 'a' }), now)).toMatchObject({ value: 'a' })
  })
})

describe('checking', () => {
  // holds: rule-ends-before-token
  test('a rule is in force until it has ended and the clock tolerance has passed', () => {
    const list = createList({ toleranceSeconds: 5 })
    list.apply({ ...base, kind: 'token', value: 'a' })
    const token = verifiedToken({ jti: 'a' })
    expect(list.check(token, 2_004.9)).toBeDefined()
    expect(list.check(token, 2_005)).toBeUndefined()
  })

  test('issued-before takes tokens of that second and tokens without iat, and leaves later ones', () => {
    const list = createList()
    list.apply({ ...base, kind: 'subject', value: 'alice', issuedBeforeSeconds: 500 })
    const at = (iat: number | undefined) => list.check(verifiedToken({ sub: 'alice', iat: iat as number }), now)
    expect(at(500)).toBeDefined()
    expect(at(undefined)).toBeDefined()
    expect(at(501)).toBeUndefined()
  })

  // holds: jti-of-every-form
  test('the same jti of two issuers is told apart', () => {
    const list = createList()
    list.apply({ ...base, kind: 'token', value: 'same', issuer: 'https://one.example' })
    expect(list.check(verifiedToken({ jti: 'same', iss: 'https://one.example' }), now)).toBeDefined()
    expect(list.check(verifiedToken({ jti: 'same', iss: 'https://two.example' }), now)).toBeUndefined()
  })

  test('claims that are not texts name nothing', () => {
    const list = createList()
    for (const kind of ruleKinds) list.apply({ ...base, kind, value: 'true' })
    for (const kind of ruleKinds) list.apply({ ...base, kind, value: '1' })
    const odd = { sub: 1, sid: true, azp: ['true'], client_id: { true: 1 }, jti: 'x' } as object
    expect(list.check(verifiedToken(odd), now)).toBeUndefined()
  })

  // holds: composite-keys-meet
  test('no two different rules share a key', () => {
    const identity = fc.record({
      kind: fc.constantFrom(...ruleKinds),
      value: fc.string({ unit: fc.constantFrom('"', ',', '\\', ':', 'a', '[', ']') }),
      issuer: fc.option(fc.string({ unit: fc.constantFrom('"', ',', '\\', ':', 'a', 'n') }), { nil: undefined }),
    })
    fc.assert(
      fc.property(identity, identity, (left, right) => {
        const same = left.kind === right.kind && left.value === right.value && left.issuer === right.issuer
        expect(ruleKeyOf(left) === ruleKeyOf(right)).toBe(same)
      }),
    )
  })
})
