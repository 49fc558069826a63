// Gives entries that other programs wrote without `expires` an end, once for the fleet: a copy with the time of the entry and an
// explicit end. Otherwise each gate would count the end by the lifetimes that it knows, and a gate with shorter ones could drop a
// rule that the others hold. Must never shorten a rule below the longest lifetime in the fleet, counted from the entry, nor write a
// lift: in a log that was wiped meanwhile it could count over a newer rule.
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'
import { redisMessageOf } from '../../../redis/report.ts'
import type { RuleList } from '../../compact-list/list.ts'
import { MAX_TIME_SECONDS, type Rule, ruleKeyOf } from '../../rule/rule.ts'
import { encodeEntry } from '../entry.ts'
import type { RedisStore } from '../store.ts'

export interface ExplicitEnds {
  /** An entry was read: one without an end that changed the list, or one that says the end of such a rule. */
  note(rule: Rule, isChange: boolean): void
  isPending(): boolean
  /**
   * Writes the ends, unless another gate is at it. `catchUp` reads what is new in the log. Never rejects: what failed is tried
   * again by a later call.
   */
  attempt(catchUp: () => Promise<void>): Promise<void>
}

export interface ExplicitEndsParts {
  readonly store: Pick<RedisStore, 'claimHealing' | 'releaseHealing' | 'renewLifetimes' | 'longestLifetimeSeconds'>
  /** Writes entries as they are. */
  readonly appendEntries: (entries: readonly (readonly string[])[]) => Promise<void>
  readonly list: RuleList
  readonly clock: Clock
  readonly log: Logger
}

const CLAIM_LIFETIME_MS = 10_000
const BATCH_SIZE = 500
const SLICE_SIZE = 2000
// More than these are found by going through the list.
const MOST_NOTED = 1000
const PAUSE_AFTER_FAILURE_MS = 10_000

/** Makes it. Nothing is written before `attempt`. */
export function createExplicitEnds(parts: ExplicitEndsParts): ExplicitEnds {
  const { clock, list, log, store } = parts
  const owner = randomUUID()
  const noted = new Map<string, Rule>()
  let isOverflowing = false
  let guessedBefore = Number.POSITIVE_INFINITY
  let failedMs = Number.NEGATIVE_INFINITY

  function note(rule: Rule, isChange: boolean): void {
    if (rule.isEndGuessed && !rule.lifted) {
      if (isChange) add(rule)
      return
    }
    if (noted.size === 0) return
    const key = ruleKeyOf(rule)
    // A copy of an earlier rule says nothing of a later one.
    if ((noted.get(key)?.atMs ?? Number.POSITIVE_INFINITY) <= rule.atMs) noted.delete(key)
  }

  function add(rule: Rule): void {
    if (noted.size < MOST_NOTED) noted.set(ruleKeyOf(rule), rule)
    else isOverflowing = true
  }

  /** Notes from the list what was too much as it came; requests are served in between. */
  async function lookThrough(): Promise<void> {
    isOverflowing = false
    let seen = 0
    let guessed = 0
    for (const rule of list.entries()) {
      if (rule.isEndGuessed && !rule.lifted) {
        add(rule)
        guessed += 1
      }
      seen += 1
      if (seen % SLICE_SIZE === 0) await nextTurn()
    }
    // Copies that change nothing, as one rule stands for many of a value, must not be written for ever.
    if (guessed >= guessedBefore) noted.clear()
    isOverflowing &&= guessed < guessedBefore
    guessedBefore = guessed
  }

  async function write(catchUp: () => Promise<void>): Promise<void> {
    if (!(await store.claimHealing(owner, CLAIM_LIFETIME_MS))) return
    try {
      // Another gate may have written them in the meantime.
      await catchUp()
      const rules = [...noted.values()].slice(0, BATCH_SIZE)
      // Each is written once: a copy that does not count, because of a clock or a fraction, must not be written again and again.
      for (const rule of rules) noted.delete(ruleKeyOf(rule))
      if (rules.length === 0) return
      // A gate with longer lifetimes may have come since they were last read.
      await store.renewLifetimes()
      await parts.appendEntries(rules.map(entryOf))
    } finally {
      await store.releaseHealing(owner)
    }
  }

  function entryOf(rule: Rule): readonly string[] {
    const leastSeconds = Math.ceil(rule.atMs / 1000) + store.longestLifetimeSeconds()
    const expiresAtSeconds = Math.min(Math.max(rule.expiresAtSeconds, leastSeconds), MAX_TIME_SECONDS)
    return encodeEntry({ ...rule, expiresAtSeconds }, { keepsTime: true })
  }

  async function attempt(catchUp: () => Promise<void>): Promise<void> {
    if (Math.abs(clock() - failedMs) < PAUSE_AFTER_FAILURE_MS) return
    if (noted.size === 0) await lookThrough()
    if (noted.size === 0) return
    try {
      await write(catchUp)
      failedMs = Number.NEGATIVE_INFINITY
    } catch (error) {
      // Each gate counts the end by the lifetimes it knows until then.
      if (failedMs === Number.NEGATIVE_INFINITY)
        log.warn({ detail: redisMessageOf(error) }, 'Cannot write the ends of revocation rules that have none')
      failedMs = clock()
    }
  }

  return Object.freeze({ note, isPending: () => noted.size > 0 || isOverflowing, attempt } satisfies ExplicitEnds)
}
