// A client that takes nothing of its answer holds a connection to the application: after a while it is let go. An answer that
// nobody has to wait for, a quiet event stream, is none of this file's business.
import type { ServerResponse } from 'node:http'

/** Nothing may have moved between so many looks: one long wait would say nothing of what moved meanwhile. */
const LOOKS = 4

/**
 * Calls `onStalled` once when the client has taken nothing for `timeoutMs` although bytes wait for it. `takenBytes` tells how
 * many it has taken so far, or nothing while no bytes wait.
 */
export function watchReader(
  res: ServerResponse,
  timeoutMs: number,
  takenBytes: () => number | undefined,
  onStalled: () => void,
): void {
  let before: number | undefined
  let stillLooks = 0
  const timer = setInterval(() => {
    const taken = takenBytes()
    stillLooks = taken !== undefined && taken === before ? stillLooks + 1 : 0
    before = taken
    if (stillLooks < LOOKS) return
    clearInterval(timer)
    onStalled()
  }, timeoutMs / LOOKS)
  timer.unref()
  res.once('close', () => clearInterval(timer))
}
