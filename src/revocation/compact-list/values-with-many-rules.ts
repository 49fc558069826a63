// Which values have more rules, each for one issuer or of one source, than can be kept one by one? All rows of a value lie in one shard, and
// that has an end: some thousand of them. One rule for tokens of every issuer stands for them then, until the last one has ended.
// That refuses tokens of issuers that nobody named. Leaving out the rule that came last would admit tokens of one that
// somebody did name; standing still at it would leave every gate with a copy that grows old, and the next one never ready.
import type { VerifiedToken } from '../../model/decision.ts'
import type { Rule, RuleIdentity, RuleKind } from '../rule/rule.ts'
import { matches } from '../rule/token-facts.ts'
import { lengthOf } from './layout.ts'
import type { Rows } from './row.ts'
import { eachRow, type Shard } from './shard.ts'

export interface WideRules {
  /** Whether one rule stands for all rules of this value that are for one issuer. */
  holds(of: Pick<RuleIdentity, 'kind' | 'value'>): boolean
  /** Has the value's rule stand for this one too. Answers whether that changed it. A lift ends none of many. */
  absorb(rule: Rule): boolean
  /** The rule of the value, where it is against the token now. */
  against(kind: RuleKind, value: string, token: VerifiedToken, nowSeconds: number): Rule | undefined
  /** Any rule of the kind that is against the token now, whatever its value. */
  againstAny(kind: RuleKind, token: VerifiedToken, nowSeconds: number): Rule | undefined
  /** Drops the rules that ended, and answers the kind of each. */
  drop(nowSeconds: number): readonly RuleKind[]
  /** As rules, which a log that has lost the many gets back as this one. */
  entries(): readonly Rule[]
  size(): number
  bytes(): number
}

const REASON = 'one rule for every issuer: this value had too many rules for one issuer each'
// Measured on V8: the rule, its key and its slot in the map.
const BYTES_PER_RULE = 400

export function createWideRules(toleranceSeconds: () => number): WideRules {
  const held = new Map<string, Rule>()
  // No kind has a space.
  const keyOf = (kind: RuleKind, value: string) => `${kind} ${value}`

  return Object.freeze({
    holds: ({ kind, value }) => held.size > 0 && held.has(keyOf(kind, value)),
    absorb: (rule) => {
      if (rule.lifted) return false
      const key = keyOf(rule.kind, rule.value)
      const known = held.get(key)
      const wider = widen(known ?? rule, rule)
      held.set(key, wider)
      return (
        known === undefined ||
        wider.expiresAtSeconds !== known.expiresAtSeconds ||
        wider.issuedBeforeSeconds !== known.issuedBeforeSeconds
      )
    },
    against: (kind, value, token, nowSeconds) => {
      if (held.size === 0) return undefined
      const rule = held.get(keyOf(kind, value))
      return rule !== undefined && matches(rule, token, nowSeconds, toleranceSeconds()) ? rule : undefined
    },
    againstAny: (kind, token, nowSeconds) =>
      [...held.values()].find((rule) => rule.kind === kind && matches(rule, token, nowSeconds, toleranceSeconds())),
    drop: (nowSeconds) => {
      const dropped: RuleKind[] = []
      for (const [key, { kind, expiresAtSeconds }] of held) {
        if (expiresAtSeconds + toleranceSeconds() > nowSeconds) continue
        held.delete(key)
        dropped.push(kind)
      }
      return dropped
    },
    entries: () => [...held.values()],
    size: () => held.size,
    bytes: () => held.size * BYTES_PER_RULE,
  } satisfies WideRules)
}

/** The value whose rules for one issuer each take the most room in a shard; undefined where it has no such rules. */
export function heaviestValue(shard: Shard, rows: Rows, kind: RuleKind): string | undefined {
  const wordsOf = new Map<string, number>()
  eachRow(shard, (words, row) => {
    if (!rows.isScoped(words, row)) return
    const { value } = rows.read(words, row, kind)
    wordsOf.set(value, (wordsOf.get(value) ?? 0) + lengthOf(words, row))
  })
  let heaviest: string | undefined
  for (const [value, words] of wordsOf) {
    if (heaviest === undefined || words > (wordsOf.get(heaviest) ?? 0)) heaviest = value
  }
  return heaviest
}

// Against everything that either of the two is against.
function widen(one: Rule, other: Rule): Rule {
  const { kind, value } = one
  const before = [one.issuedBeforeSeconds, other.issuedBeforeSeconds].filter((seconds) => seconds !== undefined)
  return {
    kind,
    value,
    issuer: undefined,
    issuedBeforeSeconds: before.length < 2 ? undefined : Math.max(...before),
    expiresAtSeconds: Math.max(one.expiresAtSeconds, other.expiresAtSeconds),
    reason: REASON,
    actor: undefined,
    atMs: Math.max(one.atMs, other.atMs),
    lifted: false,
  }
}
