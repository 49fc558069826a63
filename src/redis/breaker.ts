// May another question go out to a dependency that does not answer? Bounds what is in flight and, after failures in a row,
// says no at once for a while instead of making every request wait for its time-out.
import type { Clock } from '../model/clock.ts'

export interface Breaker {
  /** Takes a place for one question, or says no. */
  enter(): boolean
  /** Gives the place back when the question has really ended, however late. */
  leave(): void
  succeed(): void
  fail(): void
}

export interface BreakerParts {
  readonly clock: Clock
  readonly maxInFlight: number
  readonly failuresToOpen: number
  readonly openForMs: number
}

/** Makes a closed breaker. After `openForMs` one question is let through; its success closes it. */
export function createBreaker(parts: BreakerParts): Breaker {
  const { clock, failuresToOpen, maxInFlight, openForMs } = parts
  let inFlight = 0
  let failures = 0
  let openedMs = 0

  const isOpen = () => failures >= failuresToOpen && Math.abs(clock() - openedMs) < openForMs

  return Object.freeze({
    enter: () => {
      if (inFlight >= maxInFlight || isOpen()) return false
      // Half open: this question alone is let through, the next ones wait for its result.
      if (failures >= failuresToOpen) openedMs = clock()
      inFlight += 1
      return true
    },
    leave: () => {
      inFlight -= 1
    },
    succeed: () => {
      failures = 0
    },
    fail: () => {
      failures += 1
      if (failures >= failuresToOpen) openedMs = clock()
    },
  } satisfies Breaker)
}
