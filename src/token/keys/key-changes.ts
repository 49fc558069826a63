// What is different between two sets of one issuer? It decides which verifications are forgotten: those of a key that is
// gone, and no others.
import { isSameKey } from './key-name.ts'
import type { KeySet, VerificationKey } from './key-set.ts'

/** True where a key of the old set is not in the new one as it was: tokens verified with it must be verified again. */
export function hasLostKeys(before: KeySet, after: KeySet): boolean {
  return before.keys.some((old) => !after.keys.some((key) => serves(key, old)))
}

/** True where the same keys are tried for every token, and in the same order. */
export function isSameSet(before: KeySet, after: KeySet): boolean {
  return (
    before.keys.length === after.keys.length &&
    before.keys.every((old, index) => {
      const key = after.keys[index]
      return key !== undefined && serves(key, old) && serves(old, key)
    })
  )
}

/** True where everything that the old key verified is verified by this one. */
function serves(key: VerificationKey, old: VerificationKey): boolean {
  return (
    key.keyId === old.keyId &&
    isSameKey(key.key, old.key) &&
    old.algorithms.every((algorithm) => key.algorithms.includes(algorithm))
  )
}
