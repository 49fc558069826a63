// Was this ever a token of one of our issuers? For who revokes it: its signature counts, its time and the policy of its issuer do
// not. Keys that left a set count here as well. What it answers admits nobody.

import { isRefusal } from '../model/refusal.ts'
import type { RetiredKeys } from './keys/retired-keys.ts'
import { readToken } from './read.ts'
import type { Issuer } from './verification-request.ts'
import { createTokenMemory } from './verified-cache.ts'
import { createVerifier, type Verified } from './verify.ts'

/** Answers the proof that the token was one of ours, or why not: `keys_unavailable` where nobody can tell. */
export async function verifyPast(text: string, issuers: readonly Issuer[], retired: RetiredKeys): Promise<Verified> {
  const token = readToken(text)
  if (isRefusal(token)) return token
  const { aud, exp } = token.payload
  const audiences = [aud].flat().filter((audience) => typeof audience === 'string')
  const wide = issuers.map((issuer): Issuer => {
    const { policy, keys, successors } = issuer
    const any = { audiences, tokenTypes: undefined, requiredClaims: [], maxLifetimeSeconds: Number.POSITIVE_INFINITY }
    return {
      ...issuer,
      policy: { ...policy, ...any },
      keys: retired.beside(keys, policy.issuer),
      successors: successors && { ...successors, keys: retired.beside(successors.keys, policy.issuer) },
    }
  })
  const verify = createVerifier({
    issuers: wide,
    memory: createTokenMemory({ maxEntries: 1, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => (Number(exp) - 1) * 1000,
    monotonic: () => 0,
    observe: () => {},
  })
  return verify(text)
}
