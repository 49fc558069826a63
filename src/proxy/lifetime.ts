// The registry of connections that outlive their decision: when does the token behind each of them stop being good? It
// ends them within a second of that, and it must never end one whose token is still good.
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import type { Reason } from '../model/refusal.ts'

const SWEEP_INTERVAL_MS = 1_000

/** The two kinds of long-lived connection, as the `type` label of the metrics. */
export type GuardedType = 'websocket' | 'stream'

/** What the registry is made of. */
export interface LifetimeParts {
  readonly clock: Clock
  /** Whether connections are ended at all. In shadow mode they are not: that would refuse what shadow mode forwards. */
  readonly isEnforced: () => boolean
  /** Why this token is not good any more, apart from its time; undefined while it is. */
  readonly stillAdmitted: (token: VerifiedToken) => Reason | undefined
  /** How many connections of a type are open now. Streams count from their first sweep on: most responses end before. */
  readonly onCount: (type: GuardedType, count: number) => void
  readonly onEnded: (type: GuardedType, reason: Reason) => void
}

/** The registry. */
export interface Lifetime {
  /** Registers an open connection; `end` is called at most once, with the reason. Answers the function that takes it out. */
  readonly guard: (token: VerifiedToken, type: GuardedType, end: (reason: Reason) => void) => () => void
  /** Looks at all of them soon; many calls in one turn are one look. For the moment when the revocation list changed. */
  readonly sweepNow: () => void
  /** Stops the timer; nothing is ended any more. */
  readonly close: () => void
}

interface Guarded {
  readonly token: VerifiedToken
  readonly type: GuardedType
  readonly end: (reason: Reason) => void
  isCounted: boolean
}

/** Makes the registry. Its timer runs only while something is registered. */
export function createLifetime(parts: LifetimeParts): Lifetime {
  const open = new Set<Guarded>()
  const counts: Record<GuardedType, number> = { websocket: 0, stream: 0 }
  let timer: NodeJS.Timeout | undefined
  let isSweepDue = false
  let isClosed = false

  const count = (entry: Guarded, change: 1 | -1): void => {
    entry.isCounted = change === 1
    counts[entry.type] += change
    parts.onCount(entry.type, counts[entry.type])
  }
  const release = (entry: Guarded): boolean => {
    if (!open.delete(entry)) return false
    if (entry.isCounted) count(entry, -1)
    return true
  }
  const sweep = (): void => {
    isSweepDue = false
    const isEnforced = parts.isEnforced()
    const nowSeconds = parts.clock() / 1000
    for (const entry of open) {
      if (!entry.isCounted) count(entry, 1)
      if (!isEnforced) continue
      const reason = nowSeconds >= entry.token.refusedFromSeconds ? 'token_expired' : parts.stillAdmitted(entry.token)
      if (reason === undefined || !release(entry)) continue
      parts.onEnded(entry.type, reason)
      entry.end(reason)
    }
    if (open.size === 0) stopTimer()
  }
  const stopTimer = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  const guard: Lifetime['guard'] = (token, type, end) => {
    const entry: Guarded = { token, type, end, isCounted: false }
    open.add(entry)
    if (type === 'websocket') count(entry, 1)
    if (timer === undefined && !isClosed) {
      timer = setInterval(sweep, SWEEP_INTERVAL_MS)
      timer.unref()
    }
    return () => {
      release(entry)
    }
  }
  const sweepNow = (): void => {
    if (isSweepDue || isClosed || open.size === 0) return
    isSweepDue = true
    setImmediate(() => {
      if (!isClosed) sweep()
    })
  }
  const close = (): void => {
    isClosed = true
    stopTimer()
  }
  return Object.freeze({ guard, sweepNow, close })
}
