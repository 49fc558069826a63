// From what happened to what is counted: the series that exist from the start, and one update per request.
import type { Clock } from '../../model/clock.ts'
import { isTrouble, type Outcome, type UpstreamErrorReason, verdictOf } from '../../model/outcome.ts'
import { isRefusal, type Reason, reasons, refusals } from '../../model/refusal.ts'
import type { Metrics } from './metrics.ts'

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const UPSTREAM_ERRORS: readonly UpstreamErrorReason[] = [
  'refused',
  'connect_timeout',
  'response_timeout',
  'reset',
  'protocol',
]
/** Exact status codes are worth a series each; a fleet of odd ones is not. */
const MAXIMUM_REQUEST_SERIES = 48
/** The label of what is not known, such as the issuer of a request without a token. */
const NONE = 'none'

/** Makes every series that can be known beforehand, with 0: a rate over a series that appears later is wrong. */
export function declareSeries(metrics: Metrics, issuers: readonly string[], mode: 'enforce' | 'shadow'): void {
  for (const reason of reasons) {
    const decision = isTrouble(reason) ? 'error' : 'refuse'
    for (const issuer of issuersOf(reason, issuers)) metrics.decisions.inc({ decision, reason, issuer }, 0)
  }
  if (mode === 'shadow') declareShadowSeries(metrics, issuers)
  metrics.decisions.inc({ decision: 'public', reason: NONE, issuer: NONE }, 0)
  for (const issuer of issuers) metrics.decisions.inc({ decision: 'permit', reason: NONE, issuer }, 0)
  for (const reason of UPSTREAM_ERRORS) metrics.upstreamErrors.inc({ reason }, 0)
  for (const dependency of ['revocation', 'keys'])
    for (const policy of ['allow', 'deny']) metrics.degradedDecisions.inc({ dependency, policy }, 0)
}

/** Those of shadow mode, which are as many again, and would only ever say 0 in a gate that enforces. */
function declareShadowSeries(metrics: Metrics, issuers: readonly string[]): void {
  for (const reason of reasons) {
    if (isTrouble(reason) || refusals[reason].found === 'message') continue
    for (const issuer of issuersOf(reason, issuers)) {
      metrics.decisions.inc({ decision: 'shadow', reason, issuer }, 0)
      metrics.shadowRefusals.inc({ reason, issuer }, 0)
    }
  }
}

/** The issuers that a reason can be counted with. */
function issuersOf(reason: Reason, issuers: readonly string[]): readonly string[] {
  if (isWithoutIssuer(reason)) return [NONE]
  return refusals[reason].found === 'around_issuer' ? [NONE, ...issuers] : issuers
}

/** True for the reasons that are only found before the issuer is known, or that no token has a part in. */
function isWithoutIssuer(reason: Reason): boolean {
  const { found } = refusals[reason]
  return found !== 'around_issuer' && found !== 'after_issuer'
}

/** Makes the function that counts one answered request. */
export function createRequestObserver(metrics: Metrics, clock: Clock): (outcome: Outcome) => void {
  function requestLabels(outcome: Outcome, decision: string): { method: string; code: string; decision: string } {
    const method = METHODS.has(outcome.method) ? outcome.method : 'other'
    const labels = { method, code: String(outcome.status), decision }
    const isKnown = metrics.requests.size() < MAXIMUM_REQUEST_SERIES || metrics.requests.has(labels)
    return isKnown ? labels : { method: 'other', code: codeClassOf(outcome.status), decision }
  }

  function countUpstream(outcome: Outcome): void {
    if (outcome.forwardMs !== undefined) metrics.overhead.observe(forwardPhase, outcome.forwardMs / 1000)
    if (outcome.upstreamError !== undefined) metrics.upstreamErrors.inc({ reason: outcome.upstreamError })
    if (outcome.upstreamMs === undefined || outcome.upstreamStatus === undefined) return
    const labels = { code_class: codeClassOf(outcome.upstreamStatus) }
    metrics.upstreamResponse.observe(labels, outcome.upstreamMs / 1000)
  }

  return (outcome) => {
    const { decision: made, fault } = outcome
    const refusal = isRefusal(made) ? made : made.wouldRefuse
    const token = isRefusal(made) ? undefined : made.token
    const decision = verdictOf(outcome)
    const issuer = refusal?.issuer ?? token?.issuer ?? NONE
    const reason = fault ?? refusal?.reason ?? NONE

    metrics.requests.inc(requestLabels(outcome, decision))
    // What no token has a part in has no issuer label: its series stay few.
    metrics.decisions.inc({
      decision,
      reason,
      issuer: fault !== undefined && isWithoutIssuer(fault) ? NONE : issuer,
    })
    metrics.requestDuration.observe({ decision }, outcome.durationMs / 1000)
    metrics.overhead.observe(decidePhase, outcome.decideMs / 1000)
    if (outcome.clientAborted) metrics.clientAborts.inc()
    if (decision === 'shadow') metrics.shadowRefusals.inc({ reason, issuer })
    if (refusal?.reason === 'keys_unavailable') metrics.degradedDecisions.inc({ dependency: 'keys', policy: 'deny' })
    if (token !== undefined) {
      const startedSeconds = (clock() - outcome.durationMs) / 1000
      metrics.tokenRemaining.observe({ issuer: token.issuer }, token.claims.exp - startedSeconds)
    }
    countUpstream(outcome)
  }
}

/** Known texts: one that is put together is hashed anew for each request. */
const codeClasses = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']
function codeClassOf(status: number): string {
  return codeClasses[Math.floor(status / 100)] ?? 'other'
}

const decidePhase = { phase: 'decide' }
const forwardPhase = { phase: 'forward' }
