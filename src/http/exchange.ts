// One request and what became of it: the record that every step writes to and that ends as one Outcome. It decides
// nothing and holds no header and no token.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Decision } from '../model/decision.ts'
import type { Outcome, UpstreamErrorReason } from '../model/outcome.ts'
import { type Reason, refuse } from '../model/refusal.ts'

/** What clients that left before an answer are counted as; no such status goes out on the wire. */
const CLIENT_GONE_STATUS = 499

/** Times are monotonic milliseconds. */
export interface Exchange {
  readonly req: IncomingMessage
  /** Nothing on an upgrade, which is answered on the socket. */
  readonly res: ServerResponse | undefined
  readonly socket: Socket
  readonly method: string
  path: string
  readonly peer: string
  readonly startedMs: number
  decidedMs: number
  /** When the request went out to the application. */
  sentMs: number
  answeredMs: number
  decision: Decision | undefined
  status: number
  fault: Reason | undefined
  upstreamError: UpstreamErrorReason | undefined
  upstreamStatus: number | undefined
  /** Ends the application's side at once; set while there is one. */
  stop: (() => void) | undefined
  /** Takes the exchange out of the registry of guarded connections; set while it is in it. */
  release: (() => void) | undefined
  /** A refusal is on its way to the client. */
  isRefused: boolean
  isClientGone: boolean
  isSettled: boolean
}

/** A fresh record. `NaN` marks a moment that has not come. */
export function createExchange(
  req: IncomingMessage,
  res: ServerResponse | undefined,
  peer: string,
  startedMs: number,
): Exchange {
  return {
    req,
    res,
    socket: req.socket,
    method: req.method ?? '',
    path: '',
    peer,
    startedMs,
    decidedMs: Number.NaN,
    sentMs: Number.NaN,
    answeredMs: Number.NaN,
    decision: undefined,
    status: 0,
    fault: undefined,
    upstreamError: undefined,
    upstreamStatus: undefined,
    stop: undefined,
    release: undefined,
    isRefused: false,
    isClientGone: false,
    isSettled: false,
  }
}

/** What is reported of an exchange that has ended at `nowMs`. */
export function outcomeOf(exchange: Exchange, nowMs: number): Outcome {
  const { startedMs, decidedMs, sentMs, answeredMs } = exchange
  return {
    method: exchange.method,
    path: exchange.path,
    status: exchange.status === 0 ? CLIENT_GONE_STATUS : exchange.status,
    decision: exchange.decision ?? refuse('internal'),
    fault: exchange.fault,
    upstreamError: exchange.upstreamError,
    clientAborted: exchange.isClientGone,
    durationMs: nowMs - startedMs,
    decideMs: (Number.isNaN(decidedMs) ? nowMs : decidedMs) - startedMs,
    forwardMs: Number.isNaN(sentMs) ? undefined : sentMs - decidedMs,
    upstreamMs: Number.isNaN(answeredMs) ? undefined : answeredMs - sentMs,
    upstreamStatus: exchange.upstreamStatus,
    peer: exchange.peer,
  }
}
