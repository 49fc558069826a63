// What is known when a request has been answered: the input of one metric update and one access-log line.
import type { Permit } from './decision.ts'
import { isRefusal, type Reason, type Refusal, refusals } from './refusal.ts'

/** Why a response to the app's side failed, as the `reason` label of upstream_errors_total. */
export type UpstreamErrorReason = 'refused' | 'connect_timeout' | 'response_timeout' | 'reset' | 'protocol'

/** How a request ended. Holds no token and no header value. */
export interface Outcome {
  readonly method: string
  readonly path: string
  /** What was answered; 499 where the client left before anything was, 101 for a tunnel, which is reported as it opens. */
  readonly status: number
  /**
   * The decision. Where the message never reached the gate's questions it is the refusal of the message; method and path
   * are empty then if not even a request line could be read.
   */
  readonly decision: Permit | Refusal
  /** What came after the decision and changed its outcome: a trouble of the app, a bug of ours, the end of the token. */
  readonly fault: Reason | undefined
  /** Why the app's side failed, where it did. */
  readonly upstreamError: UpstreamErrorReason | undefined
  /** True where the client went away before the response was complete. */
  readonly clientAborted: boolean
  readonly durationMs: number
  /** What the decision took; what was added before the request went out; what the app took to its first byte. */
  readonly decideMs: number
  readonly forwardMs: number | undefined
  readonly upstreamMs: number | undefined
  readonly upstreamStatus: number | undefined
  readonly peer: string
}

/** How an outcome is counted and logged. `error` is a trouble of the app or of ours; it is nobody's refusal. */
type Counted = Permit['decision'] | 'refuse' | 'error'

/** The one verdict on a request: what came last counts. */
export function verdictOf({ decision, fault }: Pick<Outcome, 'decision' | 'fault'>): Counted {
  if (fault !== undefined) return isTrouble(fault) ? 'error' : 'refuse'
  return isRefusal(decision) ? 'refuse' : decision.decision
}

/** True for the reasons that say nothing about the request: the app's troubles, and bugs of ours. */
export function isTrouble(reason: Reason): boolean {
  return refusals[reason].found === 'beyond'
}
