// How an exchange ends: one answer at most, one outcome always. It must never throw on the way to the outcome.

import { type Exchange, outcomeOf } from '../../http/exchange.ts'
import type { UnreadBody } from '../../http/listener/linger.ts'
import { answerRefusal, writeRefusal } from '../../http/refuse.ts'
import type { Outcome } from '../../model/outcome.ts'
import { peerAddress } from '../../model/peer-address.ts'
import { type Refusal, statusOf } from '../../model/refusal.ts'
import { breakOff } from '../../upstream/relay.ts'
import type { HandlerParts } from './dependencies.ts'

/** Answers with a refusal where nothing was sent yet; else breaks the answer off. */
export function answer(parts: HandlerParts, exchange: Exchange, refusal: Refusal, body: UnreadBody | undefined): void {
  const { req, res, socket } = exchange
  exchange.isRefused = true
  if (res === undefined) {
    exchange.status = statusOf(refusal)
    writeRefusal(socket, refusal)
    settle(parts, exchange)
  } else if (res.headersSent) {
    breakOff(res, req.httpVersion === '1.0')
  } else {
    exchange.status = statusOf(refusal)
    answerRefusal(req, res, refusal, parts.isClosing() ? undefined : body, parts.current().corsOrigins)
  }
}

/** Reports the outcome, once. */
export function settle(parts: HandlerParts, exchange: Exchange): void {
  if (exchange.isSettled) return
  exchange.isSettled = true
  unguard(exchange)
  exchange.stop = undefined
  observeSafely(parts, outcomeOf(exchange, parts.monotonicMs()))
  parts.connections.ended(exchange)
}

/** The outcome of bytes that never became a request. */
export function bareOutcome(remoteAddress: string | undefined, refusal: Refusal): Outcome {
  return {
    method: '',
    path: '',
    status: statusOf(refusal),
    decision: refusal,
    fault: undefined,
    upstreamError: undefined,
    clientAborted: false,
    durationMs: 0,
    decideMs: 0,
    forwardMs: undefined,
    upstreamMs: undefined,
    upstreamStatus: undefined,
    peer: peerAddress(remoteAddress),
  }
}

/** Hands the outcome to the observer, whose troubles are its own. */
export function observeSafely(parts: HandlerParts, outcome: Outcome): void {
  try {
    parts.observe(outcome)
  } catch (error) {
    parts.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'Cannot record the outcome')
  }
}
/** Takes the exchange out of the registry of guarded connections. */
export function unguard(exchange: Exchange): void {
  exchange.release?.()
  exchange.release = undefined
}
