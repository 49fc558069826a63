// How does the log get into the local list? Reads it from its beginning, then follows it, and knows when it last heard from
// Redis. Must never call itself current after a read that failed, and never drop a rule because the log lost it.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../model/clock.ts'
import { messageOf, reconnectDelayMs } from './connection.ts'
import { decodeEntry, type LogEntry, logStart, millisecondsOfId } from './entry.ts'
import { createHealer } from './healer.ts'
import type { RuleList } from './list.ts'
import type { ReadType, RevocationLog, RevocationObserver } from './report.ts'
import type { Rule } from './rule.ts'
import type { RedisStore } from './store.ts'

export interface Feed {
  start(): void
  /** Ends the loop. Close the store too: the answer that it waits for ends with it. */
  stop(): Promise<void>
  /** When the local copy was last known to be current, in milliseconds of the clock; 0 before the first full read. */
  lastHeardMs(): number
  /** Whether the log was read in full once and is being followed now. */
  isSynced(): boolean
  /** Whether the log was ever read in full. */
  hasReadInFull(): boolean
  /** The clock of Redis minus ours, in milliseconds; 0 until it was measured. */
  clockOffsetMs(): number
  /** Calls back for every rule that changed the list. */
  onApplied(callback: (rule: Rule) => void): void
}

export interface FeedParts {
  readonly store: RedisStore
  readonly list: RuleList
  readonly clock: Clock
  /** The longest lifetime of any issuer's tokens: how long an entry without `expires` is in force. */
  readonly maxLifetimeSeconds: number
  readonly toleranceSeconds: number
  /** How old the copy may be: the feed asks at least four times as often, and at least once a second. */
  readonly maxStalenessMs: number
  readonly pageSize?: number
  readonly observe: RevocationObserver
  readonly log: RevocationLog
}

const offsetEveryMs = 60_000
const sweepEveryMs = 1000
const sweepBudget = 5000
// An answer that took longer than this beyond the wait may have lain in a buffer: it says what was true when it was asked.
const promptMs = 500

/** Makes a feed that is not started yet. */
export function createFeed(parts: FeedParts): Feed {
  const { clock, list, log, observe, store } = parts
  const blockMs = Math.trunc(Math.min(Math.max(parts.maxStalenessMs / 4, 20), 1000))
  const pageSize = parts.pageSize ?? 1000
  const healer = createHealer(parts)
  const callbacks: ((rule: Rule) => void)[] = []
  const stopping = new AbortController()
  let position = logStart
  let readInFullOnce = false
  let mustReadAgain = true
  let isInContact = false
  let heardMs = 0
  let sweptMs = 0
  let offset = { ms: 0, measuredAtMs: Number.NEGATIVE_INFINITY }
  let ended: Promise<void> = Promise.resolve()

  function announce(rule: Rule): void {
    for (const callback of callbacks) {
      try {
        callback(rule)
      } catch (error) {
        log.error({ detail: messageOf(error) }, 'A listener to the revocation list failed')
      }
    }
  }

  function applyAll(entries: readonly LogEntry[], isFollowing: boolean): void {
    const nowSeconds = clock() / 1000
    let skipped = 0
    for (const { id, fields } of entries) {
      const rule = decodeEntry(id, fields, nowSeconds + parts.maxLifetimeSeconds)
      if (rule === undefined) skipped += 1
      // What has ended only costs memory: lifts are written to end no earlier than what they lift.
      else if (rule.expiresAtSeconds + parts.toleranceSeconds > nowSeconds) applyOne(rule, id, isFollowing)
      position = id
    }
    if (skipped === 0) return
    observe.skipped(skipped)
    log.warn({ entries: skipped, upTo: position }, 'Skipped entries of the revocation log that are not rules')
  }

  function applyOne(rule: Rule, id: string, isFollowing: boolean): void {
    healer.note(rule)
    if (!list.apply(rule)) return
    announce(rule)
    const isFresh = rule.atMs === millisecondsOfId(id) && Number.isFinite(offset.measuredAtMs)
    if (isFollowing && isFresh) observe.propagated(Math.max(0, clock() + offset.ms - rule.atMs) / 1000)
  }

  function hear(sentMs: number, dueMs: number): void {
    const answeredMs = clock()
    heardMs = answeredMs - sentMs <= dueMs + promptMs ? answeredMs : sentMs
    observe.heard(heardMs)
    if (isInContact) return
    isInContact = true
    observe.synced(true)
    log.info({ redis: store.description, rules: list.sizeAll() }, 'Revocation list is in sync')
  }

  async function readPages(): Promise<void> {
    for (;;) {
      const sentMs = clock()
      const entries = await store.readLog(position, pageSize)
      applyAll(entries, false)
      if (entries.length < pageSize) return hear(sentMs, 0)
      await nextTurn()
    }
  }

  async function readInFull(): Promise<void> {
    position = logStart
    if (readInFullOnce) healer.begin()
    await readPages()
    readInFullOnce = true
    mustReadAgain = false
  }

  async function followOnce(): Promise<void> {
    const sentMs = clock()
    const anchor = position
    const { entries, isAnchored } = await store.follow(anchor, blockMs, pageSize)
    applyAll(entries, true)
    if (anchor !== logStart && !isAnchored) {
      mustReadAgain = true
      log.warn(
        { redis: store.description, rules: list.sizeAll() },
        'The revocation log has lost entries; rules are kept',
      )
      return
    }
    if (entries.length < pageSize) hear(sentMs, blockMs)
  }

  async function measureOffset(): Promise<void> {
    const sentMs = clock()
    if (sentMs - offset.measuredAtMs < offsetEveryMs) return
    try {
      const serverMs = await store.timeMs()
      offset = { ms: serverMs - (sentMs + clock()) / 2, measuredAtMs: sentMs }
    } catch {
      // Only the propagation metric and the order of quick writes use it: the next round tries again.
    }
  }

  function sweepNowAndThen(): void {
    const nowMs = clock()
    if (Math.abs(nowMs - sweptMs) < sweepEveryMs) return
    sweptMs = nowMs
    list.sweep(nowMs / 1000, sweepBudget)
  }

  async function round(): Promise<void> {
    const type: ReadType = mustReadAgain ? 'full' : 'follow'
    try {
      await (mustReadAgain ? readInFull() : followOnce())
    } catch (error) {
      if (!stopping.signal.aborted) observe.read(type, 'error')
      throw error
    }
    observe.read(type, 'ok')
    sweepNowAndThen()
    await measureOffset()
    if (!mustReadAgain && healer.isPending()) await healer.attempt(readPages)
  }

  function loseContact(error: unknown): void {
    if (!isInContact) return
    isInContact = false
    observe.synced(false)
    log.warn({ redis: store.description, detail: messageOf(error) }, 'Revocation list lost contact with Redis')
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        await round()
        failures = 0
      } catch (error) {
        if (stopping.signal.aborted) return
        loseContact(error)
        failures += 1
        await sleep(reconnectDelayMs(failures), undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }

  return Object.freeze({
    start: () => {
      ended = run()
    },
    stop: () => {
      stopping.abort()
      return ended
    },
    lastHeardMs: () => heardMs,
    isSynced: () => readInFullOnce && isInContact && !mustReadAgain,
    hasReadInFull: () => readInFullOnce,
    clockOffsetMs: () => offset.ms,
    onApplied: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Feed)
}
