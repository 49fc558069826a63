// One line for a request that was answered: who may read it learns what happened and why, but no token and no query.
import { type Outcome, verdictOf } from '../model/outcome.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Log } from './log.ts'

const MAXIMUM_PATH = 256

/** Which requests get a line. */
export type AccessPolicy = 'all' | 'refused' | 'none'

/** Makes the function that writes the access line. `refused` means: every request that was not simply admitted. */
export function createAccessLog(log: Log, policy: AccessPolicy): (outcome: Outcome) => void {
  if (policy === 'none') return () => {}
  return (outcome) => {
    const { decision, fault } = outcome
    const refusal = isRefusal(decision) ? decision : decision.wouldRefuse
    if (policy === 'refused' && refusal === undefined && fault === undefined) return
    const token = isRefusal(decision) ? undefined : decision.token
    log.info(
      {
        decision: verdictOf(outcome),
        reason: fault ?? refusal?.reason,
        detail: refusal?.detail,
        status: outcome.status,
        method: outcome.method,
        path: outcome.path.slice(0, MAXIMUM_PATH),
        issuer: refusal?.issuer ?? token?.issuer,
        token: refusal?.tokenId ?? token?.id,
        peer: outcome.peer,
        clientAborted: outcome.clientAborted || undefined,
        durationMs: Math.round(outcome.durationMs * 1000) / 1000,
      },
      'request',
    )
  }
}
