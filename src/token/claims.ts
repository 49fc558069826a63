// Do the claims of a token fit what its issuer's policy asks, time aside? Time is judged on every request, in gate.ts.
import type { Claims } from '../model/decision.ts'
import { isNameable } from '../model/nameable.ts'
import { type Refusal, refuse } from '../model/refusal.ts'
import { NAME_CLAIMS } from './plain-claims.ts'
import type { UnverifiedToken } from './read.ts'
import { otherPurpose, type TypePolicy } from './token-types.ts'

/** What one issuer's tokens must look like. */
export interface IssuerPolicy extends TypePolicy {
  /** `iss` must equal it exactly (RFC 8725 section 3.8). */
  readonly issuer: string
  /** At least one must be in `aud` (RFC 7519 section 4.1.3). */
  readonly audiences: readonly string[]
  /** JWS algorithms that its keys may be used with (RFC 8725 section 3.1). */
  readonly algorithms: readonly string[]
  readonly clockToleranceSeconds: number
  readonly requiredClaims: readonly string[]
  /** `exp - iat` may not be longer; a token without `iat` may not be valid for longer than that from now on. */
  readonly maxLifetimeSeconds: number
  /** What becomes of a token that is bound to a key (`cnf`, RFC 7800): refused unless its proof is seen, or taken without. */
  readonly confirmation: 'checked' | 'ignored'
}

/**
 * Answers why a payload cannot be read as claims: a registered member of the wrong type (RFC 7519 section 4.1), or no
 * `iss` or `exp`. Where it answers nothing, the payload is a `Claims`. It never answers the payload itself: a token may
 * have a claim named `reason`, and must not be taken for a refusal or the other way round.
 */
export function judgeClaimTypes(payload: Readonly<Record<string, unknown>>): Refusal | undefined {
  for (const name of NAME_CLAIMS) if (payload[name] !== undefined && !isName(payload[name])) return wrongType(name)
  // Not `auth_time`: ADFS writes a text there, and what asks for it reads it for itself.
  for (const name of ['exp', 'nbf', 'iat'])
    if (payload[name] !== undefined && !isNumericDate(payload[name])) return wrongType(name)
  if (payload.aud !== undefined && !isAudience(payload.aud)) return wrongType('aud')
  if (payload.iss === undefined) return refuse('issuer_unknown', { detail: 'the token has no "iss"' })
  if (payload.exp === undefined) return refuse('claim_missing', { detail: 'the token has no "exp"' })
  return undefined
}

/** Answers the refusal for claims that do not fit the policy, or nothing. `nowSeconds` only bounds a missing `iat`. */
export function judgeClaims(
  token: UnverifiedToken,
  claims: Claims,
  policy: IssuerPolicy,
  nowSeconds: number,
): Refusal | undefined {
  const issuer = policy.issuer
  const purpose = otherPurpose(token.header.typ, claims, policy)
  if (purpose !== undefined) return refuse('type_mismatch', { issuer, detail: purpose })
  if (!policy.audiences.some((audience) => hasAudience(claims, audience)))
    return refuse('audience_mismatch', { issuer, detail: `"aud" must hold one of: ${policy.audiences.join(', ')}` })
  for (const name of policy.requiredClaims)
    if (!isPresent(claims, name)) return refuse('claim_missing', { issuer, detail: `the token has no "${name}"` })
  if (policy.confirmation === 'checked' && claims.cnf !== undefined)
    return refuse('proof_missing', { issuer, detail: 'its "cnf" binds it to a key; see "issuers[].confirmation"' })
  const lifetimeSeconds = claims.exp - Math.min(claims.iat ?? nowSeconds, nowSeconds)
  if (lifetimeSeconds > policy.maxLifetimeSeconds)
    return refuse('lifetime_too_long', { issuer, detail: `it may live for ${policy.maxLifetimeSeconds} s` })
  return undefined
}

/** The scopes of a token: `scope` as RFC 8693 section 4.2 writes it, or the list `scp` that some providers send. */
export function scopesOf(claims: Claims): ReadonlySet<string> {
  const { scope, scp } = claims
  const scopes = new Set<string>()
  for (const given of [scope, scp]) {
    const words = typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : []
    for (const word of words) if (typeof word === 'string' && word !== '') scopes.add(word)
  }
  return scopes
}

function hasAudience(claims: Claims, audience: string): boolean {
  return typeof claims.aud === 'string' ? claims.aud === audience : (claims.aud?.includes(audience) ?? false)
}

function isPresent(claims: Claims, name: string): boolean {
  return Object.hasOwn(claims, name) && claims[name] !== null && claims[name] !== ''
}

/** An empty name names nothing, and counts as none. */
function isName(value: unknown): boolean {
  return value === '' || isNameable(value)
}

/** RFC 7519 section 2: seconds, possibly with a fraction. Beyond 2^53 the number is not what the issuer wrote. */
function isNumericDate(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}

function isAudience(value: unknown): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every((member) => typeof member === 'string'))
}

function wrongType(name: string): Refusal {
  return refuse('token_malformed', { detail: `"${name}" in its payload is not of the right type or form` })
}
