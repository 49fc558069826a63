// Is the pod about to go? Told by a hook before anything stops, so that connections move to other pods in time. Anybody who
// reaches the admin port can tell it: it must never refuse a request or touch readiness, and it ends by itself.
import type { Clock } from '../model/clock.ts'

/** Longer than a pod that was deleted is there, unless its app is given very much time. */
const LEAVING_MS = 10 * 60_000

export interface Leaving {
  /** From now on, for ten minutes. Answers false where it was so already. */
  readonly begin: () => boolean
  readonly isUnderWay: () => boolean
}

/** Makes it; `monotonic` are milliseconds that only move forward. */
export function createLeaving(monotonic: Clock): Leaving {
  let endsMs = Number.NEGATIVE_INFINITY
  const isUnderWay = () => monotonic() < endsMs
  return {
    begin: () => {
      const isNew = !isUnderWay()
      endsMs = monotonic() + LEAVING_MS
      return isNew
    },
    isUnderWay,
  }
}
