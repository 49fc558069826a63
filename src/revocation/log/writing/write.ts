// How is a rule written so that it counts, and how does one end? By the clock of Redis alone: the clocks of gates differ.

import {
  compareRules,
  matchedMore,
  mergeRules,
  type Rule,
  type RuleIdentity,
  type WrittenRule,
} from '../../rule/rule.ts'
import { millisecondsOfId } from '../entry.ts'
import type { RedisStore } from '../store.ts'

/** What a write put into the log. */
export interface Written {
  readonly ids: readonly string[]
  /** The value that each entry is about. */
  readonly values: readonly string[]
  readonly rules: readonly WrittenRule[]
}

const CANNOT_COUNT =
  'It does not count: the log holds an entry whose time lies ahead of every new one; begin a new list ("revocation.list")'

/**
 * Appends rules so that each counts over the copy that is known of it: where that one is not earlier than now, the id is later
 * than it. A rule with a source adds to what is known of the source, and its time is that of its event (`atMs`).
 * Rejects where the write is not certain, or does not count.
 */
export async function appendStamped(
  store: Pick<RedisStore, 'append' | 'timeMs'>,
  rules: readonly Rule[],
  find: (identity: RuleIdentity) => Rule | undefined,
): Promise<Written> {
  const needsTime = rules.some((rule) => rule.source !== undefined || find(rule) !== undefined)
  const nowMs = needsTime ? Math.floor(await store.timeMs()) : 0
  // Asked after the wait: what counts now is what was known last.
  const found = rules.map(find)
  const prepared = rules.map((rule, index) => prepare(rule, found[index], nowMs))
  const leastMs = Math.max(
    ...prepared.map(({ source, atMs }) => (source === undefined ? 0 : atMs)),
    ...found.map((known) => (known === undefined ? 0 : known.atMs + 1)),
  )
  const keepsTime = (rule: Rule) => rule.source !== undefined
  const ids = await store.append(prepared, keepsTime, leastMs > nowMs ? leastMs : undefined)
  const written = prepared.map((rule, index) => {
    const idMs = millisecondsOfId(ids[index] ?? '') ?? rule.atMs
    const counted = { ...rule, atMs: keepsTime(rule) ? Math.min(rule.atMs, idMs) : idMs }
    refuseSwallowed(counted, found[index])
    return sayReplaced(counted, found[index], nowMs / 1000)
  })
  return { ids, values: prepared.map(({ value }) => value), rules: written }
}

function prepare(rule: Rule, known: Rule | undefined, nowMs: number): Rule {
  if (rule.source === undefined) return rule
  const atMs = Math.max(Math.trunc(Math.min(rule.atMs, nowMs)), known === undefined ? 0 : known.atMs + 1)
  return known === undefined || rule.lifted ? { ...rule, atMs } : { ...mergeRules(known, { ...rule, atMs }), atMs }
}

// A lift, or a rule after a lift, that would be swallowed without a word. Happens where the log is ahead of all that can be held.
function refuseSwallowed(rule: Rule, known: Rule | undefined): void {
  if (known === undefined || (known.lifted ?? false) === (rule.lifted ?? false) || compareRules(rule, known) > 0) return
  throw new Error(CANNOT_COUNT)
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
  const atMs = Math.trunc(by.nowSeconds * 1000)
  const lifts = inForce.map((rule) => ({ ...rule, atMs, lifted: true, reason: undefined, actor: by.actor }))
  // Of a source alone it is lifted for people too: a gate that does not know of the source yet hears of it that way.
  const forAll = { ...first, source: undefined, lifted: true, reason: undefined, actor: by.actor, expiresAtSeconds }
  await write([forAll, ...lifts.filter(({ source }) => source !== undefined)])
  return first
}
