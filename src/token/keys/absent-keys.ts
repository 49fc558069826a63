// Which key ids did a fetch just not find? Tokens with them are refused at once for a while, so that one invented key id
// does not cost a fetch each time it comes. Strangers choose these names: their number and their length are bounded.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../model/clock.ts'

const MOST = 4_096
const LONGEST = 64

export interface AbsentKeys {
  has(algorithm: string, keyId: string | undefined): boolean
  add(algorithm: string, keyId: string | undefined): void
}

/** Makes a memory in which each name stays for `forMs`; the longest unused leave first where there are too many. */
export function createAbsentKeys(forMs: number, monotonic: Clock): AbsentKeys {
  const untilMs = new LRUCache<string, number>({ max: MOST })
  return {
    has: (algorithm, keyId) => {
      const name = nameOf(algorithm, keyId)
      const until = untilMs.get(name)
      if (until === undefined) return false
      if (monotonic() < until) return true
      untilMs.delete(name)
      return false
    },
    add: (algorithm, keyId) => {
      untilMs.set(nameOf(algorithm, keyId), monotonic() + forMs)
    },
  }
}

function nameOf(algorithm: string, keyId: string | undefined): string {
  if (keyId === undefined) return algorithm
  // Joined into a text of its own: a slice would keep the whole token in memory.
  return `${algorithm} ${keyId.length <= LONGEST ? keyId : createHash('sha256').update(keyId).digest('base64url')}`
}
