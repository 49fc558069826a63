// Which server answers here, and what time is it there? Must never let a replica that is cut off from its master pass for
// one that has nothing new.
import type { Clock } from '../model/clock.ts'

/** What it asks of Redis. */
interface Questions {
  /** Its time in milliseconds. */
  timeMs(): Promise<number>
  /** What `INFO replication` says of the link to its master; `master` where it is none. */
  replicaLink(): Promise<'master' | 'up' | 'down' | undefined>
}

export interface ServerView {
  /** Rejects where this is a replica without contact to its master: it would go on answering with what it had. */
  refuseCutOff(): Promise<void>
  /** Compares the clocks, now and then. Never rejects. */
  measureClock(): Promise<void>
  /** Another server may answer from now on. */
  forget(): void
  /** The clock of Redis minus ours, in milliseconds; 0 until it was measured. */
  clockOffsetMs(): number
  isClockKnown(): boolean
}

const ASK_EVERY_MS = 60_000

export function createServerView(parts: { readonly store: Questions; readonly clock: Clock }): ServerView {
  const { clock, store } = parts
  let isReplica = false
  let askedMs = Number.NEGATIVE_INFINITY
  let offsetMs = 0
  let measuredMs = Number.NEGATIVE_INFINITY

  const isDue = (doneMs: number) => Math.abs(clock() - doneMs) >= ASK_EVERY_MS

  return Object.freeze({
    refuseCutOff: async () => {
      if (!isReplica && !isDue(askedMs)) return
      const link = await store.replicaLink()
      askedMs = clock()
      isReplica = link === 'up' || link === 'down'
      if (link === 'down')
        throw new Error('Cannot follow the log: this Redis is a replica without contact to its master')
    },
    measureClock: async () => {
      if (!isDue(measuredMs)) return
      try {
        const startMs = clock()
        const serverMs = await store.timeMs()
        offsetMs = serverMs - (startMs + clock()) / 2
        measuredMs = startMs
      } catch {
        // Only the propagation metric and the order of quick writes use it: the next round tries again.
      }
    },
    forget: () => {
      askedMs = Number.NEGATIVE_INFINITY
      measuredMs = Number.NEGATIVE_INFINITY
    },
    clockOffsetMs: () => offsetMs,
    isClockKnown: () => Number.isFinite(measuredMs),
  } satisfies ServerView)
}
