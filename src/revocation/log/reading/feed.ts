// How does the log get into the local list? Reads it from its beginning, then follows it, and knows when it last heard from
// Redis. Must never call itself current after a read that failed, and never drop a rule because the log lost it.

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'
import { reconnectDelayMs } from '../../../redis/client.ts'
import { LONE_MASTER } from '../../../redis/lone-master.ts'
import { redisMessageOf } from '../../../redis/report.ts'
import { createServerView } from '../../../redis/server-view.ts'
import type { RuleList } from '../../compact-list/list.ts'
import type { Rule } from '../../rule/rule.ts'
import { LOG_START, millisecondsOfId, valueOfEntry } from '../entry.ts'
import type { RevocationObserver } from '../report.ts'
import type { LogState, RedisStore } from '../store.ts'
import { createExplicitEnds } from '../writing/explicit-ends.ts'
import { createHealer } from '../writing/healer.ts'
import type { Written } from '../writing/write.ts'
import { createAfterLoss } from './after-loss.ts'
import { createLogAhead } from './clock-ahead.ts'
import { createHeadWatch } from './head-watch.ts'
import { createIntake } from './intake.ts'
import { createLedger } from './ledger.ts'
import { createContact } from './sync-state.ts'
import { createNotUnderstood } from './unknown-entries.ts'
import { createComplaints } from './unreadable-entries.ts'

export interface Feed {
  start(): void
  /** Ends the loop. Close the store too: the answer that it waits for ends with it. */
  stop(): Promise<void>
  /** When the local copy was last known to be current, in milliseconds of the clock; 0 before the first full read. */
  lastHeardMs(): number
  /** Whether the log was ever read in full. */
  hasReadInFull(): boolean
  /** Whether the copy can hold every rule that the log has. */
  isWhole(): boolean
  /** What an operator should know about this log; empty where nothing is wrong. */
  warnings(): readonly string[]
  /** Why the copy is not current, where it is not. */
  trouble(): string | undefined
  /** The clock of Redis minus ours, in milliseconds; 0 until it was measured. */
  clockOffsetMs(): number
  /** Runs a write of ours. What it wrote must turn up in the log, else the log has lost it and gets it back. */
  track(write: () => Promise<Written>): Promise<Written>
  /** Calls back for every rule that changed the list. */
  onApplied(callback: (rule: Rule) => void): void
}

export interface FeedParts {
  readonly store: RedisStore
  readonly list: RuleList
  readonly clock: Clock
  readonly toleranceSeconds: () => number
  /** How old the copy may be: the feed asks at least four times as often, and at least once a second. */
  readonly maxStalenessMs: number
  readonly pageSize?: number
  readonly observe: RevocationObserver
  readonly log: Logger
}

const SWEEP_EVERY_MS = 1000
const SWEEP_BUDGET = 5000
// Somebody else may trim the log again and again: reading it anew each time would be their lever on the whole fleet.
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/** Makes a feed that is not started yet. */
export function createFeed(parts: FeedParts): Feed {
  const { clock, list, observe, store } = parts
  const blockMs = Math.trunc(Math.min(Math.max(parts.maxStalenessMs / 4, 20), 1000))
  // A page is taken in at one go: 250 entries hold the event loop up for 5 ms at most times, 1000 for 16, and are no faster.
  const pageSize = parts.pageSize ?? 250
  const ledger = createLedger()
  const headWatch = createHeadWatch()
  let trimmedSeen = 0
  let excessSeen = 0
  const server = createServerView(parts)
  const complaints = createComplaints(parts)
  const contact = createContact({ ...parts, redis: store.description, countRules: list.sizeAll })
  const afterLoss = createAfterLoss(parts)
  const ahead = createLogAhead({ ...parts, redis: store.description })
  const notUnderstood = createNotUnderstood(parts)
  const explicitEnds = createExplicitEnds({
    ...parts,
    appendEntries: async (entries) => {
      // With the next id as it comes: one of a later millisecond would put whatever follows behind a rule of this one.
      await ledger.track(async () => ({ ids: await store.appendRaw(entries), values: entries.map(valueOfEntry) }))
    },
  })
  const healer = createHealer({
    ...parts,
    missingEntries: notUnderstood.missing,
    appendEntries: async (entries) => {
      const fromMs = await afterLoss.healFromMs()
      await ledger.track(async () => ({
        ids: await store.appendRaw(entries, fromMs),
        values: entries.map(valueOfEntry),
      }))
      notUnderstood.noteWritten(entries)
    },
    append: async (rules) => {
      const fromMs = await afterLoss.healFromMs()
      await ledger.track(async () => ({
        ids: await store.append(rules, () => true, fromMs),
        values: rules.map(({ value }) => value),
      }))
    },
  })
  const intake = createIntake({
    ...parts,
    redis: store.description,
    longestLifetimeSeconds: store.longestLifetimeSeconds,
    ledger,
    headWatch,
    notUnderstood,
    afterLoss,
    healer,
    explicitEnds,
    server,
    complaints,
  })
  const stopping = new AbortController()
  let phase: 'due' | 'reading' | 'following' = 'due'
  let readInFullOnce = false
  let sweptMs = 0
  let pause = { untilMs: Number.NEGATIVE_INFINITY, lengthMs: FIRST_PAUSE_MS }
  let ended: Promise<void> = Promise.resolve()

  /** Reads on to the end of the log; answers when the last page was asked for. */
  async function readPages(isFollowing: boolean): Promise<number> {
    let sentMs = clock()
    let entries = await store.readLog(ledger.position(), pageSize)
    while (entries.length === pageSize) {
      // Redis makes the next page ready while this one is applied
      const askedMs = clock()
      const asked = store.readLog(entries.at(-1)?.id ?? LOG_START, pageSize)
      asked.catch(() => {})
      intake.take(entries, isFollowing)
      await nextTurn()
      entries = await asked
      sentMs = askedMs
    }
    intake.take(entries, isFollowing)
    return sentMs
  }

  function hear({ isAlone }: LogState, sentMs: number, dueMs: number): void {
    if (isAlone) contact.lose(LONE_MASTER, 'Revocations may be written at another master')
    else contact.hear(sentMs, dueMs)
  }

  async function readInFull(): Promise<void> {
    if (phase === 'due') {
      const state = await store.logState(LOG_START)
      if (readInFullOnce) await afterLoss.begin()
      ledger.begin(state)
      headWatch.begin()
      trimmedSeen = state.trimmed
      if (readInFullOnce) {
        healer.begin()
        notUnderstood.begin()
      }
      // A reading that breaks off goes on where it was: a long log would never be read over a line that breaks.
      phase = 'reading'
    }
    const sentMs = await readPages(false)
    const state = await store.logState(ledger.position())
    const loss = ledger.lossIn(state)
    if (loss !== undefined) {
      phase = 'due'
      throw new Error(`The revocation log changed while it was read: ${loss.why}`)
    }
    readInFullOnce = true
    phase = 'following'
    hear(state, sentMs, 0)
  }

  async function catchUp(isFollowing: boolean): Promise<void> {
    const sentMs = await readPages(isFollowing)
    const state = await store.logState(ledger.position())
    const loss = ledger.lossIn(state)
    if (loss !== undefined) throw new Error(`The revocation log changed meanwhile: ${loss.why}`)
    hear(state, sentMs, 0)
  }

  async function followOnce(): Promise<void> {
    const sentMs = clock()
    const awaited = ledger.awaited()
    const { entries, state } = await store.follow(ledger.position(), blockMs, pageSize)
    const loss = ledger.lossIn(state)
    intake.take(entries, true)
    if (loss !== undefined && (loss.isBroken || clock() >= pause.untilMs)) return readAgain(loss.why)
    if (entries.length >= pageSize) return
    if (hasEntriesBehind(entries.length > 0 ? 0 : ledger.excessIn(state))) {
      return readAgain('entries were put in before the one that was read last')
    }
    if (state.trimmed !== trimmedSeen && clock() >= pause.untilMs) {
      if (await hasLostHead()) return readAgain('entries were trimmed that are in force')
      trimmedSeen = state.trimmed
    }
    const missing = ledger.stillAwaited(awaited)
    if (missing.length > 0) return askFor(missing)
    hear(state, sentMs, blockMs)
  }

  async function askFor(missing: readonly string[]): Promise<void> {
    if (!(await store.holds(missing))) return readAgain('an entry that was written here is gone')
    // Read from a replica that lags: what we wrote is not there yet.
    if (ledger.arePassed(missing)) readAgain('an entry that was written here was passed over')
  }

  // Twice in a row: an entry may be written between the question for entries and that for their number.
  function hasEntriesBehind(excess: number): boolean {
    const isSeenTwice = excess > 0 && excessSeen > 0
    excessSeen = isSeenTwice ? 0 : excess
    return isSeenTwice
  }

  // Asked only after a trim: by a gate, or by a command line of before that does not know how long tokens live.
  async function hasLostHead(): Promise<boolean> {
    const [first] = await store.readLog(LOG_START, 1)
    return headWatch.hasLost(first?.id ?? ledger.position(), clock() / 1000)
  }

  function readAgain(why: string): void {
    phase = 'due'
    const nowMs = clock()
    const lengthMs =
      nowMs - pause.untilMs > LONGEST_PAUSE_MS ? FIRST_PAUSE_MS : Math.min(pause.lengthMs * 2, LONGEST_PAUSE_MS)
    pause = { untilMs: nowMs + lengthMs, lengthMs }
    contact.lose(why, 'The revocation log has lost entries; rules are kept')
  }

  function sweepNowAndThen(): void {
    const nowMs = clock()
    if (Math.abs(nowMs - sweptMs) < SWEEP_EVERY_MS) return
    sweptMs = nowMs
    list.sweep(nowMs / 1000, SWEEP_BUDGET)
    notUnderstood.sweep()
  }

  function lookAhead(): void {
    if (!server.isClockKnown()) return
    ahead.look(millisecondsOfId(ledger.position()) ?? 0, clock() + server.clockOffsetMs())
  }

  async function round(): Promise<void> {
    const type = phase === 'following' ? 'follow' : 'full'
    try {
      await server.refuseCutOff()
      await (phase === 'following' ? followOnce() : readInFull())
    } catch (error) {
      if (!stopping.signal.aborted) observe.read(type, 'error')
      throw error
    }
    observe.read(type, 'ok')
    sweepNowAndThen()
    complaints.tell()
    await server.measureClock()
    lookAhead()
    if (phase !== 'following') return
    if (healer.isPending()) await healer.attempt(() => catchUp(false))
    else if (explicitEnds.isPending()) await explicitEnds.attempt(() => catchUp(true))
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        await round()
        failures = 0
      } catch (error) {
        if (stopping.signal.aborted) return
        contact.lose(redisMessageOf(error), 'Revocation list lost contact with Redis')
        server.forget()
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
    lastHeardMs: contact.heardMs,
    hasReadInFull: () => readInFullOnce,
    isWhole: intake.isWhole,
    warnings: () => [ahead.warning()].filter((text) => text !== undefined),
    trouble: contact.trouble,
    clockOffsetMs: server.clockOffsetMs,
    track: async (write) => {
      const written = await ledger.track(write)
      for (const rule of written.rules) healer.note(rule)
      return written
    },
    onApplied: intake.onApplied,
  } satisfies Feed)
}
