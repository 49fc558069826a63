// What else is in force beside a rule that someone lifts: the same rule of an issuer, and the session's rule that was written
// with a token's. It only finds: it must never lift a rule that was not named.
import type { Rule, RuleKind } from './rule/rule.ts'

/** An answer that names thousands of rules helps no one. */
const MOST_SHOWN = 5

/** The issuers for which a rule of this kind and value is in force. */
export function issuersOf(rules: readonly Rule[], kind: RuleKind, value: string): readonly string[] {
  const issuers = rules.flatMap((rule) => (rule.kind === kind && rule.value === value ? (rule.issuer ?? []) : []))
  return [...new Set(issuers)].slice(0, MOST_SHOWN)
}

/** The session rules that a revocation of the lifted token wrote: its first token names a session, or one write had both. */
export function sessionsBeside(rules: readonly Rule[], lifted: Rule): readonly Rule[] {
  if (lifted.kind !== 'token') return []
  const isBeside = (rule: Rule) =>
    rule.kind === 'session' &&
    rule.issuer === lifted.issuer &&
    (rule.value === lifted.value || (rule.atMs === lifted.atMs && rule.actor === lifted.actor))
  return rules.filter(isBeside).slice(0, MOST_SHOWN)
}
