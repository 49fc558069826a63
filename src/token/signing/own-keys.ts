// The gate's own keys: which of them signs at this moment, which verify, and what of them may anybody know? Every key
// verifies from the start, also before and after its time to sign: so a fleet changes keys without one refused token.
import type { KeyObject } from 'node:crypto'
import { algorithmsOf, KeyError, type KeySet, readPublicKey, type VerificationKey } from '../keys/key-set.ts'
import type { Signer } from './mint.ts'
import { type Active, signingAt } from './signing-times.ts'

/** One key of the gate; without a signer it verifies only. */
export interface OwnKey {
  readonly verification: KeySet
  readonly signer: Signer | undefined
  readonly active: Active
}

export interface OwnKeys {
  readonly verification: KeySet
  /** The algorithms of all keys, each once. */
  readonly algorithms: readonly string[]
  /** The key that signs at this time, in unix seconds. */
  signingAt(nowSeconds: number): Signer | undefined
  /** The public halves as a JWK Set (RFC 7517), as JSON; undefined where there are none. */
  readonly publicSet: string | undefined
}

/** Puts the keys together. Their key ids must differ: the settings have seen to that. */
export function createOwnKeys(keys: readonly OwnKey[]): OwnKeys {
  const verifying = keys
    .flatMap(({ verification }) => verification.keys)
    .map((key) => ({ ...key, isOwn: true as const }))
  const published = verifying.filter(({ key }) => key.type === 'public').map(publicJwk)
  return {
    verification: { keys: verifying, rejected: [] },
    algorithms: [...new Set(verifying.flatMap(({ algorithms }) => algorithms))],
    signingAt: (nowSeconds) => signingAt(keys, nowSeconds)?.signer,
    publicSet: published.length === 0 ? undefined : `${JSON.stringify({ keys: published })}\n`,
  }
}

/** A key with which the gate signs, from that time on. */
export function signingKey(signer: Signer, active: Active): OwnKey {
  return { verification: signer.verification, signer, active }
}

/** A key whose private half is gone. Throws `KeyError` where text, algorithm and key do not fit. */
export function retiredKey(text: string, algorithm: string, keyId: string): OwnKey {
  const [given] = readPublicKey(text).keys
  const possible = given === undefined ? 'it holds no key' : algorithmsOf(given.key)
  if (given === undefined || typeof possible === 'string') throw new KeyError(String(possible))
  if (!possible.includes(algorithm))
    throw new KeyError(`it cannot verify ${algorithm}; it can verify ${possible.join(', ')}`)
  const key = { ...given, keyId, name: keyId, algorithms: [algorithm], servesAnyKeyId: false }
  return { verification: { keys: [key], rejected: [] }, signer: undefined, active: false }
}

/** The members of a public key by name: whatever else a key may have, it is not given out. */
function publicJwk({ key, keyId, algorithms: [algorithm] }: VerificationKey): Record<string, unknown> {
  const { kty, crv, x, y, n, e } = exported(key)
  return { kty, crv, x, y, n, e, kid: keyId, alg: algorithm, use: 'sig' }
}

function exported(key: KeyObject): Record<string, unknown> {
  return { ...key.export({ format: 'jwk' }) }
}
