// Which rules has the log lost, and who writes them back? A rule keeps its original time, so that a lifted one stays lifted.
// One gate of the fleet writes at a time, so that the log is not doubled; nothing is ever taken out of the local copy.

import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'
import { redisMessageOf } from '../../../redis/report.ts'
import type { RuleList } from '../../compact-list/list.ts'
import { type Rule, ruleKeyOf } from '../../rule/rule.ts'
import type { RevocationObserver } from '../report.ts'
import type { RedisStore } from '../store.ts'

export interface Healer {
  /** The log has lost entries and is about to be read again from its beginning. */
  begin(): void
  /** The log holds this rule. */
  note(rule: Rule): void
  isPending(): boolean
  /**
   * Writes missing rules back, unless another gate is at it. `catchUp` reads what is new in the log. Never rejects: what
   * failed, and what came meanwhile, is tried again by the next call.
   */
  attempt(catchUp: () => Promise<void>): Promise<void>
}

export interface HealerParts {
  readonly store: Pick<RedisStore, 'claimHealing' | 'releaseHealing'>
  /** Writes rules with their own time. */
  readonly append: (rules: readonly Rule[]) => Promise<void>
  /** The fields of entries that are kept as they are, and that the log has lost. */
  readonly missingEntries: () => readonly (readonly string[])[]
  /** Writes these. They are missing no more. */
  readonly appendEntries: (entries: readonly (readonly string[])[]) => Promise<void>
  readonly list: RuleList
  readonly clock: Clock
  readonly toleranceSeconds: () => number
  readonly observe: RevocationObserver
  readonly log: Logger
}

const CLAIM_LIFETIME_MS = 10_000
const BATCH_SIZE = 500
const SLICE_SIZE = 2000
// A log that somebody else cuts short again and again must not make the fleet write it anew each time.
const HEALS_PER_WINDOW = 5
const WINDOW_MS = 60_000

export function createHealer(parts: HealerParts): Healer {
  const { clock, list, log, observe, store } = parts
  const owner = randomUUID()
  // The rank of the log's copy of each rule, by identity; there only while a heal is due.
  let logged: Map<string, number> | undefined
  let isFailing = false
  let healedMs: readonly number[] = []

  function note(rule: Rule): void {
    if (logged === undefined) return
    const key = ruleKeyOf(rule)
    const known = logged.get(key)
    if (known === undefined || rankOf(rule) > known) logged.set(key, rankOf(rule))
  }

  function isMissing(rule: Rule): boolean {
    if (rule.expiresAtSeconds + parts.toleranceSeconds() <= clock() / 1000) return false
    const known = logged?.get(ruleKeyOf(rule))
    return known === undefined || known < rankOf(rule)
  }

  /** Missing rules in batches; requests are served in between. What moves meanwhile is found by the next pass. */
  async function* missing(size: number): AsyncGenerator<readonly Rule[]> {
    let batch: Rule[] = []
    let seen = 0
    for (const rule of list.entries()) {
      if (isMissing(rule)) batch.push(rule)
      if (batch.length >= size) {
        yield batch
        batch = []
      }
      seen += 1
      if (seen % SLICE_SIZE === 0) await nextTurn()
    }
    if (batch.length > 0) yield batch
  }

  async function isWhole(): Promise<boolean> {
    for await (const _ of missing(1)) return false
    return parts.missingEntries().length === 0
  }

  async function writeBack(catchUp: () => Promise<void>): Promise<number> {
    let written = 0
    for await (const batch of missing(BATCH_SIZE)) {
      // Held until the next batch, and lost where this one took too long: then another gate is at it.
      if (!(await store.claimHealing(owner, CLAIM_LIFETIME_MS))) break
      // Another gate may have written in the meantime.
      await catchUp()
      const rules = batch.filter(isMissing)
      if (rules.length === 0) continue
      await parts.append(rules)
      for (const rule of rules) note(rule)
      written += rules.length
      observe.healed(rules.length)
    }
    return written + (await writeEntriesBack(catchUp))
  }

  async function writeEntriesBack(catchUp: () => Promise<void>): Promise<number> {
    const lost = parts.missingEntries().length
    let written = 0
    for (let batch = 0; batch < lost; batch += BATCH_SIZE) {
      if (!(await store.claimHealing(owner, CLAIM_LIFETIME_MS))) break
      await catchUp()
      const entries = parts.missingEntries().slice(0, BATCH_SIZE)
      if (entries.length === 0) break
      await parts.appendEntries(entries)
      written += entries.length
      observe.healed(entries.length)
    }
    return written
  }

  async function heal(catchUp: () => Promise<void>): Promise<void> {
    if (!(await store.claimHealing(owner, CLAIM_LIFETIME_MS))) return
    try {
      const rules = await writeBack(catchUp)
      if (rules > 0) {
        healedMs = [...healedMs, clock()].slice(-HEALS_PER_WINDOW)
        log.warn({ rules }, 'Wrote rules back to a revocation log that had lost them')
      }
    } finally {
      await store.releaseHealing(owner)
    }
    observe.read('heal', 'ok')
  }

  function mustRest(): boolean {
    const oldestMs = healedMs.length < HEALS_PER_WINDOW ? undefined : healedMs[0]
    return oldestMs !== undefined && Math.abs(clock() - oldestMs) < WINDOW_MS
  }

  async function attempt(catchUp: () => Promise<void>): Promise<void> {
    if (mustRest()) return
    if (await isWhole()) {
      logged = undefined
      return
    }
    try {
      await heal(catchUp)
      isFailing = false
    } catch (error) {
      observe.read('heal', 'error')
      if (!isFailing) log.error({ detail: redisMessageOf(error) }, 'Cannot write lost rules back to the revocation log')
      isFailing = true
    }
  }

  return Object.freeze({
    begin: () => {
      logged = new Map()
    },
    note,
    isPending: () => logged !== undefined,
    attempt,
  } satisfies Healer)
}

// Its time, and at one time a rule before a lift: beyond that copies differ in nothing that the fleet could not merge.
function rankOf({ atMs, lifted }: Rule): number {
  return Math.trunc(atMs) * 2 + (lifted ? 0 : 1)
}
