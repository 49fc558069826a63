// Waiting for what comes about by itself. Patience is counted in looks and not by a clock: where the machine stands still for
// a second, nobody looked, and nothing is said to be late.
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Looks until `check` no longer throws, and answers what it answers: 10 s long. Throws what the last look threw.
 * @param looks how often at most
 * @param everyMs the time between two looks
 */
export async function eventually<T>(check: () => T | Promise<T>, looks = 500, everyMs = 20): Promise<T> {
  for (let look = 1; ; look++) {
    try {
      return await check()
    } catch (thrown) {
      if (look >= looks) throw thrown
    }
    await sleep(everyMs)
  }
}

/** As `eventually`, for what has to come about within a second. */
export function withinASecond<T>(check: () => T | Promise<T>): Promise<T> {
  return eventually(check, 100, 10)
}
