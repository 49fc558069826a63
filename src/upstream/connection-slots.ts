// How many requests are with the application at once, and who waits for a place: first come, first served. Nobody waits without
// a bound in time or number, and whoever leaves makes room at once.

/** The places at one application. */
export interface Places {
  /** Takes a place where one is free. */
  readonly take: () => boolean
  /**
   * Waits for one. `onTurn` is called with a place taken, or `onLate` after the longest wait; neither once the answered function
   * was called, which gives up. Undefined where too many wait already.
   */
  readonly wait: (onTurn: () => void, onLate: () => void) => (() => void) | undefined
  /** Gives a place back, to whoever has waited longest. */
  readonly giveBack: () => void
  /** Resolves when nobody waits. */
  readonly nobodyWaits: () => Promise<void>
}

interface Waiter {
  readonly onTurn: () => void
  readonly timer: NodeJS.Timeout
}

/** Makes `count` places; up to `maxWaiting` wait for one, each for `longestWaitMs`. */
export function createPlaces(count: number, maxWaiting: number, longestWaitMs: number): Places {
  const waiters = new Set<Waiter>()
  let taken = 0
  let tellNobodyWaits: (() => void)[] = []

  const remove = (waiter: Waiter): void => {
    clearTimeout(waiter.timer)
    waiters.delete(waiter)
    if (waiters.size > 0) return
    for (const tell of tellNobodyWaits) tell()
    tellNobodyWaits = []
  }
  const take = (): boolean => {
    if (taken >= count) return false
    taken += 1
    return true
  }
  const wait: Places['wait'] = (onTurn, onLate) => {
    if (waiters.size >= maxWaiting) return undefined
    const timer = setTimeout(() => {
      remove(waiter)
      onLate()
    }, longestWaitMs)
    const waiter: Waiter = { onTurn, timer }
    waiters.add(waiter)
    return () => remove(waiter)
  }
  const giveBack = (): void => {
    const [first] = waiters
    if (first === undefined) {
      taken -= 1
      return
    }
    remove(first)
    first.onTurn()
  }
  const nobodyWaits = (): Promise<void> =>
    waiters.size === 0 ? Promise.resolve() : new Promise((resolve) => tellNobodyWaits.push(resolve))
  return Object.freeze({ take, wait, giveBack, nobodyWaits })
}
