// Is this token revoked, and may we say so? What the gate and the admin API ask, over a local copy that the feed keeps.
// "Not known" is never "clear" unless the operator chose so, and then the verdict says that it is degraded.

import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import type { Logger } from '../model/logger.ts'
import type { RuleList } from './compact-list/list.ts'
import { createFreshness, type WhenStale } from './freshness.ts'
import type { Feed } from './log/reading/feed.ts'
import type { RevocationObserver } from './log/report.ts'
import type { RedisStore } from './log/store.ts'
import { appendStamped, liftBy } from './log/writing/write.ts'
import { createChores } from './maintenance.ts'
import type { Rule, RuleKind, WrittenRule } from './rule/rule.ts'

/** The answer for one token. `degraded`: clear by what is known, but that may be out of date, and the operator allows it. */
export type Verdict =
  | { readonly state: 'clear'; readonly degraded: boolean }
  | { readonly state: 'revoked'; readonly rule: Rule }
  /** `ageMs` is how old the copy is; infinite before the first full read. */
  | { readonly state: 'stale'; readonly ageMs: number }

/** The one interface of every way to know what is revoked. */
export interface Revocations {
  /** Judges a token now. A promise only where every request is looked up in Redis. */
  check(token: VerifiedToken): Verdict | Promise<Verdict>
  /** Whether a rule that is known here is against the token: at once, for connections that are open already. */
  isKnownRevoked(token: VerifiedToken): boolean
  /** Writes rules for the whole fleet and answers them as written. Rejects where that is not certain. */
  write(rules: readonly Rule[]): Promise<readonly WrittenRule[]>
  /** Every rule in force. */
  list(): Promise<readonly Rule[]>
  /** Ends a rule for the whole fleet. Answers the rule that was in force, or undefined where there was none. */
  lift(kind: RuleKind, value: string, issuer?: string, actor?: string): Promise<Rule | undefined>
  /** What time it is where rules are written: "now" in a rule means this. Ours, where Redis cannot be asked. */
  timeMs(): Promise<number>
  readiness(): { readonly ready: boolean; readonly detail: string }
  start(): void
  stop(): Promise<void>
  /** What it holds here, for the gauges. */
  holdings(): Holdings
  /** Calls back for every rule that came into force or was lifted, so that open connections can be judged again. */
  onChange(callback: (rule: Rule) => void): void
}

export interface Holdings {
  readonly rules: (kind: RuleKind) => number
  readonly memoryBytes: number
}

export const clear: Verdict = Object.freeze({ state: 'clear', degraded: false })
export const clearDegraded: Verdict = Object.freeze({ state: 'clear', degraded: true })

export const SWEEP_EVERY_MS = 1000
export const SWEEP_BUDGET = 5000

export interface LocalParts {
  readonly store: RedisStore
  readonly list: RuleList
  readonly feed: Feed
  readonly clock: Clock
  /** Milliseconds that only move forward: for the age of the copy. */
  readonly monotonic: Clock
  readonly maxStalenessMs: number
  readonly whenStale: WhenStale
  readonly observe: RevocationObserver
  readonly log: Logger
}

/**
 * Judges by the local copy of the log. Known rules count even where the copy is stale. A copy that is stale keeps the gate
 * ready: taking every pod out of rotation at once would turn refusals that say why into connections that nobody answers.
 */
export function createLocalRevocations(parts: LocalParts): Revocations {
  const { clock, feed, list, store } = parts
  const chores = createChores({ ...parts, isFollowing: true })
  const freshness = createFreshness(parts)
  const callbacks: ((rule: Rule) => void)[] = []
  feed.onApplied((rule) => {
    for (const callback of callbacks) callback(rule)
  })

  function check(token: VerifiedToken): Verdict {
    const rule = list.check(token, clock() / 1000)
    if (rule !== undefined) return { state: 'revoked', rule }
    if (freshness.isFresh()) return clear
    return parts.whenStale === 'allow' ? clearDegraded : { state: 'stale', ageMs: freshness.ageMs() }
  }

  async function write(rules: readonly Rule[]): Promise<readonly WrittenRule[]> {
    const written = await feed.track(() => appendStamped(store, rules, list.find))
    for (const rule of written.rules) {
      if (!list.apply(rule)) continue
      for (const callback of callbacks) callback(rule)
    }
    chores.afterWrite()
    return written.rules
  }

  return Object.freeze({
    check,
    isKnownRevoked: (token) => list.check(token, clock() / 1000) !== undefined,
    write,
    list: async () => rulesInForce(list, clock() / 1000),
    lift: (kind, value, issuer, actor) =>
      liftBy(list.findAll({ kind, value, issuer }), write, { nowSeconds: clock() / 1000, actor }),
    timeMs: () => store.timeMs().catch(clock),
    readiness: () => ({
      ready: feed.hasReadInFull(),
      detail: [`${freshness.describe()}, ${list.sizeAll()} rules`, ...chores.warnings(), ...feed.warnings()].join('; '),
    }),
    start: () => {
      store.open().catch(() => {})
      feed.start()
      chores.start()
      freshness.start()
    },
    stop: async () => {
      chores.stop()
      freshness.stop()
      const ended = feed.stop()
      await store.close()
      await ended
    },
    holdings: () => ({ rules: list.size, memoryBytes: list.memoryBytes() }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}

/** The rules of a list that are in force. */
export function rulesInForce(list: RuleList, nowSeconds: number): readonly Rule[] {
  return [...list.entries()].filter((rule) => !rule.lifted && rule.expiresAtSeconds > nowSeconds)
}
