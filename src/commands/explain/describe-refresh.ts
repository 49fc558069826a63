// Would this token get a successor, when, and if not, why? And until when does its session last? It signs one where its
// size has to be known, and never shows it; it asks no identity provider.

import { refreshPolicyOf } from '../../assembly/refresh.ts'
import { signWith } from '../../assembly/signing-keys.ts'
import type { Config, RefreshConfig } from '../../config/options.ts'
import type { Decision, VerifiedToken } from '../../model/decision.ts'
import { isRefusal } from '../../model/refusal.ts'
import { isCopyable } from '../../refresh/own-key.ts'
import { type SuccessorPolicy, sessionEndSeconds, successor } from '../../refresh/successor.ts'
import type { OwnKeys } from '../../token/signing/own-keys.ts'
import { distance, isoTime } from '../token/describe-times.ts'

export interface ExplainedRefresh {
  /** One sentence for people. */
  readonly refresh: string
  /** With the next answer, with a later one, or with none. */
  readonly successor: 'now' | 'later' | 'never'
  /** From when on, as ISO 8601; only where there will be one. */
  readonly successorFrom?: string
  /** The end of the session, as ISO 8601; only for an admitted token that may have a successor. */
  readonly sessionEnds?: string
}

/** Explains what the decision on a request means for the next token of its sender. */
export async function explainRefresh(
  { issuers, refresh, tokens }: Config,
  ownKeys: OwnKeys | undefined,
  decision: Decision,
  nowSeconds: number,
): Promise<ExplainedRefresh> {
  if (refresh === undefined) return never('off: the settings have no "refresh"')
  if (isRefusal(decision)) return never('none: only an admitted token gets a successor')
  const { token } = decision
  if (token === undefined) return never('none: the path is public, so the token is not looked at')
  if (issuers.some(({ issuer, refresh: isRefreshed }) => issuer === token.issuer && !isRefreshed))
    return never(`none: issuer ${token.issuer} has "refresh: false"`)

  const policy = refreshPolicyOf(refresh)
  const sessionEnd = sessionEndSeconds(token, policy)
  const counted =
    refresh.exchange !== undefined && token.claims.auth_time === undefined
      ? ', counted from this token, as it has no "auth_time"'
      : ''
  const ends = `the session ends ${distance(sessionEnd - nowSeconds)} (${isoTime(sessionEnd)})${counted}`
  const sessionEnds = isoTime(sessionEnd)
  const from = token.claims.exp - policy.windowSeconds
  const why = await objection({ token, policy, refresh, ownKeys, maxBytes: tokens.maxBytes, nowSeconds })
  if (why !== undefined) return { ...never(`none: ${why === '' ? '' : `${why}; `}${ends}`), sessionEnds }
  const isNow = from <= nowSeconds
  return {
    refresh: `${giver(refresh)} ${isNow ? 'now' : distance(from - nowSeconds)}${condition(refresh)}; ${ends}`,
    successor: isNow ? 'now' : 'later',
    successorFrom: isoTime(from),
    sessionEnds,
  }
}

function never(refresh: string): ExplainedRefresh {
  return { refresh, successor: 'never' }
}

function giver({ exchange }: RefreshConfig): string {
  return exchange === undefined ? 'a successor is given' : 'the identity provider is asked for a successor'
}

function condition({ exchange }: RefreshConfig): string {
  return exchange?.grant === 'refresh-token' ? ', if a refresh token was handed in for this token' : ''
}

interface Asked {
  readonly token: VerifiedToken
  readonly policy: SuccessorPolicy
  readonly refresh: RefreshConfig
  readonly ownKeys: OwnKeys | undefined
  readonly maxBytes: number
  readonly nowSeconds: number
}

/** Why there is no successor for an admitted token; empty where the end of the session says it all. */
async function objection({ token, policy, refresh, ownKeys, ...asked }: Asked): Promise<string | undefined> {
  if (asked.nowSeconds >= token.claims.exp) return 'only the clock tolerance still admits the token'
  if (ownKeys === undefined) {
    if (token.claims.sub === undefined) return 'the token has no "sub", so nobody can tell whose the next one is'
    return sessionEndSeconds(token, policy) <= token.claims.exp ? '' : undefined
  }
  const claims = successor(token, policy, refresh.issuer)
  if (claims === undefined) return ''
  if (!isCopyable(claims)) return 'a claim is a number that cannot be copied exactly'
  const fromSeconds = Math.max(asked.nowSeconds, token.claims.exp - policy.windowSeconds)
  const { length } = await signWith(ownKeys, () => fromSeconds * 1000)(claims, token.type)
  if (length > asked.maxBytes) return `it would have ${length} bytes, more than "tokens.maxBytes", ${asked.maxBytes}`
  return undefined
}
