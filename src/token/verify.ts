// Is this really a token of one of our issuers? The only place that makes a VerifiedToken. A token seen before is
// answered at once; a first sight goes from the cheap questions to the costly one: form, algorithm, issuer, claims,
// time, key, signature. jose verifies the signature and nothing else of it is asked: claims are judged in claims.ts, and time on
// every request in gate.ts, because a remembered token grows older.
import { createHash } from 'node:crypto'
import type { Clock } from '../model/clock.ts'
import type { Claims, VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import { type IssuerPolicy, judgeClaims, judgeClaimTypes, scopesOf } from './claims.ts'
import type { FoundKeys, KeySource } from './keys.ts'
import type { TokenMemory } from './memory.ts'
import { readToken, type UnverifiedToken } from './read.ts'
import { hasValidSignature } from './signature.ts'

/** The signature algorithms that exist for us (RFC 7518, RFC 8037). `none` is not one of them. */
const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set([
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'HS256', 'HS384', 'HS512'],
])

/** An issuer that is trusted: what its tokens must look like, and the keys that it signs with. */
export interface Issuer {
  readonly policy: IssuerPolicy
  readonly keys: KeySource
  /** Algorithms of the gate's own key, besides those of the policy: successors are signed with it. */
  readonly ownAlgorithm?: string | undefined
}

export interface VerifierParts {
  readonly issuers: readonly Issuer[]
  readonly memory: TokenMemory
  readonly clock: Clock
  /** Called once per verification of a signature or recollection of one. */
  readonly observe: (algorithm: string, remembered: boolean, durationMs: number) => void
  /** A monotonic clock in milliseconds, for the measurement. */
  readonly monotonic: Clock
}

export type Verified = VerifiedToken | Refusal

/** Answers the proof that a token is one of ours, or why it is not. A promise only at first sight. */
export type Verify = (text: string) => Verified | Promise<Verified>

export function createVerifier(parts: VerifierParts): Verify {
  const issuers = new Map(parts.issuers.map((issuer) => [issuer.policy.issuer, issuer]))

  return (text) => {
    const startedMs = parts.monotonic()
    const remembered = parts.memory.recall(text)
    if (remembered !== undefined) {
      if (isExpired(remembered, parts.clock() / 1000)) {
        parts.memory.forget(text)
        return refuse('token_expired', { issuer: remembered.issuer })
      }
      parts.observe(remembered.algorithm, true, parts.monotonic() - startedMs)
      return remembered
    }
    const unverified = readToken(text)
    if (isRefusal(unverified)) return unverified
    const question = prepare(unverified, issuers, parts.clock() / 1000)
    if (isRefusal(question)) return question
    const { header } = unverified
    const keys = question.issuer.keys.find(header.alg, header.kid)
    return keys instanceof Promise
      ? keys.then((found) => proveWith(found, unverified, question, parts, startedMs))
      : proveWith(keys, unverified, question, parts, startedMs)
  }
}

/** A token that fits its issuer's policy, its signature not yet verified. */
interface Question {
  readonly issuer: Issuer
  readonly claims: Claims
}

/** Everything that costs microseconds, before the signature that costs a hundred of them. */
function prepare(token: UnverifiedToken, issuers: ReadonlyMap<string, Issuer>, nowSeconds: number): Question | Refusal {
  const { alg } = token.header
  if (!SIGNATURE_ALGORITHMS.has(alg)) return refuse('algorithm_not_allowed', { detail: 'its "alg" is not a signature' })
  const { iss } = token.payload
  const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined
  const mistyped = judgeClaimTypes(token.payload)
  if (mistyped !== undefined) return issuer === undefined ? mistyped : { ...mistyped, issuer: issuer.policy.issuer }
  const claims = token.payload as Claims
  if (issuer === undefined) return refuse('issuer_unknown', { detail: 'its "iss" is none of the configured issuers' })
  const { policy } = issuer
  if (!policy.algorithms.includes(alg) && issuer.ownAlgorithm !== alg) {
    const detail = `this issuer signs with one of: ${policy.algorithms.join(', ')}`
    return refuse('algorithm_not_allowed', { issuer: policy.issuer, detail })
  }
  const problem = judgeClaims(token, claims, policy, nowSeconds)
  if (problem !== undefined) return problem
  if (nowSeconds >= claims.exp + policy.clockToleranceSeconds)
    return refuse('token_expired', { issuer: policy.issuer, detail: 'judged before its signature' })
  return { issuer, claims }
}

async function proveWith(
  keys: FoundKeys,
  unverified: UnverifiedToken,
  { issuer, claims }: Question,
  parts: VerifierParts,
  startedMs: number,
): Promise<Verified> {
  if (isRefusal(keys)) return { ...keys, issuer: issuer.policy.issuer }
  // Before the await: keys that change meanwhile must not be taken for the ones that verified it.
  const generation = issuer.keys.generation()
  const isProven = await hasValidSignature(unverified, keys)
  parts.observe(unverified.header.alg, false, parts.monotonic() - startedMs)
  if (!isProven) return refuse('signature_invalid', { issuer: issuer.policy.issuer })
  const token = toVerifiedToken(unverified, claims, issuer.policy)
  parts.memory.remember(unverified.text, { token, keys: issuer.keys, generation })
  return token
}

function toVerifiedToken(unverified: UnverifiedToken, claims: Claims, policy: IssuerPolicy): VerifiedToken {
  const { header } = unverified
  return {
    claims,
    issuer: policy.issuer,
    algorithm: header.alg,
    type: header.typ,
    keyId: header.kid,
    // An empty jti names nothing, so it counts as none.
    id: claims.jti || signedPartId(unverified.signedPart),
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
