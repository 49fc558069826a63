// Was this ever a token of one of our issuers? For a caller that revokes it: its signature counts, its time and the policy of its
// issuer do not. Keys that left a set count here as well. What it answers admits no request.
import { isRefusal } from '../model/refusal.ts'
import { createFixedKeys, withOwnKeys } from './keys/keys.ts'
import { OWN_KEYS, type RetiredKeys } from './keys/retired-keys.ts'
import { readToken, type UnverifiedToken } from './read.ts'
import type { Issuer } from './verification-request.ts'
import { createTokenMemory } from './verified-cache.ts'
import { createVerifier, type Verified } from './verify.ts'

/** Answers the proof that the token was one of ours, or why not: `keys_unavailable` where the key set cannot be had. */
export async function verifyPast(text: string, issuers: readonly Issuer[], retired: RetiredKeys): Promise<Verified> {
  const token = readToken(text)
  if (isRefusal(token)) return token
  // Two questions: a provider that uses a key id again has its new key in the next fetch alone, and a retired key that fits the
  // token by its name must not stand in the way of that fetch. Retired keys come first, as they cost no fetch.
  const past = await verifyWith(
    issuers.map((issuer) => retiredOf(issuer, retired)),
    token,
  )
  return isRefusal(past) ? verifyWith(issuers, token) : past
}

async function verifyWith(issuers: readonly Issuer[], token: UnverifiedToken): Promise<Verified> {
  const { aud, exp } = token.payload
  const audiences = [aud].flat().filter((audience) => typeof audience === 'string')
  const any = { audiences, tokenTypes: undefined, requiredClaims: [], maxLifetimeSeconds: Number.POSITIVE_INFINITY }
  const verify = createVerifier({
    issuers: issuers.map((issuer): Issuer => ({ ...issuer, policy: { ...issuer.policy, ...any } })),
    memory: createTokenMemory({ maxEntries: 1, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => (Number(exp) - 1) * 1000,
    monotonic: () => 0,
    observe: () => {},
  })
  return verify(token.text)
}

/** The same issuer with its retired keys alone, none of which is ever fetched. */
function retiredOf({ policy, ownAlgorithms, successors }: Issuer, retired: RetiredKeys): Issuer {
  const own = { keys: retired.of(OWN_KEYS), rejected: [] }
  const algorithms = [...new Set(own.keys.flatMap((key) => key.algorithms))]
  const published = createFixedKeys({ keys: retired.of(policy.issuer), rejected: [] })
  // Without refresh, the gate's keys say nothing for this issuer.
  if (ownAlgorithms === undefined) return { policy, keys: published }
  return {
    policy,
    keys: withOwnKeys(own, published, policy.algorithms),
    ownAlgorithms: algorithms,
    successors: successors && { iss: successors.iss, keys: createFixedKeys(own), algorithms },
  }
}
