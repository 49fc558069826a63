// The gate: the questions that every request is asked, in order, on one page. One function for every way in: proxied
// request, upgrade, explain, shadow mode. It touches no socket and no clock of its own, and it answers at
// once when the token was seen before; only a first sight, or a lookup in Redis, waits. Only this file makes a Permit.
import { type AdmissionQuestions, judgeStanding } from './admission.ts'
import {
  credential,
  type Decide,
  type Decision,
  type Permit,
  type RequestView,
  type TokenSource,
  type VerifiedToken,
} from './model/decision.ts'
import { isRefusal, type Refusal } from './model/refusal.ts'

/** The questions, each answered by a part of its own; what is asked about the token alone is in admission.ts. */
export interface Questions extends AdmissionQuestions {
  /** 1. Which rule covers this path? */
  readonly route: (view: RequestView) => RouteAnswer | Refusal
  /** 2. Where is the one token? */
  readonly extract: (view: RequestView) => Found | Refusal
  // 3. verify · 4. clock · 5. revocation
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

/** What is asked of a verified token. */
function judge(
  token: VerifiedToken | Refusal,
  found: Found,
  route: RouteAnswer,
  questions: Questions,
): Decision | Promise<Decision> {
  if (isRefusal(token)) return token
  const refusal = judgeStanding(token, questions)
  return refusal instanceof Promise
    ? refusal.then((late) => conclude(token, found, route, late))
    : conclude(token, found, route, refusal)
}

function conclude(token: VerifiedToken, found: Found, route: RouteAnswer, refusal: Refusal | undefined): Decision {
  return refusal ?? route.lacks(token) ?? permit('permit', token, found)
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
