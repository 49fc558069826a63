// When may something that failed be tried again? Twice as late after each failure, up to a bound, and never before the other
// side wants to be asked.

const FIRST_MS = 1_000
const LONGEST_MS = 60_000
const PAUSE_MS = 500

/** Failures in a row, and until when there is no next try. Times are monotonic milliseconds. */
export interface BackOff {
  readonly failures: number
  readonly sinceMs: number
  readonly untilMs: number
  /** No try is made before, whatever has become better meanwhile. */
  readonly earliestMs: number
}

export const noBackOff: BackOff = { failures: 0, sinceMs: 0, untilMs: 0, earliestMs: 0 }

/** The back-off after one failure more: 1 s, 2 s, 4 s, and so on up to a minute; longer where the other side says so. */
export function backOffAfter({ failures }: BackOff, nowMs: number, atLeastMs = 0): BackOff {
  const pauseMs = Math.max(atLeastMs, Math.min(FIRST_MS * 2 ** failures, LONGEST_MS))
  return { failures: failures + 1, sinceMs: nowMs, untilMs: nowMs + pauseMs, earliestMs: nowMs + atLeastMs }
}

/** A short time without a next try where nothing failed. */
export function pauseAfter({ failures }: BackOff, nowMs: number, pauseMs = PAUSE_MS): BackOff {
  return { failures, sinceMs: nowMs, untilMs: nowMs + pauseMs, earliestMs: nowMs }
}
