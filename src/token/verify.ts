// Is this really a token of one of our issuers? The only place that makes a VerifiedToken. A token seen before is
// answered at once; a first sight goes from the cheap questions to the costly one: form, algorithm, issuer, claims,
// time, key, signature. jose verifies the signature and nothing else of it is asked: claims are judged in claims.ts, and time on
// every request in gate.ts, because a remembered token grows older.

import { createHash } from 'node:crypto'
import { textIn } from '../model/claim-text.ts'
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import { scopesOf } from './claims.ts'
import type { VerificationKey } from './keys/key-set.ts'
import type { FoundKeys } from './keys/keys.ts'
import { readToken } from './read.ts'
import { createRefusedTokens, type RefusedTokens } from './refused-cache.ts'
import { verifyingKey } from './signature.ts'
import { unlimitedBudget, type VerificationBudget, verificationCost } from './signature-budget.ts'
import { createFlights } from './single-flight.ts'
import { type Issuer, prepare, type Question } from './verification-request.ts'
import type { TokenMemory } from './verified-cache.ts'

export type { Issuer } from './verification-request.ts'

export interface VerifierParts {
  readonly issuers: readonly Issuer[]
  readonly memory: TokenMemory
  /** Tokens with a wrong signature; a small memory of its own by default. */
  readonly refused?: RefusedTokens
  /** What first sights may cost; without bounds by default. */
  readonly budget?: VerificationBudget
  readonly clock: Clock
  /** Called once per verification of a signature or recollection of one. */
  readonly observe: (algorithm: string, remembered: boolean, durationMs: number) => void
  /** A monotonic clock in milliseconds, for the measurement. */
  readonly monotonic: Clock
}

export type Verified = VerifiedToken | Refusal

/** Answers the proof that a token is one of ours, or why it is not. A promise only at first sight. */
export type Verify = (text: string) => Verified | Promise<Verified>

/** Makes the verifier. Answers `overloaded` where a first sight does not fit into the budget. */
export function createVerifier(parts: VerifierParts): Verify {
  const judge = createFirstSight(parts)

  return (text) => {
    const startedMs = parts.monotonic()
    const remembered = parts.memory.recall(text, startedMs)
    if (remembered === undefined) return judge(text, startedMs)
    if (isExpired(remembered, parts.clock() / 1000)) {
      parts.memory.forget(text)
      return refuse('token_expired', { issuer: remembered.issuer })
    }
    parts.observe(remembered.algorithm, true, parts.monotonic() - startedMs)
    return remembered
  }
}

/** Makes the function that judges tokens which are not remembered as good. */
function createFirstSight(parts: VerifierParts): (text: string, startedMs: number) => Verified | Promise<Verified> {
  const { clock, monotonic, observe } = parts
  const issuers = new Map(parts.issuers.map((issuer) => [issuer.policy.issuer, issuer]))
  const proof = { ...parts, refused: parts.refused ?? createRefusedTokens(), budget: parts.budget ?? unlimitedBudget }
  const flights = createFlights<Verified>()

  return (text, startedMs) => {
    const nowSeconds = clock() / 1000
    const known = proof.refused.recall(text, nowSeconds)
    if (known !== undefined) {
      observe(known.algorithm, true, monotonic() - startedMs)
      return known.refusal
    }
    const underWay = flights.join(text)
    if (underWay !== undefined) return underWay
    const unverified = readToken(text)
    if (isRefusal(unverified)) return unverified
    const question = prepare(unverified, issuers, nowSeconds)
    if (isRefusal(question)) return question
    const { header } = unverified
    const { keys } = question.issuer
    const found = keys.find(header.alg, header.kid)
    const answer =
      found instanceof Promise
        ? found.then((fetched) => proveWithin(fetched, question, proof, startedMs))
        : proveWithin(found, question, proof, startedMs)
    return answer instanceof Promise ? flights.begin(text, keys, answer) : answer
  }
}

/** What a proof needs from outside. */
type ProofParts = VerifierParts & Required<Pick<VerifierParts, 'refused' | 'budget'>>

/** The proof, if there are keys to make it with and the budget has room for it. */
function proveWithin(
  keys: FoundKeys,
  question: Question,
  parts: ProofParts,
  startedMs: number,
): Verified | Promise<Verified> {
  const { token, issuer } = question
  if (isRefusal(keys)) return { ...keys, issuer: issuer.policy.issuer }
  // Before any wait: keys that change meanwhile must not be taken for the ones that verified it, or did not.
  const generation = issuer.keys.generation(startedMs)
  const revision = issuer.keys.revision()
  const proving = parts.budget.run(verificationCost(token.header.alg, keys), async (): Promise<Verified> => {
    const key = await verifyingKey(token, keys)
    parts.observe(token.header.alg, false, parts.monotonic() - startedMs)
    if (key === undefined) return refuseSignature(question, parts.refused, revision)
    const verified = toVerifiedToken(question, key)
    parts.memory.remember(token.text, { token: verified, keys: issuer.keys, generation })
    return verified
  })
  return (
    proving ?? refuse('overloaded', { issuer: issuer.policy.issuer, detail: 'too many tokens seen for the first time' })
  )
}

function refuseSignature({ token, issuer, claims }: Question, refused: RefusedTokens, revision: number): Refusal {
  const { policy, keys } = issuer
  // Only keys of our own were at hand, or those of a moment ago: the issuer's key of that name was not tried.
  const untried = keys.missing() ?? (keys.revision() === revision ? undefined : 'the keys changed meanwhile')
  if (untried !== undefined) return refuse('keys_unavailable', { issuer: policy.issuer, detail: untried })
  keys.doubt()
  const refusal = refuse('signature_invalid', { issuer: policy.issuer })
  const expiredFromSeconds = claims.exp + policy.clockToleranceSeconds
  refused.remember(token.text, { refusal, algorithm: token.header.alg, expiredFromSeconds, keys, revision })
  return refusal
}

function toVerifiedToken({ token, issuer: { policy }, claims }: Question, key: VerificationKey): VerifiedToken {
  const { header } = token
  return {
    claims,
    issuer: policy.issuer,
    algorithm: header.alg,
    type: header.typ,
    // Of the key, not of the header: who signs with a stolen key would leave out the kid that a rule names.
    keyId: key.name,
    namedKeyId: header.kid,
    isSuccessor: key.isOwn === true,
    // An identity provider may write there whatever it likes.
    originalKeyId: key.isOwn === true ? textIn(claims.original_key_id) : undefined,
    // An empty jti names nothing, so it counts as none.
    id: claims.jti || signedPartId(token.signedPart),
    refusedFromSeconds: claims.exp + policy.clockToleranceSeconds,
    refusedBeforeSeconds: Math.max(claims.nbf ?? 0, claims.iat ?? 0) - policy.clockToleranceSeconds,
    scopes: scopesOf(claims),
  } as VerifiedToken
}

/** Names a token without a jti. Of the signed part alone: a signature can be spelled in several ways. */
function signedPartId(signedPart: string): string {
  return `sha256:${createHash('sha256').update(signedPart, 'latin1').digest('base64url')}`
}

function isExpired(token: VerifiedToken, nowSeconds: number): boolean {
  return nowSeconds >= token.refusedFromSeconds
}
