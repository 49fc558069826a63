// Tokens that wait for a fetch of keys: how many, how long, and what the fetch says about each. A fetch that began before a
// token came is no verdict on it: the key may have been published in between.
import { refuse } from '../../model/refusal.ts'
import { candidates, type KeySet } from './key-set.ts'
import { type FoundKeys, unknownKey } from './keys.ts'

export interface KeyWaiters {
  /** Waits; nothing where too many do. `fetches` is how many fetches have begun. */
  join(algorithm: string, keyId: string | undefined, fetches: number): Promise<FoundKeys> | undefined
  /** Answers those that this set has a key for, and those that came before the fetch began, the `number`th. */
  fetched(set: KeySet, number: number): void
  /** Answers all: the keys cannot be had. */
  failed(problem: string): void
  size(): number
}

export interface KeyWaitersPolicy {
  readonly most: number
  readonly waitMs: number
  /** Told of each key that a fetch did not find. */
  readonly onAbsent: (algorithm: string, keyId: string | undefined) => void
}

interface Waiter {
  readonly algorithm: string
  readonly keyId: string | undefined
  readonly fetches: number
  readonly timer: NodeJS.Timeout
  readonly resolve: (found: FoundKeys) => void
}

/** Makes the waiting room of one issuer. */
export function createKeyWaiters({ most, waitMs, onAbsent }: KeyWaitersPolicy): KeyWaiters {
  const waiters = new Set<Waiter>()

  function answer(waiter: Waiter, found: FoundKeys): void {
    waiters.delete(waiter)
    clearTimeout(waiter.timer)
    waiter.resolve(found)
  }

  return {
    join: (algorithm, keyId, fetches) => {
      if (waiters.size >= most) return undefined
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          const detail = `no fetch of the keys has ended within ${waitMs / 1000} s`
          answer(waiter, refuse('keys_unavailable', { detail }))
        }, waitMs)
        const waiter: Waiter = { algorithm, keyId, fetches, timer, resolve }
        waiters.add(waiter)
      })
    },
    fetched: (set, number) => {
      for (const waiter of waiters) {
        const { algorithm, keyId, fetches } = waiter
        const found = candidates(set.keys, algorithm, keyId)
        if (found.length > 0) answer(waiter, found)
        else if (fetches < number) {
          onAbsent(algorithm, keyId)
          answer(waiter, unknownKey(algorithm, keyId))
        }
      }
    },
    failed: (problem) => {
      for (const waiter of waiters) answer(waiter, refuse('keys_unavailable', { detail: problem }))
    },
    size: () => waiters.size,
  }
}
