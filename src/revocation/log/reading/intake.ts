// What do entries of the log do to the local list, and who hears of it? Must never let one entry, or one listener, keep the feed
// from those after it.

import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'
import { redisMessageOf } from '../../../redis/report.ts'
import type { ServerView } from '../../../redis/server-view.ts'
import type { RuleList } from '../../compact-list/list.ts'
import { compareRules, lasting, type Rule } from '../../rule/rule.ts'
import { type LogEntry, millisecondsOfId, readEntry } from '../entry.ts'
import type { RevocationObserver } from '../report.ts'
import type { ExplicitEnds } from '../writing/explicit-ends.ts'
import type { Healer } from '../writing/healer.ts'
import type { AfterLoss } from './after-loss.ts'
import type { HeadWatch } from './head-watch.ts'
import type { Ledger } from './ledger.ts'
import type { NotUnderstood } from './unknown-entries.ts'
import type { Complaints } from './unreadable-entries.ts'

export interface Intake {
  /** Takes entries into the list, in their order. `isFollowing`: they came as they were written, not by a read of what is there. */
  take(entries: readonly LogEntry[], isFollowing: boolean): void
  /** Calls back for every rule that changed the list. */
  onApplied(callback: (rule: Rule) => void): void
  /** Whether every rule of the log that is in force is held. */
  isWhole(): boolean
}

export interface IntakeParts {
  readonly list: RuleList
  readonly ledger: Ledger
  readonly afterLoss: AfterLoss
  readonly healer: Healer
  readonly explicitEnds: ExplicitEnds
  readonly server: ServerView
  readonly complaints: Complaints
  readonly clock: Clock
  /** How long an entry without `expires` is in force: the longest lifetime of any gate of the list. */
  readonly longestLifetimeSeconds: () => number
  readonly headWatch: HeadWatch
  readonly notUnderstood: NotUnderstood
  readonly toleranceSeconds: () => number
  /** The address, without credentials. */
  readonly redis: string
  readonly observe: RevocationObserver
  readonly log: Logger
}

// How many copies that have ended, and whose rule is not known, are kept for a moment in one reading: an older copy may follow.
const ENDED_AT_ONCE = 50_000

/** Makes the way of entries into the list. */
export function createIntake(parts: IntakeParts): Intake {
  const { afterLoss, clock, complaints, headWatch, healer, ledger, list, log, observe, server } = parts
  const callbacks: ((rule: Rule) => void)[] = []
  let wideValues = 0
  let endedLeft = ENDED_AT_ONCE
  let unheldUntilSeconds = 0

  function announce(rule: Rule): void {
    for (const callback of callbacks) {
      try {
        callback(rule)
      } catch (error) {
        log.error({ detail: redisMessageOf(error) }, 'A listener to the revocation list failed')
      }
    }
  }

  function take(entries: readonly LogEntry[], isFollowing: boolean): void {
    const nowSeconds = clock() / 1000
    const lifetimeSeconds = parts.longestLifetimeSeconds()
    let skipped = 0
    if (isFollowing) endedLeft = ENDED_AT_ONCE
    for (const entry of entries) {
      const { rule, problem, isForNewer } = readEntry(entry.id, entry.fields, nowSeconds + lifetimeSeconds)
      if (problem !== undefined) complaints.note(rule === undefined ? 'skipped' : 'guessed', entry.id, problem)
      if (rule === undefined) {
        skipped += 1
        if (isForNewer) keep(entry, lifetimeSeconds)
      } else {
        takeRule(lasting(rule, lifetimeSeconds), entry, isFollowing)
        headWatch.note(entry.id, endInLog(rule, entry.id, lifetimeSeconds))
      }
      afterLoss.note(entry)
      ledger.note(entry)
    }
    if (skipped > 0) observe.skipped(skipped)
    complaints.tell()
    tellWide()
  }

  function keep(entry: LogEntry, lifetimeSeconds: number): void {
    const endSeconds = parts.notUnderstood.take(entry, raisedMsOf(entry), lifetimeSeconds)
    headWatch.note(entry.id, endSeconds)
  }

  // Only until what was lost is written back: from then on ids lie past all that is held, and what is raised here alone would
  // count in another order than on gates that start later.
  function raisedMsOf(entry: LogEntry, rule?: Rule): number | undefined {
    if (!healer.isPending()) return undefined
    const known = rule === undefined ? undefined : list.find(rule)
    // Written here since the loss: it counts over all that was known when it was.
    const isHeld = known?.atMs === rule?.atMs && (known?.lifted ?? false) === (rule?.lifted ?? false)
    return known !== undefined && isHeld ? undefined : afterLoss.raisedMs(entry)
  }

  function takeRule(logged: Rule, entry: LogEntry, isFollowing: boolean): void {
    const raisedMs = raisedMsOf(entry, logged)
    const rule = raisedMs === undefined ? logged : { ...logged, atMs: raisedMs }
    // A copy that has ended still counts over an older one that has not: with a shorter end, it gave tokens back.
    if (rule.expiresAtSeconds + parts.toleranceSeconds() <= clock() / 1000 && list.find(rule) === undefined) {
      if (endedLeft <= 0) return
      endedLeft -= 1
    }
    // The log has it with its own time: a later one is written back.
    healer.note(logged)
    applyOne(rule, entry.id, isFollowing)
  }

  function applyOne(rule: Rule, id: string, isFollowing: boolean): void {
    const isChange = isChangedBy(rule, id)
    parts.explicitEnds.note(rule, isChange)
    if (!isChange) {
      if (isFollowing) complainIfOverruled(rule, id)
      return
    }
    announce(rule)
    const isFresh = rule.atMs === millisecondsOfId(id) && server.isClockKnown()
    if (isFollowing && isFresh) observe.propagated(Math.max(0, clock() + server.clockOffsetMs() - rule.atMs) / 1000)
  }

  function complainIfOverruled(rule: Rule, id: string): void {
    if (rule.source !== undefined || rule.atMs !== millisecondsOfId(id)) return
    const known = list.find(rule)
    if (known === undefined || compareRules(rule, known) >= 0) return
    complaints.note('overruled', id, known.lifted ? 'its rule is lifted' : 'another copy of its rule counts')
    observe.overruled(1)
  }

  // One rule that cannot be held must not keep the feed from those after it: every gate would stand at it for ever.
  function isChangedBy(rule: Rule, id: string): boolean {
    try {
      return list.apply(rule)
    } catch (error) {
      complaints.note('failed', id, redisMessageOf(error))
      unheldUntilSeconds = Math.max(unheldUntilSeconds, rule.expiresAtSeconds + parts.toleranceSeconds())
      observe.skipped(1)
      return false
    }
  }

  function tellWide(): void {
    const values = list.sizeWide()
    if (values > wideValues) {
      log.warn(
        { redis: parts.redis, values },
        'Values have so many revocation rules for one issuer each that one rule for tokens of every issuer stands for them',
      )
    }
    wideValues = values
  }

  return Object.freeze({
    take,
    isWhole: () => unheldUntilSeconds <= clock() / 1000 && parts.notUnderstood.isWhole(),
    onApplied: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Intake)
}

// Until when whoever trims has to keep the entry: without an end of its own, counted from when it was written.
function endInLog(rule: Rule, id: string, lifetimeSeconds: number): number {
  return rule.isEndGuessed ? (millisecondsOfId(id) ?? 0) / 1000 + lifetimeSeconds : rule.expiresAtSeconds
}
