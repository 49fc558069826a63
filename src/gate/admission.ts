// Does a token still stand? The one place that knows: its time and its revocation, and for a text its signature and claims
// before. The gate asks it about a request, an open connection through the gate, and the refresh about a token that it renews
// or hands out. It touches no socket and no clock of its own, and answers at once where everything is at hand.
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Reason, type Refusal, refuse } from '../model/refusal.ts'

/** What is known of revocations of a token. `stale`: the list is too old to tell, and policy says so is a no. */
export type RevocationAnswer = 'clear' | 'revoked' | 'stale'

export interface StandingQuestions {
  /** Is it in its time? Asked on every request: a remembered token grows older. */
  readonly clock: Clock
  /** Has anyone taken it back? */
  readonly revocation: (token: VerifiedToken) => RevocationAnswer | Promise<RevocationAnswer>
}

export interface AdmissionQuestions extends StandingQuestions {
  /** Is it really one of ours? */
  readonly verify: (token: string) => VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>
}

/** The token if the gate would admit it now, whatever the path; else why not. */
export type Admit = (text: string) => VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>

/** Makes the function that judges the text of a token. */
export function createAdmission(questions: AdmissionQuestions): Admit {
  const judge = (token: VerifiedToken | Refusal): ReturnType<Admit> => {
    if (isRefusal(token)) return token
    const refusal = judgeStanding(token, questions)
    return refusal instanceof Promise ? refusal.then((late) => late ?? token) : (refusal ?? token)
  }
  return (text) => {
    const token = questions.verify(text)
    return token instanceof Promise ? token.then(judge) : judge(token)
  }
}

/** Why a verified token does not stand now, or nothing. */
export function judgeStanding(
  token: VerifiedToken,
  questions: StandingQuestions,
): Refusal | undefined | Promise<Refusal | undefined> {
  const outOfTime = judgeTime(token, questions.clock() / 1000)
  if (outOfTime !== undefined) return outOfTime
  const answer = questions.revocation(token)
  return answer instanceof Promise
    ? answer.then((late) => judgeRevocation(late, token))
    : judgeRevocation(answer, token)
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

function judgeRevocation(answer: RevocationAnswer, token: VerifiedToken): Refusal | undefined {
  if (answer === 'clear') return undefined
  return refuseToken(answer === 'revoked' ? 'token_revoked' : 'revocation_stale', token)
}

function refuseToken(reason: Reason, token: VerifiedToken): Refusal {
  return refuse(reason, { issuer: token.issuer, tokenId: token.id })
}
