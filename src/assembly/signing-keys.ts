// From the settings of the refresh to the keys that sign here, whether one is given or several.
import type { Config } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import type { RefresherParts } from '../refresh/own-key.ts'
import { isSameKey } from '../token/keys/key-name.ts'
import type { VerificationKey } from '../token/keys/key-set.ts'
import { createPrivateKeySigner, createSecretSigner } from '../token/signing/mint.ts'
import { type OwnKey, type OwnKeys, retiredKey, signingKey } from '../token/signing/own-keys.ts'
import type { Active } from '../token/signing/signing-times.ts'

/** One key of the settings, with the place where it is written and the kind of file that holds it. */
export interface SigningSetting {
  readonly at: string
  readonly kind: 'privateKeyFile' | 'publicKeyFile' | 'secretFile'
  readonly algorithm: string
  readonly keyId: string | undefined
  readonly active: Active
}

/** The keys of `refresh.keys`, or the one of `refresh.key`, which signs since ever. */
export function signingSettings({ refresh }: Config): readonly SigningSetting[] {
  if (refresh?.key !== undefined) {
    const { privateKeyFile, algorithm, keyId } = refresh.key
    const kind = privateKeyFile === undefined ? 'secretFile' : 'privateKeyFile'
    return [{ at: 'refresh.key', kind, algorithm, keyId, active: true }]
  }
  return (refresh?.keys ?? []).map(({ privateKeyFile, publicKeyFile, algorithm, keyId, active }, index) => {
    const kind = privateKeyFile ? 'privateKeyFile' : publicKeyFile ? 'publicKeyFile' : 'secretFile'
    return { at: `refresh.keys[${index}]`, kind, algorithm, keyId, active }
  })
}

/** Makes the key of what its file holds. Throws `KeyError` where it does not fit its settings. */
export function readOwnKey({ kind, algorithm, keyId, active }: SigningSetting, bytes: Buffer): OwnKey {
  if (kind === 'secretFile') return signingKey(createSecretSigner(bytes, algorithm, keyId), active)
  const text = bytes.toString('utf8')
  if (kind === 'publicKeyFile') return retiredKey(text, algorithm, keyId ?? '')
  return signingKey(createPrivateKeySigner(text, algorithm, keyId), active)
}

/** What the gate's keys have in common with those of an issuer, for the operator: nothing where they are as they should be. */
export function describeShared(own: OwnKeys, keys: readonly VerificationKey[]): readonly string[] {
  return own.verification.keys.flatMap((mine) => {
    const name = JSON.stringify(mine.name.slice(0, 64))
    if (keys.some(({ key }) => isSameKey(key, mine.key)))
      return [`The issuer signs with key ${name} of the refresh: its tokens and their successors cannot be told apart`]
    if (keys.some(({ keyId }) => keyId !== undefined && keyId === mine.keyId))
      return [`Key ${name} of the refresh has the key id of a key of the issuer: both are tried for each token with it`]
    return []
  })
}

/** Makes the function that signs with the key of the moment. Rejects where none has begun yet. */
export function signWith(keys: OwnKeys, clock: Clock): RefresherParts['sign'] {
  return async (claims, type) => {
    const signer = keys.signingAt(clock() / 1000)
    if (signer === undefined) throw new Error('Cannot sign: no key is active yet')
    return signer.sign(claims, type)
  }
}
