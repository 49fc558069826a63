// Would this token get a successor, when, and until when does its session last?
import { refreshPolicyOf } from '../assembly/refresh.ts'
import type { RefreshConfig } from '../config/options.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { sessionEndSeconds, successor } from '../refresh/successor.ts'
import { distance, isoTime } from './describe-times.ts'

/** One sentence for the operator. */
export function describeRefresh(
  refresh: RefreshConfig | undefined,
  token: VerifiedToken | undefined,
  nowSeconds: number,
): string {
  if (refresh === undefined) return 'off: the settings have no "refresh"'
  if (token === undefined) return 'none: only an admitted token gets a successor'
  const policy = refreshPolicyOf(refresh)
  const sessionEnd = sessionEndSeconds(token, policy)
  const ends = `the session ends ${distance(sessionEnd - nowSeconds)} (${isoTime(sessionEnd)})`
  if (successor(token, policy) === undefined) return `none: ${ends}`
  const begins = token.claims.exp - policy.windowSeconds
  return `a successor is given ${begins <= nowSeconds ? 'now' : distance(begins - nowSeconds)}; ${ends}`
}
