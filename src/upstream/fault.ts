// What went wrong on the application's side, in our words: which reason the client gets and which label is counted. It
// must never make a trouble of the application look like a fault of the client.
import { codeOf } from '../model/error.ts'
import type { UpstreamErrorReason } from '../model/outcome.ts'
import { type Refusal, refuse } from '../model/refusal.ts'

/** A trouble after the decision: the answer to give while there is none yet, and the label for the metric. */
export interface UpstreamFault {
  readonly refusal: Refusal
  readonly error: UpstreamErrorReason | undefined
}

const resetCodes: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ECONNABORTED'])
const unreachableCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
])
const misuseCodes: ReadonlySet<string> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])

function fault(reason: Refusal['reason'], error: UpstreamErrorReason | undefined, detail: string): UpstreamFault {
  return { refusal: refuse(reason, { detail }), error }
}

/** Names the fault behind an error. `isSent` is false where the request had no connection yet. */
export function faultOf(error: Error, isSent: boolean): UpstreamFault {
  const code = codeOf(error)
  const detail = `Cannot forward the request: ${code === '' ? error.name : code}`
  if (misuseCodes.has(code)) return fault('internal', undefined, detail)
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ECONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return fault('upstream_timeout', 'connect_timeout', detail)
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return fault('upstream_timeout', 'response_timeout', detail)
  }
  if (!isSent || unreachableCodes.has(code)) return fault('upstream_unreachable', 'refused', detail)
  if (resetCodes.has(code)) return fault('upstream_failed', 'reset', detail)
  return fault('upstream_failed', 'protocol', detail)
}

const drainingFault = fault('draining', 'refused', 'the application has stopped before the gate')

/**
 * The same fault while this pod shuts down. The application stops first then, and the endpoints of the pod are still
 * being withdrawn: not a trouble of the application, and the next try meets another pod.
 */
export function whileDraining(told: UpstreamFault): UpstreamFault {
  return told.refusal.reason === 'upstream_unreachable' ? drainingFault : told
}

export const overloadedFault: UpstreamFault = fault(
  'overloaded',
  undefined,
  'too many requests wait for the application',
)
export const protocolFault: UpstreamFault = fault('upstream_failed', 'protocol', 'the answer is not HTTP')
export const bodyTooLongFault: UpstreamFault = {
  refusal: refuse('message_invalid', { status: 413, detail: 'the body is too long' }),
  error: undefined,
}
