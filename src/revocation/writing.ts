// How is a rule written so that it counts, and how does one end? By the clock of Redis alone: the clocks of gates differ.
import { millisecondsOfId } from './entry.ts'
import type { Rule, RuleIdentity } from './rule.ts'
import type { RedisStore } from './store.ts'

/** What a write put into the log. */
export interface Written {
  readonly ids: readonly string[]
  /** The rules with the time that they got. */
  readonly rules: readonly Rule[]
}

// Two writes of one rule within a second get their times from us: their ids could fall into the same millisecond.
const CLOSE_WRITES_MS = 1000

/** Appends rules so that each counts over the copy that is known of it. Rejects where the write is not certain. */
export async function appendStamped(
  store: RedisStore,
  rules: readonly Rule[],
  find: (identity: RuleIdentity) => Rule | undefined,
): Promise<Written> {
  const isKnown = rules.some((rule) => find(rule) !== undefined)
  const serverNowMs = isKnown ? await store.timeMs() : 0
  const stamped = new Set<Rule>()
  const prepared = rules.map((rule) => {
    const known = find(rule)
    if (known === undefined || known.atMs < serverNowMs - CLOSE_WRITES_MS) return rule
    const later = { ...rule, atMs: known.atMs + 1 }
    stamped.add(later)
    return later
  })
  const ids = await store.append(prepared, (rule) => stamped.has(rule))
  const written = prepared.map((rule, index) => {
    const idMs = millisecondsOfId(ids[index] ?? '')
    return stamped.has(rule) || idMs === undefined ? rule : { ...rule, atMs: idMs }
  })
  return { ids, rules: written }
}

/** Lifts a rule that is in force by writing its end; answers the rule, or undefined where there is nothing to lift. */
export async function liftBy(
  rule: Rule | undefined,
  write: (rules: readonly Rule[]) => Promise<unknown>,
  by: { readonly nowSeconds: number; readonly actor: string | undefined },
): Promise<Rule | undefined> {
  if (rule === undefined || rule.lifted || rule.expiresAtSeconds <= by.nowSeconds) return undefined
  await write([{ ...rule, lifted: true, reason: undefined, actor: by.actor }])
  return rule
}
