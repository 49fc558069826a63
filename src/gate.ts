// The gate: the questions that every request is asked, in order, on one page. One function for every way in: proxied
// request, upgrade, explain, shadow mode. It touches no socket and no clock of its own, and it answers at
// once when the token was seen before; only a first sight, or a lookup in Redis, waits. Only this file makes a Permit.
import type { Clock } from './model/clock.ts'
import {
  credential,
  type Decide,
  type Decision,
  type Permit,
  type RequestView,
  type TokenSource,
  type VerifiedToken,
} from './model/decision.ts'
import { isRefusal, type Reason, type Refusal, refuse } from './model/refusal.ts'

/** What is known of revocations of a token. `stale`: the list is too old to tell, and policy says so is a no. */
export type RevocationAnswer = 'clear' | 'revoked' | 'stale'

/** The questions, each answered by a part of its own. */
export interface Questions {
  /** 1. Which rule covers this path? */
  readonly route: (view: RequestView) => RouteAnswer | Refusal
  /** 2. Where is the one token? */
  readonly extract: (view: RequestView) => Found | Refusal
  /** 3. Is it really one of ours? */
  readonly verify: (token: string) => VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>
  /** 4. Is it in its time? Asked on every request: a remembered token grows older. */
  readonly clock: Clock
  /** 5. Has anyone taken it back? */
  readonly revocation: (token: VerifiedToken) => RevocationAnswer | Promise<RevocationAnswer>
}

interface Found {
  readonly token: string
  readonly source: TokenSource
}

interface RouteAnswer {
  /** The rule, in the words of the settings. */
  readonly path: string
  readonly isPublic: boolean
  /** 6. What does the route ask of the token? */
  readonly lacks: (token: VerifiedToken) => Refusal | undefined
}

/** Makes the one decision function. */
export function createGate(questions: Questions): Decide {
  return (view) => {
    const route = questions.route(view)
    if (isRefusal(route)) return route
    if (route.isPublic) return publicPermit

    const found = questions.extract(view)
    if (isRefusal(found)) return found

    const token = questions.verify(found.token)
    return token instanceof Promise
      ? token.then((verified) => judge(verified, found, route, questions))
      : judge(token, found, route, questions)
  }
}

/** What is asked of a verified token. Also asked again while a connection stays open. */
function judge(
  token: VerifiedToken | Refusal,
  found: Found,
  route: RouteAnswer,
  questions: Questions,
): Decision | Promise<Decision> {
  if (isRefusal(token)) return token
  const outOfTime = judgeTime(token, questions.clock() / 1000)
  if (outOfTime !== undefined) return outOfTime
  const answer = questions.revocation(token)
  return answer instanceof Promise
    ? answer.then((known) => conclude(token, found, route, known))
    : conclude(token, found, route, answer)
}

function conclude(token: VerifiedToken, found: Found, route: RouteAnswer, known: RevocationAnswer): Decision {
  if (known === 'revoked') return refuseToken('token_revoked', token)
  if (known === 'stale') return refuseToken('revocation_stale', token)
  return route.lacks(token) ?? permit('permit', token, found)
}

/**
 * Is the token in its time? RFC 7519 section 4.1.4: refused at the very second of `exp`, section 4.1.5: and before
 * `nbf`. One issued in the future counts as not yet valid, or its lifetime could not be bounded.
 */
export function judgeTime(token: VerifiedToken, nowSeconds: number): Refusal | undefined {
  if (nowSeconds >= token.refusedFromSeconds) return refuseToken('token_expired', token)
  if (nowSeconds < token.refusedBeforeSeconds) return refuseToken('token_not_yet_valid', token)
  return undefined
}

function refuseToken(reason: Reason, token: VerifiedToken): Refusal {
  return refuse(reason, { issuer: token.issuer, tokenId: token.id })
}

/** The same gate in shadow mode: what it would refuse is admitted, and says so. */
export function inShadow(decide: Decide): Decide {
  const admit = (decision: Decision): Decision =>
    isRefusal(decision) ? permit('shadow', undefined, undefined, decision) : decision
  return (view) => {
    const decision = decide(view)
    return decision instanceof Promise ? decision.then(admit) : admit(decision)
  }
}

const publicPermit = permit('public', undefined, undefined)

function permit(
  decision: Permit['decision'],
  token: VerifiedToken | undefined,
  found: Found | undefined,
  wouldRefuse?: Refusal,
): Permit {
  return { decision, token, source: found?.source, wouldRefuse, [credential]: found?.token } as Permit
}
