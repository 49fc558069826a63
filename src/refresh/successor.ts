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
 * token's id, `sid` and `auth_time` are kept or begun, and everything else is copied: no right is added.
 */
export function successor(token: VerifiedToken, policy: SuccessorPolicy): SuccessorClaims | undefined {
  const { claims } = token
  const issuedAt = claims.exp - policy.windowSeconds
  const sessionStart = typeof claims.auth_time === 'number' ? claims.auth_time : (claims.iat ?? issuedAt)
  const expiresAt = Math.min(issuedAt + policy.lifetimeSeconds, sessionStart + policy.maxSessionSeconds)
  if (expiresAt <= claims.exp) return undefined
  return {
    ...claims,
    iat: issuedAt,
    exp: expiresAt,
    jti: successorId(token.id),
    sid: claims.sid ?? token.id,
    auth_time: sessionStart,
  }
}

/** The end of a session that this token belongs to, in unix seconds. */
export function sessionEndSeconds(token: VerifiedToken, policy: SuccessorPolicy): number {
  const { claims } = token
  const start = claims.auth_time
  return (
    (typeof start === 'number' ? start : (claims.iat ?? claims.exp - policy.windowSeconds)) + policy.maxSessionSeconds
  )
}

/** One way: who sees a successor cannot tell its predecessor's jti, and no two ids give the same one. */
function successorId(id: string): string {
  return createHash('sha256').update('sidegate successor\0').update(id, 'utf8').digest('base64url')
}
