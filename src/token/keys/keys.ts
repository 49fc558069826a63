// Where do an issuer's keys come from? One interface for keys that are at hand (files) and keys that are fetched.
import { type Refusal, refuse } from '../../model/refusal.ts'
import { candidates, type KeySet, MAXIMUM_CANDIDATES, type VerificationKey } from './key-set.ts'

export type FoundKeys = readonly VerificationKey[] | Refusal

/** An issuer's keys. `find` answers at once where it can. */
export interface KeySource {
  /**
   * The keys to try for this algorithm and `kid`: never an empty list. Answers `key_unknown` where the set has none,
   * and `keys_unavailable` where the set cannot be had: an outage is not the client's fault.
   */
  find(algorithm: string, keyId: string | undefined): FoundKeys | Promise<FoundKeys>
  /** The issuer's keys at hand, possibly none. Asks nobody. */
  keys(): readonly VerificationKey[]
  /**
   * Grows whenever a key was taken away or changed: what was verified before no longer counts. `OUT_OF_DATE` while the
   * keys are older than they may be. `nowMs` is of the monotonic clock; it is asked on every request, so it comes in.
   */
  generation(nowMs: number): number
  /** Told of a signature that none of the keys made: the issuer may have changed a key that has no name, or kept its name. */
  doubt(): void
  /** Grows with every change, an added key too: what was not verified before may be verified now. */
  revision(): number
  /** Nothing where keys are at hand, else what is missing. */
  missing(): string | undefined
  /** How many keys can be used. */
  size(): number
  start(): void
  stop(): void
}

/** The generation of keys that are past their bound: nothing that they verified counts until they were fetched again. */
export const OUT_OF_DATE = -1

/** Keys that do not change while they are in use: from files, read by the caller. */
export function createFixedKeys(set: KeySet): KeySource {
  return {
    find: (algorithm, keyId) => choose(set, algorithm, keyId),
    keys: () => set.keys,
    generation: () => 0,
    doubt: () => {},
    revision: () => 0,
    missing: () => (set.keys.length === 0 ? 'the key set holds no usable key' : undefined),
    size: () => set.keys.length,
    start: () => {},
    stop: () => {},
  }
}

/**
 * An issuer's keys with keys of the gate's own before them: what the gate signs as a successor must be admitted by
 * every gate, though the issuer never published that key. `algorithms` are those of the issuer's own keys.
 */
export function withOwnKeys(own: KeySet, source: KeySource, algorithms: readonly string[]): KeySource {
  return {
    ...source,
    find: (algorithm, keyId) => {
      const fitting = keyId === undefined ? [] : own.keys.filter((key) => isOwn(key, algorithm, keyId))
      if (fitting.length > 0) {
        if (!algorithms.includes(algorithm)) return fitting
        // The issuer may have a key of the same name. Of what is at hand: a successor must not wait for the issuer.
        const others = candidates(source.keys(), algorithm, keyId)
        return others.length === 0 ? fitting : [...fitting, ...others].slice(0, MAXIMUM_CANDIDATES)
      }
      // The algorithm of our own key must not open the issuer's keys to it (RFC 8725 section 3.1).
      if (!algorithms.includes(algorithm))
        return refuse('algorithm_not_allowed', { detail: 'it is allowed to our own keys alone' })
      return source.find(algorithm, keyId)
    },
    size: () => source.size() + own.keys.length,
  }
}

/** Answers the fitting keys of a set, or `key_unknown`. */
function choose(set: KeySet, algorithm: string, keyId: string | undefined): FoundKeys {
  const found = candidates(set.keys, algorithm, keyId)
  return found.length > 0 ? found : unknownKey(algorithm, keyId)
}

/** The refusal of a token whose key is not in the set. */
export function unknownKey(algorithm: string, keyId: string | undefined): Refusal {
  return refuse('key_unknown', { detail: describeKey(algorithm, keyId) })
}

function isOwn(key: VerificationKey, algorithm: string, keyId: string): boolean {
  return key.keyId === keyId && key.algorithms.includes(algorithm)
}

function describeKey(algorithm: string, keyId: string | undefined): string {
  const name = keyId === undefined ? 'without "kid"' : `with "kid" ${JSON.stringify(keyId.slice(0, 64))}`
  return `there is no key ${name} for ${algorithm}`
}
