// How is a rule written so that it counts, and how does one end? By the clock of Redis alone: the clocks of gates differ.
import { millisecondsOfId } from './entry.ts'
import { matchedMore, type Rule, type RuleIdentity } from './rule.ts'
import type { RedisStore } from './store.ts'

/** A rule with the time that it got. */
export interface WrittenRule extends Rule {
  /** The rule that was in force before, where that one matched more: some of its tokens are admitted again. */
  readonly replaces?: Rule
}

/** What a write put into the log. */
export interface Written {
  readonly ids: readonly string[]
  readonly rules: readonly WrittenRule[]
}

// Two writes of one rule within a second get their times from us: their ids could fall into the same millisecond.
const CLOSE_WRITES_MS = 1000

/** Appends rules so that each counts over the copy that is known of it. Rejects where the write is not certain. */
export async function appendStamped(
  store: RedisStore,
  rules: readonly Rule[],
  find: (identity: RuleIdentity) => Rule | undefined,
): Promise<Written> {
  const serverNowMs = rules.some((rule) => find(rule) !== undefined) ? await store.timeMs() : 0
  // Asked after the wait: what counts now is what was known last.
  const found = rules.map(find)
  const stamped = new Set<Rule>()
  const prepared = rules.map((rule, index) => {
    const known = found[index]
    if (known === undefined || known.atMs < serverNowMs - CLOSE_WRITES_MS) return rule
    const later = { ...rule, atMs: known.atMs + 1 }
    stamped.add(later)
    return later
  })
  const ids = await store.append(prepared, (rule) => stamped.has(rule))
  const written = prepared.map((rule, index) => {
    const idMs = millisecondsOfId(ids[index] ?? '')
    const atMs = stamped.has(rule) ? undefined : idMs
    return sayReplaced(atMs === undefined ? rule : { ...rule, atMs }, found[index], serverNowMs / 1000)
  })
  return { ids, rules: written }
}

/** Says of a rule that is written what it replaces, where that matched more. A lift is not meant to match anything. */
export function sayReplaced(rule: Rule, known: Rule | undefined, nowSeconds: number): WrittenRule {
  if (rule.lifted || known === undefined || !matchedMore(known, rule, nowSeconds)) return rule
  return { ...rule, replaces: known }
}

/**
 * Lifts rules that are in force by writing their end, for every source that is known of: a person's lift ends all. Answers the
 * first of them, or undefined where there is nothing to lift.
 */
export async function liftBy(
  copies: readonly Rule[],
  write: (rules: readonly Rule[]) => Promise<unknown>,
  by: { readonly nowSeconds: number; readonly actor: string | undefined },
): Promise<Rule | undefined> {
  const inForce = copies.filter(({ lifted, expiresAtSeconds }) => !lifted && expiresAtSeconds > by.nowSeconds)
  const [first] = inForce
  if (first === undefined) return undefined
  const expiresAtSeconds = Math.max(...inForce.map((rule) => rule.expiresAtSeconds))
  const lifts = inForce.map((rule) => ({ ...rule, lifted: true, reason: undefined, actor: by.actor }))
  // Of a source alone it is lifted for people too: a gate that does not know of the source yet hears of it that way.
  const forAll = { ...first, source: undefined, lifted: true, reason: undefined, actor: by.actor, expiresAtSeconds }
  await write([forAll, ...lifts.filter(({ source }) => source !== undefined)])
  return first
}
