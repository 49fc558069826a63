// What does the next token of a session say? A pure function of the old token and the policy: no clock, no random
// number, no shared state. So any number of gates and parallel requests hand out the same successor, without a lock.
import { createHash } from 'node:crypto'
import type { VerifiedToken } from '../model/decision.ts'

/** When a token gets a successor, and how long that one and the whole session may live. */
export interface SuccessorPolicy {
  /** A token with less left than this gets a successor. */
  readonly windowSeconds: number
  readonly lifetimeSeconds: number
  /** Counted from `auth_time`, else from the first token's `iat`. */
  readonly maxSessionSeconds: number
}

export type SuccessorClaims = Readonly<Record<string, unknown>>

/** True once the token has less left than the window. */
export function isInWindow(token: VerifiedToken, policy: SuccessorPolicy, nowSeconds: number): boolean {
  return nowSeconds >= token.claims.exp - policy.windowSeconds
}

/**
 * Answers the claims of the token's successor, or `undefined` where the session has no time left: the successor would
 * end no later than the token itself.
 *
 * `iat'` is `exp - window`, `exp'` is `iat' + lifetime` but not after the session's end, `jti'` is derived from the
 * token's id, `sid` and `auth_time` are kept or begun, and everything else is copied: no right is added. With an
 * `issuer`, `iss` is that one, and `original_issuer` the issuer that vouches for the first token.
 */
export function successor(
  token: VerifiedToken,
  policy: SuccessorPolicy,
  issuer?: string | undefined,
): SuccessorClaims | undefined {
  const { claims } = token
  const issuedAt = claims.exp - policy.windowSeconds
  const expiresAt = Math.min(issuedAt + policy.lifetimeSeconds, sessionEndSeconds(token, policy))
  if (expiresAt <= claims.exp) return undefined
  return {
    ...claims,
    // Not the claim of the token: an identity provider may write there whatever it likes.
    ...(issuer === undefined ? {} : { iss: issuer, original_issuer: token.issuer }),
    iat: issuedAt,
    exp: expiresAt,
    jti: successorId(token.id),
    // No rule can name an empty one
    sid: claims.sid || token.id,
    auth_time: sessionStartSeconds(token, policy),
  }
}

/** The end of a session that this token belongs to, in unix seconds. */
export function sessionEndSeconds(token: VerifiedToken, policy: SuccessorPolicy): number {
  return sessionStartSeconds(token, policy) + policy.maxSessionSeconds
}

/** Nobody logs in after the end of the token: an `auth_time` in milliseconds would make a session without an end. */
function sessionStartSeconds({ claims }: VerifiedToken, policy: SuccessorPolicy): number {
  const { auth_time: loggedIn, iat = claims.exp - policy.windowSeconds, exp } = claims
  return typeof loggedIn === 'number' ? Math.min(loggedIn, exp) : iat
}

/** One way: who sees a successor cannot tell its predecessor's jti, and no two ids give the same one. */
function successorId(id: string): string {
  return createHash('sha256').update('sidegate successor\0').update(id, 'utf8').digest('base64url')
}
