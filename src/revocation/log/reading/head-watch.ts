// Has somebody trimmed entries from the log that are still in force? An older command line or another program may, and count them as
// ended. Knows for each entry of the log only where the latest end so far rises, as whoever trims honestly stops at such an entry.
import { compareIds } from '../entry.ts'

export interface HeadWatch {
  /** The log is about to be read from its beginning. */
  begin(): void
  /** An entry was read, in the order of the log. */
  note(id: string, endSeconds: number): void
  /** Whether the log, whose first entry is this one, has lost an entry that has not ended. */
  hasLost(firstId: string, nowSeconds: number): boolean
}

// Ends that lie closer together than this count as one: the log of a day needs at most some thousand steps.
const STEP_SECONDS = 10
const MAX_STEPS = 50_000

export function createHeadWatch(): HeadWatch {
  let steps: { readonly id: string; readonly endSeconds: number }[] = []
  let latestSeconds = Number.NEGATIVE_INFINITY

  return Object.freeze({
    begin: () => {
      steps = []
      latestSeconds = Number.NEGATIVE_INFINITY
    },
    note: (id, endSeconds) => {
      if (endSeconds < latestSeconds + STEP_SECONDS || steps.length >= MAX_STEPS) return
      latestSeconds = endSeconds
      steps.push({ id, endSeconds })
    },
    hasLost: (firstId, nowSeconds) => {
      const kept = steps.findIndex(({ id }) => compareIds(id, firstId) >= 0)
      const gone = steps.splice(0, kept === -1 ? steps.length : kept)
      return gone.some(({ endSeconds }) => endSeconds > nowSeconds)
    },
  } satisfies HeadWatch)
}
