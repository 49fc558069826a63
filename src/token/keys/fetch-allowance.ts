// How often may tokens cause a fetch of keys? Whoever invents key ids must not make the gate ask the provider without end,
// and must not take the one fetch that a rotation needs: so there are several, and they come back one by one.
import type { Clock } from '../../model/clock.ts'

export interface FetchAllowance {
  /** True where a fetch may begin now; it is then taken. */
  take(): boolean
  /** When the next one may begin, in milliseconds from now. */
  dueInMs(): number
}

/** Makes an allowance of `most` fetches, and one more each `eachMs`. */
export function createFetchAllowance(most: number, eachMs: number, monotonic: Clock): FetchAllowance {
  let left = most
  let countedMs = monotonic()

  function refill(): void {
    const nowMs = monotonic()
    const earned = Math.floor((nowMs - countedMs) / eachMs)
    if (earned <= 0) return
    left = Math.min(most, left + earned)
    countedMs = left === most ? nowMs : countedMs + earned * eachMs
  }

  return {
    take: () => {
      // What is missing to a full allowance counts from the first fetch that was taken from it.
      if (left === most) countedMs = monotonic()
      else refill()
      if (left === 0) return false
      left--
      return true
    },
    dueInMs: () => {
      refill()
      return left > 0 ? 0 : Math.max(0, countedMs + eachMs - monotonic())
    },
  }
}
