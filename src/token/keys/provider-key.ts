// Does the identity provider still publish the key that the first token of a session was signed with? Asked only where the settings
// end successors with that key. It must never refuse for keys that are not at hand.
import type { VerifiedToken } from '../../model/decision.ts'
import { isRefusal, type Refusal, refuse } from '../../model/refusal.ts'
import type { Issuer, Verified, Verify } from '../verify.ts'

/** The names of the keys that an issuer publishes, as of one revision of its set. */
interface PublishedNames {
  readonly revision: number
  readonly names: ReadonlySet<string>
}

/**
 * The same verifier, which answers `key_unknown` for a successor whose first token was signed with a key that its issuer no
 * longer publishes. A successor that does not name that key is left to revocation, as an older gate signed it.
 */
export function endingWithProviderKey(verify: Verify, issuers: readonly Issuer[]): Verify {
  const sources = new Map(issuers.map(({ policy, keys }) => [policy.issuer, keys]))
  const published = new Map<string, PublishedNames>()

  function namesOf(issuer: string): ReadonlySet<string> | undefined {
    const source = sources.get(issuer)
    if (source === undefined || source.missing() !== undefined) return undefined
    const revision = source.revision()
    const known = published.get(issuer)
    if (known?.revision === revision) return known.names
    const names = new Set(source.keys().flatMap((key) => (key.isOwn === true ? [] : [key.name])))
    published.set(issuer, { revision, names })
    return names
  }

  function judge(token: Verified): Verified {
    return isRefusal(token) ? token : (endOf(token) ?? token)
  }

  function endOf({ isSuccessor, originalKeyId, issuer, id }: VerifiedToken): Refusal | undefined {
    if (!isSuccessor || originalKeyId === undefined) return undefined
    const names = namesOf(issuer)
    if (names === undefined || names.has(originalKeyId)) return undefined
    return refuse('key_unknown', { issuer, tokenId: id, detail: 'the key of its first token is no longer published' })
  }

  return (text) => {
    const verified = verify(text)
    return verified instanceof Promise ? verified.then(judge) : judge(verified)
  }
}
