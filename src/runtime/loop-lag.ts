// How late is the event loop, time after time? One late turn is a collection of garbage or a reload, and no reason to turn
// anyone away; a loop that is late on every turn has more to do than it can. So the least of the last few delays counts.
import type { Clock } from '../model/clock.ts'

const INTERVAL_MS = 20
const TURNS = 4

export interface LoopLag {
  /** By how many milliseconds each of the last turns was late, at least. */
  readonly lagMs: () => number
  readonly stop: () => void
}

/** Starts to look, fifty times a second. `monotonic` is in milliseconds. */
export function watchLoopLag(monotonic: Clock): LoopLag {
  const delays = new Array<number>(TURNS).fill(0)
  let turn = 0
  let lastMs = monotonic()
  let leastMs = 0
  const timer = setInterval(() => {
    const nowMs = monotonic()
    delays[turn] = nowMs - lastMs - INTERVAL_MS
    turn = (turn + 1) % TURNS
    lastMs = nowMs
    leastMs = Math.min(...delays)
  }, INTERVAL_MS)
  timer.unref()
  return { lagMs: () => leastMs, stop: () => clearInterval(timer) }
}
