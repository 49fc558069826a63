// Does a token fit the policy of its issuer, before its signature is looked at? Everything here costs microseconds, a
// signature a hundred of them and more. It believes nothing: what it answers is a question, not a verified token.
import type { Claims } from '../model/decision.ts'
import { type Refusal, refuse } from '../model/refusal.ts'
import { type IssuerPolicy, judgeClaims, judgeClaimTypes } from './claims.ts'
import type { KeySource } from './keys/keys.ts'
import type { UnverifiedToken } from './read.ts'

/** The signature algorithms that exist for us (RFC 7518, RFC 8037, RFC 9864). `none` is not one of them. */
const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set([
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'HS384', 'HS512'],
])

/** An issuer that is trusted: what its tokens must look like, and the keys that it signs with. */
export interface Issuer {
  readonly policy: IssuerPolicy
  readonly keys: KeySource
  /** Algorithms of the gate's own keys, besides those of the policy: successors are signed with them. */
  readonly ownAlgorithms?: readonly string[] | undefined
  /** Where successors carry an `iss` of their own. */
  readonly successors?: SuccessorTrust | undefined
}

/** What vouches for successors that name the gate's issuer in `iss` and this one in `original_issuer`. */
export interface SuccessorTrust {
  readonly iss: string
  /** The gate's own keys and no others: the identity provider cannot sign such a token. */
  readonly keys: KeySource
  readonly algorithms: readonly string[]
}

/** A token that fits its issuer's policy, its signature not yet verified. */
export interface Question {
  readonly token: UnverifiedToken
  readonly issuer: Issuer
  readonly claims: Claims
}

/**
 * Judges everything but the signature: algorithm, issuer, claims and time, in this order. `token_expired` is answered
 * before the signature is known, so that old tokens cost nothing.
 */
export function prepare(
  token: UnverifiedToken,
  issuers: ReadonlyMap<string, Issuer>,
  nowSeconds: number,
): Question | Refusal {
  const { alg } = token.header
  if (!SIGNATURE_ALGORITHMS.has(alg)) return refuse('algorithm_not_allowed', { detail: 'its "alg" is not a signature' })
  const issuer = issuerOf(token.payload, issuers)
  const mistyped = judgeClaimTypes(token.payload)
  if (mistyped !== undefined) return issuer === undefined ? mistyped : { ...mistyped, issuer: issuer.policy.issuer }
  const claims = token.payload as Claims
  if (issuer === undefined) return refuse('issuer_unknown', { detail: 'its "iss" is none of the configured issuers' })
  const { policy } = issuer
  if (!policy.algorithms.includes(alg) && !issuer.ownAlgorithms?.includes(alg)) {
    const detail = `this issuer signs with one of: ${policy.algorithms.join(', ')}`
    return refuse('algorithm_not_allowed', { issuer: policy.issuer, detail })
  }
  const problem = judgeClaims(token, claims, policy, nowSeconds)
  if (problem !== undefined) return problem
  if (nowSeconds >= claims.exp + policy.clockToleranceSeconds)
    return refuse('token_expired', { issuer: policy.issuer, detail: 'judged before its signature' })
  return { token, issuer, claims }
}

/**
 * The issuer whose policy judges a token: the one in `iss`, or for a successor with an `iss` of its own, the one in
 * `original_issuer`. A configured issuer is never taken for another one, whatever its tokens say about their origin.
 */
function issuerOf(
  { iss, original_issuer: original }: UnverifiedToken['payload'],
  issuers: ReadonlyMap<string, Issuer>,
): Issuer | undefined {
  const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined
  if (issuer !== undefined) return issuer
  const first = typeof original === 'string' ? issuers.get(original) : undefined
  if (first?.successors === undefined || first.successors.iss !== iss) return undefined
  const { keys, algorithms } = first.successors
  return { policy: { ...first.policy, algorithms }, keys }
}
