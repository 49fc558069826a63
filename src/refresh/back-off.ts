// When may something that failed be tried again? Twice as late after each failure, up to a bound.

const FIRST_MS = 1_000
const LONGEST_MS = 60_000
const PAUSE_MS = 500

/** Failures in a row, and until when (monotonic milliseconds) there is no next try. */
export interface BackOff {
  readonly failures: number
  readonly untilMs: number
}

export const noBackOff: BackOff = { failures: 0, untilMs: 0 }

/** The back-off after one failure more: 1 s, 2 s, 4 s, and so on up to a minute. */
export function backOffAfter({ failures }: BackOff, nowMs: number): BackOff {
  return { failures: failures + 1, untilMs: nowMs + Math.min(FIRST_MS * 2 ** failures, LONGEST_MS) }
}

/** A short time without a next try where nothing failed. */
export function pauseAfter({ failures }: BackOff, nowMs: number): BackOff {
  return { failures, untilMs: nowMs + PAUSE_MS }
}
