// The registry of connections that outlive their decision: each is asked again what a new request would be, at every change
// and when its token runs out, and ends where the answer is no. A trouble of the gate's own (503) ends none: it is asked again.
import type { Clock } from '../model/clock.ts'
import type { Decision, Permit, RequestView } from '../model/decision.ts'
import { isRefusal, type Reason, statusOf } from '../model/refusal.ts'

const EVERY_MS = 1_000
/** A round takes a second however many there are, so that nothing else waits for it. */
const SLICE_MS = 10
const SLICES = EVERY_MS / SLICE_MS
/** Few are asked in one slice: keys that have to be fetched must not be waited for by all. */
const MOST_AT_ONCE = 100

/** The two kinds of long-lived connection, as the `type` label of the metrics. */
export type GuardedType = 'websocket' | 'stream'

/** What the registry is made of. */
export interface LifetimeParts {
  readonly clock: Clock
  /** Whether connections are ended at all. In shadow mode they are not: that would refuse what shadow mode forwards. */
  readonly isEnforced: () => boolean
  /** Would the request that opened this connection be admitted now? */
  readonly ask: (view: RequestView, token: Permit['token']) => Decision | Promise<Decision>
  /** How many connections of a type are open now. Streams count from their first sweep on: most responses end before. */
  readonly onCount: (type: GuardedType, count: number) => void
  readonly onEnded: (type: GuardedType, reason: Reason) => void
}

/** The registry. */
export interface Lifetime {
  /** Registers an open connection; `end` is called at most once, with the reason. Answers the function that takes it out. */
  readonly guard: (view: RequestView, permit: Permit, type: GuardedType, end: (reason: Reason) => void) => () => void
  /** Asks about all of them, from now on and within a second. For every change of rules, keys and settings. */
  readonly askAll: () => void
  /** Stops the timers; nothing is ended any more. */
  readonly close: () => void
}

interface Guarded {
  readonly view: RequestView
  readonly type: GuardedType
  readonly end: (reason: Reason) => void
  token: Permit['token']
  isCounted: boolean
  /** The last answer was a trouble of our own. */
  isTroubled: boolean
}

/** Makes the registry. Its timer runs only while something is registered. */
export function createLifetime(parts: LifetimeParts): Lifetime {
  const open = new Set<Guarded>()
  const due = new Set<Guarded>()
  const counts: Record<GuardedType, number> = { websocket: 0, stream: 0 }
  let everySecond: NodeJS.Timeout | undefined
  let nextSlice: NodeJS.Timeout | undefined
  let isRoundDue = false
  let isClosed = false
  let asking = 0

  const count = (entry: Guarded, change: 1 | -1): void => {
    entry.isCounted = change === 1
    counts[entry.type] += change
    parts.onCount(entry.type, counts[entry.type])
  }
  const release = (entry: Guarded): boolean => {
    due.delete(entry)
    if (!open.delete(entry)) return false
    if (entry.isCounted) count(entry, -1)
    return true
  }
  const conclude = (entry: Guarded, decision: Decision): void => {
    if (isClosed || !open.has(entry) || !parts.isEnforced()) return
    if (!isRefusal(decision)) {
      entry.token = decision.token
      entry.isTroubled = false
    } else if (statusOf(decision) >= 500) entry.isTroubled = true
    else if (release(entry)) {
      parts.onEnded(entry.type, decision.reason)
      entry.end(decision.reason)
    }
  }
  const askLater = async (entry: Guarded, answer: Promise<Decision>): Promise<void> => {
    asking += 1
    try {
      conclude(entry, await answer)
    } catch {
      entry.isTroubled = true
    } finally {
      asking -= 1
    }
  }
  const askSlice = (): void => {
    nextSlice = undefined
    if (isClosed) return
    if (!parts.isEnforced()) due.clear()
    let left = Math.max(MOST_AT_ONCE, Math.ceil(open.size / SLICES))
    for (const entry of due) {
      if (left === 0 || asking >= MOST_AT_ONCE) break
      left -= 1
      due.delete(entry)
      const answer = parts.ask(entry.view, entry.token)
      if (answer instanceof Promise) void askLater(entry, answer)
      else conclude(entry, answer)
    }
    if (due.size > 0) nextSlice = setTimeout(askSlice, SLICE_MS).unref()
    if (open.size === 0) stopTimer()
  }
  const look = (): void => {
    const nowSeconds = parts.clock() / 1000
    for (const entry of open) {
      if (!entry.isCounted) count(entry, 1)
      const { token, isTroubled } = entry
      if (isTroubled || (token !== undefined && nowSeconds >= token.refusedFromSeconds)) due.add(entry)
    }
    if (nextSlice === undefined) askSlice()
  }
  const stopTimer = (): void => {
    clearInterval(everySecond)
    everySecond = undefined
  }
  const guard: Lifetime['guard'] = (view, { token }, type, end) => {
    const entry: Guarded = { view, token, type, end, isCounted: false, isTroubled: false }
    open.add(entry)
    if (type === 'websocket') count(entry, 1)
    if (everySecond === undefined && !isClosed) everySecond = setInterval(look, EVERY_MS).unref()
    return () => {
      release(entry)
    }
  }
  const askAll = (): void => {
    if (isRoundDue || isClosed || open.size === 0) return
    isRoundDue = true
    // Many changes in one turn are one round.
    setImmediate(() => {
      isRoundDue = false
      for (const entry of open) due.add(entry)
      if (nextSlice === undefined) askSlice()
    })
  }
  const close = (): void => {
    isClosed = true
    stopTimer()
    clearTimeout(nextSlice)
  }
  return Object.freeze({ guard, askAll, close })
}
