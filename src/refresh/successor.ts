// What does the next token of a session say? A pure function of the old token and the policy: no clock, no random
// number, no shared state. So any number of gates and parallel requests hand out the same successor, without a lock.
import { createHash } from 'node:crypto'
import type { VerifiedToken } from '../model/decision.ts'

/** When a token gets a successor, and how long that one and the whole session may live. */
export interface SuccessorPolicy {
  /** A token with less left than this gets a successor. */
  readonly windowSeconds: number
  readonly lifetimeSeconds: number
  /** Counted from the first token's `auth_time`, else from its `iat`. */
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
 * `iat'` is `exp - window` but not before the token's `iat`, `exp'` is `iat' + lifetime` but not after the session's end,
 * `jti'` is derived from the token's id, `sid` is kept or begun, `session_start` and `original_key_id` say when the session
 * began and which key verified its first token, and everything else is copied: no right is added. With an `issuer`, `iss`
 * is that one, and `original_issuer` the issuer that vouches for the first token.
 */
export function successor(
  token: VerifiedToken,
  policy: SuccessorPolicy,
  issuer?: string | undefined,
): SuccessorClaims | undefined {
  // What an identity provider writes under these two names is not ours, and never crosses.
  const { session_start: _start, original_key_id: _key, auth_time: _authenticated, ...claims } = token.claims
  const windowStart = claims.exp - policy.windowSeconds
  // A rule against tokens issued before a new log-in must not reach the successors of what that log-in gave.
  const issuedAt = Math.max(claims.iat ?? windowStart, windowStart)
  const expiresAt = Math.min(issuedAt + policy.lifetimeSeconds, sessionEndSeconds(token, policy))
  if (expiresAt <= claims.exp) return undefined
  const authenticatedAt = authenticationTime(token)
  const originalKeyId = token.isSuccessor ? token.originalKeyId : token.keyId
  return {
    ...claims,
    // Not the claim of the token: an identity provider may write there whatever it likes.
    ...(issuer === undefined ? {} : { iss: issuer, original_issuer: token.issuer }),
    iat: issuedAt,
    exp: expiresAt,
    jti: successorId(token.id),
    // No rule can name an empty one
    sid: claims.sid || token.id,
    session_start: sessionStartSeconds(token, policy),
    ...(authenticatedAt === undefined ? {} : { auth_time: authenticatedAt }),
    ...(originalKeyId === undefined ? {} : { original_key_id: originalKeyId }),
  }
}

/** The end of a session that this token belongs to, in unix seconds. */
export function sessionEndSeconds(token: VerifiedToken, policy: SuccessorPolicy): number {
  return sessionStartSeconds(token, policy) + policy.maxSessionSeconds
}

function sessionStartSeconds(token: VerifiedToken, policy: SuccessorPolicy): number {
  const { session_start: begun, auth_time: loggedIn, exp, iat = exp - policy.windowSeconds } = token.claims
  return (token.isSuccessor ? timeUntil(exp, begun) : undefined) ?? timeUntil(exp, loggedIn) ?? iat
}

/**
 * The `auth_time` of the identity provider as it came, unreadable or not. A gate of 7d4b85d wrote one where there was none:
 * a successor without `session_start` is its work, and so is an `auth_time` after the start of the session. Neither may pass
 * for a time at which somebody authenticated.
 */
function authenticationTime({ claims, isSuccessor }: VerifiedToken): unknown {
  const { auth_time: loggedIn, session_start: begun, exp } = claims
  if (!isSuccessor) return loggedIn
  const start = timeUntil(exp, begun)
  if (start === undefined) return undefined
  return typeof loggedIn === 'number' && loggedIn > start ? undefined : loggedIn
}

/**
 * A time at which a session can have begun. Nobody logs in after the end of the token: an `auth_time` in milliseconds would
 * make a session without an end. Zero, texts (ADFS writes ISO 8601) and the like say nothing.
 */
export function timeUntil(exp: number, time: unknown): number | undefined {
  return typeof time === 'number' && time > 0 && time <= exp ? time : undefined
}

/** One way: who sees a successor cannot tell its predecessor's jti, and no two ids give the same one. */
function successorId(id: string): string {
  return createHash('sha256').update('sidegate successor\0').update(id, 'utf8').digest('base64url')
}
