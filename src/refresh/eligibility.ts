// May this token have a next one, now that the answer of the app is there? That can be long after the decision: who was
// revoked meanwhile, or ran out, gets none. It asks nothing about a token outside its window.
import { judgeStanding, type StandingQuestions } from '../gate/admission.ts'
import type { Refresh } from '../model/next-token.ts'
import { isInWindow, type SuccessorPolicy } from './successor.ts'

export interface StandingParts {
  readonly policy: SuccessorPolicy
  /** The configured issuers whose tokens are refreshed. */
  readonly issuers: ReadonlySet<string>
  readonly standing: StandingQuestions
}

/**
 * The same refresher, asked only about tokens of these issuers that stand, are in their window and have not reached `exp`.
 * A clock tolerance admits a token for a little longer, but begins no new one.
 */
export function whileStanding(refresh: Refresh, { policy, issuers, standing }: StandingParts): Refresh {
  return (permit) => {
    const { token } = permit
    if (token === undefined || !issuers.has(token.issuer)) return undefined
    const nowSeconds = standing.clock() / 1000
    if (nowSeconds >= token.claims.exp || !isInWindow(token, policy, nowSeconds)) return undefined
    const refusal = judgeStanding(token, standing)
    if (!(refusal instanceof Promise)) return refusal === undefined ? refresh(permit) : undefined
    return refusal.then(
      (late) => (late === undefined ? refresh(permit) : undefined),
      () => undefined,
    )
  }
}
