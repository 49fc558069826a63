// Public keys that left the set of an issuer: kept for as long as a session lasts, so that a token of theirs can still be revoked
// and its session with it. They must never verify a token that is to be admitted.
import type { Clock } from '../../model/clock.ts'
import type { VerificationKey } from './key-set.ts'

/** Instead of an issuer: the keys of the gate, which sign for each issuer that is refreshed. */
export const OWN_KEYS = ''

/** A provider that changes its keys with each fetch must not fill the memory. */
const MOST_PER_ISSUER = 100

export interface RetiredKeys {
  /** Notes the keys that an issuer has now: those of before that are missing have left. */
  note(issuer: string, keys: readonly VerificationKey[]): void
  /** The keys that left the issuer's set, the newest first. */
  of(issuer: string): readonly VerificationKey[]
}

interface Retired {
  readonly key: VerificationKey
  readonly sinceMs: number
}

/** Makes the memory; `keepMs` may change with the settings. */
export function createRetiredKeys(clock: Clock, keepMs: () => number): RetiredKeys {
  const present = new Map<string, readonly VerificationKey[]>()
  const gone = new Map<string, readonly Retired[]>()

  return {
    note: (issuer, keys) => {
      const nowMs = clock()
      const isThere = (old: VerificationKey) =>
        keys.some(({ keyId, key }) => keyId === old.keyId && key.equals(old.key))
      const left = (present.get(issuer) ?? []).filter((key) => key.key.type === 'public' && !isThere(key))
      const before = (gone.get(issuer) ?? []).filter(({ key, sinceMs }) => nowMs - sinceMs <= keepMs() && !isThere(key))
      gone.set(issuer, [...left.map((key) => ({ key, sinceMs: nowMs })), ...before].slice(0, MOST_PER_ISSUER))
      present.set(issuer, keys)
    },
    of: (issuer) => {
      const nowMs = clock()
      return (gone.get(issuer) ?? []).filter(({ sinceMs }) => nowMs - sinceMs <= keepMs()).map(({ key }) => key)
    },
  }
}
