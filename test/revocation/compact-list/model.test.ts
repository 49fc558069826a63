// The list against the obvious one: a Map of rules, asked by looking at all of them. Whatever is done, both say the same.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VerifiedToken } from '../../../src/model/decision.ts'
import type { WordHash } from '../../../src/revocation/compact-list/hash.ts'
import { createList, type ListSettings, type RuleList } from '../../../src/revocation/compact-list/list.ts'
import { mergeRules, type Rule, ruleKeyOf, ruleKinds } from '../../../src/revocation/rule/rule.ts'
import { factsOf, matches } from '../../../src/revocation/rule/token-facts.ts'
import { values } from '../../support/rule-values.ts'
import { verifiedToken } from '../../support/verified-token.ts'

const toleranceSeconds = 5
const start = 1_800_000_000
const issuers = ['https://id.example', 'https://other.example', 'ι'.repeat(300)]

const sources = ['oauth', 'okta:disabled', 'σ'.repeat(200)]

const seconds = fc.oneof(
  fc.integer({ min: -100, max: 100 }).map((more) => start + more),
  fc.constantFrom(
    0,
    0.5,
    start - toleranceSeconds,
    start + 0.25,
    start + 50.001,
    start + 400 * 86_400,
    253_402_300_799,
  ),
)

const rules = fc.record({
  kind: fc.constantFrom(...ruleKinds),
  value: values,
  issuer: fc.option(fc.constantFrom(...issuers), { nil: undefined, freq: 2 }),
  source: fc.option(fc.constantFrom(...sources), { nil: undefined, freq: 2 }),
  issuedBeforeSeconds: fc.option(seconds, { nil: undefined }),
  expiresAtSeconds: seconds,
  reason: fc.option(fc.constantFrom('', 'stolen', '3:+', 'größer', '失'.repeat(80)), { nil: undefined }),
  actor: fc.option(fc.constantFrom('', '+', 'admin', '4:'), { nil: undefined }),
  atMs: fc.oneof(
    fc.integer({ min: 0, max: 3 }).map((more) => start * 1000 + more),
    fc.constantFrom(
      0,
      1,
      start * 1000 - 2 ** 33,
      start * 1000 + 2 ** 33,
      start * 1000 + 2 ** 36,
      start * 1000 + 2 ** 40,
      start * 1000 + 0.5,
    ),
  ),
  lifted: fc.boolean(),
}) satisfies fc.Arbitrary<Rule>

type Step =
  | { readonly do: 'apply'; readonly rules: readonly Rule[] }
  | { readonly do: 'check'; readonly value: string; readonly iat: number | undefined; readonly issuer: string }
  | { readonly do: 'pass'; readonly seconds: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('apply' as const),
        rules: fc.array(rules, { maxLength: 60, size: 'max' }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('check' as const),
        value: values,
        iat: fc.option(seconds, { nil: undefined }),
        issuer: fc.constantFrom(...issuers),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 150 }) }),
    },
  ),
  { maxLength: 25, size: 'large' },
)

/** The slow, obvious list. */
function createModel() {
  const entries = new Map<string, { rule: Rule; forgetAtSeconds: number }>()
  return {
    entries,
    merge(rule: Rule): boolean {
      const known = entries.get(ruleKeyOf(rule))
      const forgetAtSeconds = Math.max(known?.forgetAtSeconds ?? 0, rule.expiresAtSeconds)
      const merged = known === undefined ? rule : mergeRules(known.rule, rule)
      entries.set(ruleKeyOf(rule), { rule: merged, forgetAtSeconds })
      return merged !== known?.rule
    },
    apply(rule: Rule): boolean {
      const { atMs, reason, actor } = rule
      if (rule.source !== undefined) {
        const person = entries.get(ruleKeyOf({ ...rule, source: undefined }))?.rule
        const isLifted = !rule.lifted && person?.lifted === true && person.atMs > rule.atMs
        if (!isLifted) return this.merge(rule)
        return this.merge({ ...rule, lifted: true, atMs: person.atMs, reason: person.reason, actor: person.actor })
      }
      const isChanged = this.merge(rule)
      if (!rule.lifted) return isChanged
      const ended = [...entries.values()].filter(
        ({ rule: other }) =>
          !other.lifted &&
          other.atMs < atMs &&
          other.source !== undefined &&
          ruleKeyOf({ ...other, source: undefined }) === ruleKeyOf(rule),
      )
      return (
        ended.map((one) => this.merge({ ...one.rule, lifted: true, atMs, reason, actor })).includes(true) || isChanged
      )
    },
    /** Every rule against a token that may be the answer: of people for any issuer, else any other. */
    check(token: VerifiedToken, nowSeconds: number): readonly Rule[] {
      const rules = [...entries.values()]
        .map(({ rule }) => rule)
        .filter((rule) => matches(rule, token, nowSeconds, toleranceSeconds))
      // A successor that does not name the first key of its session: any may be it.
      const mayBeOfAnyKey = token.isSuccessor && token.originalKeyId === undefined
      for (const { kind, value } of factsOf(token)) {
        const ofAnyKey = mayBeOfAnyKey && kind === 'issuer' ? rules.filter((rule) => rule.kind === 'key') : []
        if (ofAnyKey.length > 0) return ofAnyKey
        const against = rules.filter((rule) => rule.kind === kind && rule.value === value)
        const first = against.find(({ issuer, source }) => issuer === undefined && source === undefined)
        if (against.length > 0) return first === undefined ? against : [first]
      }
      return []
    },
    sweep(nowSeconds: number): void {
      for (const [key, { forgetAtSeconds }] of entries) {
        if (forgetAtSeconds + toleranceSeconds <= nowSeconds) entries.delete(key)
      }
    },
  }
}

type Model = ReturnType<typeof createModel>

function expectSame(list: RuleList, model: Model): void {
  const held = [...model.entries.values()]
  const shown = held.map(({ rule, forgetAtSeconds }) =>
    rule.lifted ? { ...rule, expiresAtSeconds: forgetAtSeconds } : rule,
  )
  const sorted = (some: readonly Rule[]) => some.map((rule) => JSON.stringify(Object.entries(rule).sort())).sort()
  expect(sorted([...list.entries()])).toEqual(sorted(shown))
  expect(list.sizeAll()).toBe(held.length)
  for (const kind of ruleKinds) {
    expect(list.size(kind)).toBe(held.filter(({ rule }) => rule.kind === kind && !rule.lifted).length)
  }
  for (const { rule } of held) expect(list.find(rule)).toEqual(rule)
}

function expectSameAnswer(list: RuleList, model: Model, asked: VerifiedToken, nowSeconds: number): void {
  const expected = model.check(asked, nowSeconds)
  const found = list.check(asked, nowSeconds)
  if (found === undefined) expect(expected).toEqual([])
  else expect(expected).toContainEqual(found)
}

function run(settings: ListSettings, taken: readonly Step[]): void {
  const list = createList({ toleranceSeconds, ...settings })
  const model = createModel()
  let nowSeconds = start
  for (const step of taken) {
    if (step.do === 'apply') {
      for (const rule of step.rules) {
        expect(list.apply(rule)).toBe(model.apply(rule))
        expect(list.apply({ ...rule })).toBe(false)
      }
    } else if (step.do === 'pass') {
      nowSeconds += step.seconds
      // The first one ends at the end of the list, wherever it began.
      for (let round = 0; round < 2; round += 1) list.sweep(nowSeconds, Number.POSITIVE_INFINITY)
      model.sweep(nowSeconds)
      expectSame(list, model)
    } else {
      const { value, iat, issuer } = step
      for (const claim of ['jti', 'sub', 'sid', 'azp', 'client_id', 'iss']) {
        const token = verifiedToken({ iss: issuer, jti: 'none', [claim]: value, iat: iat as number }, { keyId: value })
        expectSameAnswer(list, model, token, nowSeconds)
        expectSameAnswer(list, model, { ...token, isSuccessor: true }, nowSeconds)
        // A successor: rules for its `iss` and for who vouches for it may both be against it, and either of them does.
        const successor: VerifiedToken = { ...token, issuer: 'https://other.example' }
        const isFound = list.check(successor, nowSeconds) !== undefined
        expect(isFound).toBe(model.check(successor, nowSeconds).length > 0)
      }
    }
  }
  expectSame(list, model)
}

const always0: WordHash = () => 0
const always1: WordHash = () => -1
const twoPlaces: WordHash = (words, first) => ((words[first] ?? 0) & 1) << 31
const fewPlaces: WordHash = (words, first, count) => Math.imul((words[first] ?? 0) + count, 0x9e3779b1) & 0x30000003

test.each([
  ['a secret hash', {}],
  ['a hash that puts everything into the first place', { hash: always0 }],
  ['a hash that puts everything into the last place', { hash: always1 }],
  ['a hash of two places', { hash: twoPlaces }],
  ['a hash of a few places', { hash: fewPlaces }],
] as const)('with %s, the list says what the model says', (_, settings) => {
  fc.assert(
    fc.property(steps, (taken) => run(settings, taken)),
    { numRuns: 100 },
  )
})
