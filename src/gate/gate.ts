// The gate: the questions that every request is asked, in order, on one page. One function for every way in: proxied
// request, upgrade, explain, shadow mode. It touches no socket and no clock of its own, and it answers at
// once when the token was seen before; only a first sight, or a lookup in Redis, waits. Only this file makes a Permit.

import {
  credential,
  type Decide,
  type Decision,
  type FoundToken,
  type Permit,
  type RequestView,
  type SeveralTokens,
  type TokenSource,
  type VerifiedToken,
} from '../model/decision.ts'
import { isRefusal, type Refusal } from '../model/refusal.ts'
import { type AdmissionQuestions, judgeStanding, judgeTime } from './admission.ts'
import type { Route } from './routes.ts'
import { chooseToken } from './several-tokens.ts'

/** The questions, each answered by a part of its own; what is asked about the token alone is in admission.ts. */
export interface Questions extends AdmissionQuestions {
  /** 1. Which rule covers this path? */
  readonly route: (view: RequestView) => Route | Refusal
  /** 2. Where is the one token? */
  readonly extract: (view: RequestView) => FoundToken | Refusal
  /** May the page that asks use the cookie where the token was found? */
  readonly origin: (view: RequestView, sources: readonly TokenSource[]) => Refusal | undefined
  /** When a token says that it was issued: of several that are all refused, the newest one's refusal is given. */
  readonly issuedAt: (token: string) => number
  // 3. verify · 4. clock · 5. revocation: in admission.ts
  // 6. What does the route ask of the token? `lacks` of the route answers it.
}

/** Makes the one decision function. */
export function createGate(questions: Questions): Decide {
  return (view) => {
    const route = questions.route(view)
    if (isRefusal(route)) return route
    if (route.isPublic) return publicPermit

    const found = questions.extract(view)
    if (isRefusal(found)) return found
    const foreign = questions.origin(view, found.sources)
    if (foreign !== undefined) return foreign
    if (found.several !== undefined) return judgeSeveral(found, found.several, route, questions)

    const token = questions.verify(found.token)
    return token instanceof Promise
      ? token.then((verified) => judge(verified, found, route, questions))
      : judge(token, found, route, questions)
  }
}

async function judgeSeveral(found: FoundToken, several: SeveralTokens, route: Route, questions: Questions) {
  const { verify, issuedAt, clock } = questions
  const judgeNow = (token: VerifiedToken) => judgeTime(token, clock() / 1000)
  const chosen = await chooseToken(several, { verify, issuedAt, judgeTime: judgeNow })
  return isRefusal(chosen) ? chosen : judge(chosen.verified, { ...found, token: chosen.token }, route, questions)
}

/** What is asked of a verified token. */
function judge(
  token: VerifiedToken | Refusal,
  found: FoundToken,
  route: Route,
  questions: Questions,
): Decision | Promise<Decision> {
  if (isRefusal(token)) return token
  const refusal = judgeStanding(token, questions)
  return refusal instanceof Promise
    ? refusal.then((late) => conclude(token, found, route, late))
    : conclude(token, found, route, refusal)
}

function conclude(token: VerifiedToken, found: FoundToken, route: Route, refusal: Refusal | undefined): Decision {
  return refusal ?? route.lacks(token) ?? permit('permit', token, found)
}

/** The same gate in shadow mode: what it would refuse is admitted, and says so. */
export function inShadow(decide: Decide): Decide {
  const admit = (decision: Decision): Decision => {
    if (isRefusal(decision)) return permit('shadow', undefined, undefined, decision)
    // Nothing changes for the app, which without the gate would get all cookies
    return decision.isOneOfSeveral ? { ...decision, isOneOfSeveral: false } : decision
  }
  return (view) => {
    const decision = decide(view)
    return decision instanceof Promise ? decision.then(admit) : admit(decision)
  }
}

const nowhere: readonly TokenSource[] = []
const publicPermit = permit('public', undefined, undefined)

function permit(
  decision: Permit['decision'],
  token: VerifiedToken | undefined,
  found: FoundToken | undefined,
  wouldRefuse?: Refusal,
): Permit {
  const sources = found?.sources ?? nowhere
  const isOneOfSeveral = found?.several !== undefined
  return { decision, token, sources, isOneOfSeveral, wouldRefuse, [credential]: found?.token } as Permit
}
