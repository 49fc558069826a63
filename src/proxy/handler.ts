// The life of one request: message, decision, then refusal or forwarding, and exactly one outcome. It holds the one catch:
// whatever is thrown anywhere below ends as 500 `internal`, never as a forwarded request and never as a dead process.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Decision, Permit } from '../model/decision.ts'
import type { Outcome } from '../model/outcome.ts'
import { type Refusal, refuse, statusOf } from '../model/refusal.ts'
import type { Connection, Connections } from './connections.ts'
import { createExchange, type Exchange, outcomeOf } from './exchange.ts'
import type { Forwarder } from './forward.ts'
import { type HeaderRules, headerRules } from './header-rules.ts'
import { clientHeaders, peerAddress, upstreamHeaders } from './headers.ts'
import type { Lifetime } from './lifetime.ts'
import { inspectMessage, type Message } from './message.ts'
import type { Delivery, ProxyPolicy } from './policy.ts'
import { answerRefusal, writeRefusal } from './refuse.ts'
import { breakOff, createRelay, noDelivery } from './relay.ts'
import { withoutQueryToken } from './strip-token.ts'
import type { TunnelOrder } from './tunnel.ts'

const refreshTimeoutMs = 2_000

/** Where troubles of our own are told. */
export interface ProxyLog {
  readonly error: (fields: Readonly<Record<string, unknown>>, message: string) => void
}

/** What the handler is made of. */
export interface HandlerParts {
  readonly current: () => ProxyPolicy
  readonly forwarder: (policy: ProxyPolicy) => Forwarder
  readonly tunnel: (permit: Permit, order: TunnelOrder) => () => void
  readonly lifetime: Lifetime
  readonly connections: Connections
  /** Called exactly once for each request. */
  readonly observe: (outcome: Outcome) => void
  readonly log: ProxyLog
  /** Milliseconds that only move forward. */
  readonly monotonicMs: () => number
  /** Whether new requests are refused because the server is going away. */
  readonly isRefusing: () => boolean
  /** Whether connections are to be closed after their present answer. */
  readonly isClosing: () => boolean
}

/** What the server hands requests to. */
export interface Handler {
  readonly request: (req: IncomingMessage, res: ServerResponse) => void
  readonly upgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => void
  /** A message that broke before or while it was read; `exchange` is the request it belongs to, if any. */
  readonly broken: (socket: Socket, exchange: Exchange | undefined, refusal: Refusal) => void
  /** The client's connection is gone. */
  readonly gone: (exchange: Exchange) => void
}

/** Makes the handler. */
export function createHandler(parts: HandlerParts): Handler {
  const request = (req: IncomingMessage, res: ServerResponse): void => {
    const connection = parts.connections.of(req.socket)
    // What follows a refused message on the same connection is not a request, whatever it looks like
    if (connection === undefined || connection.isClosing) return
    const exchange = createExchange(req, res, peerAddress(req.socket.remoteAddress), parts.monotonicMs())
    parts.connections.begun(connection, exchange)
    res.on('finish', () => settle(parts, exchange))
    serve(parts, exchange, connection, (message, permit, rules) =>
      forward(parts, exchange, res, message, permit, rules),
    )
  }
  const upgrade = (req: IncomingMessage, socket: Socket, head: Buffer): void => {
    socket.on('error', () => socket.destroy())
    const connection = parts.connections.of(socket)
    if (connection === undefined || connection.isClosing || connection.open.size > 0) {
      // Behind an unfinished answer there is no place for a tunnel
      socket.destroy()
      return
    }
    const exchange = createExchange(req, undefined, peerAddress(socket.remoteAddress), parts.monotonicMs())
    parts.connections.begun(connection, exchange)
    connection.isClosing = true
    serve(parts, exchange, connection, (message, permit, rules) =>
      message.upgrade === undefined
        ? answer(parts, exchange, refuse('message_invalid', { detail: 'not a WebSocket handshake' }), undefined)
        : openTunnel(parts, exchange, head, message, permit, rules),
    )
  }
  const broken = (socket: Socket, exchange: Exchange | undefined, refusal: Refusal): void => {
    if (exchange === undefined) {
      const outcome = bareOutcome(socket.remoteAddress, refusal)
      writeRefusal(socket, refusal)
      observeSafely(parts, outcome)
      return
    }
    // A refused message often breaks the parser as well: its answer is on the way already
    if (exchange.isRefused) return
    exchange.stop?.()
    exchange.fault = refusal.reason
    answer(parts, exchange, refusal, undefined)
  }
  const gone = (exchange: Exchange): void => {
    if (exchange.isSettled) return
    exchange.isClientGone = exchange.fault === undefined
    exchange.stop?.()
    // A decision that is still being made ends in its own time, and is reported then
    if (!Number.isNaN(exchange.decidedMs)) settle(parts, exchange)
  }
  return Object.freeze({ request, upgrade, broken, gone })
}

type Admitted = (message: Message, permit: Permit, rules: HeaderRules) => void

/** The steps before a Permit, the same for requests and upgrades. */
function serve(parts: HandlerParts, exchange: Exchange, connection: Connection, admitted: Admitted): void {
  try {
    const policy = parts.current()
    const rules = headerRules(policy)
    const { headers, bodyBytes } = policy.limits
    const { req } = exchange
    const message = inspectMessage(
      { method: req.method ?? '', target: req.url ?? '', httpVersion: req.httpVersion, rawHeaders: req.rawHeaders },
      { headers, bodyBytes, protectedNames: rules.protectedNames },
    )
    if ('reason' in message) {
      connection.isClosing = true
      decided(parts, exchange, message)
      answer(parts, exchange, message, undefined)
      return
    }
    exchange.path = message.path
    const decision = parts.isRefusing() ? refuse('draining') : policy.decide(message)
    if (decision instanceof Promise) {
      decision.then(
        (late) => proceed(parts, exchange, message, late, rules, admitted),
        (error: unknown) => failInside(parts, exchange, error),
      )
    } else {
      proceed(parts, exchange, message, decision, rules, admitted)
    }
  } catch (error) {
    failInside(parts, exchange, error)
  }
}

function decided(parts: HandlerParts, exchange: Exchange, decision: Decision): void {
  exchange.decision = decision
  exchange.decidedMs = parts.monotonicMs()
}

function proceed(
  parts: HandlerParts,
  exchange: Exchange,
  message: Message,
  decision: Decision,
  rules: HeaderRules,
  admitted: Admitted,
): void {
  try {
    decided(parts, exchange, decision)
    if (exchange.isClientGone) settle(parts, exchange)
    else if (exchange.isSettled || exchange.fault !== undefined) return
    else if (decision.decision === 'refuse') answer(parts, exchange, decision, message)
    else admitted(message, decision, rules)
  } catch (error) {
    failInside(parts, exchange, error)
  }
}

/** Answers with a refusal where nothing was sent yet; else breaks the answer off. */
function answer(parts: HandlerParts, exchange: Exchange, refusal: Refusal, message: Message | undefined): void {
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
    answerRefusal(req, res, refusal, message)
  }
}

function failInside(parts: HandlerParts, exchange: Exchange, error: unknown): void {
  parts.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'Cannot serve the request')
  exchange.fault = 'internal'
  if (Number.isNaN(exchange.decidedMs)) decided(parts, exchange, refuse('internal'))
  try {
    exchange.stop?.()
    if (exchange.isClientGone) settle(parts, exchange)
    else answer(parts, exchange, refuse('internal'), undefined)
  } catch {
    exchange.socket.destroy()
  }
}

function forward(
  parts: HandlerParts,
  exchange: Exchange,
  res: ServerResponse,
  message: Message,
  permit: Permit,
  rules: HeaderRules,
): void {
  const { policy } = rules
  // An upload is guarded while it lasts, and an answer from its head on; not the thinking in between, which has an end
  if (message.framing !== 'none') {
    guardStream(parts, exchange, message, permit)
    exchange.req.once('end', () => {
      if (!res.headersSent) unguard(exchange)
    })
  }
  exchange.stop = parts.forwarder(policy).forward(permit, {
    message,
    target: policy.stripToken ? withoutQueryToken(message.target, permit.source) : message.target,
    headers: upstreamHeaders(message, permit, exchange.peer, rules),
    req: exchange.req,
    bodyBytes: policy.limits.bodyBytes,
    onBodyWanted: () => {
      if (message.expectsContinue && !res.headersSent && !res.destroyed) res.writeContinue()
    },
    reader: createRelay({
      exchange,
      res,
      message,
      permit,
      rules,
      monotonicMs: parts.monotonicMs,
      deliver: (admitted, given) => deliver(parts, admitted, given),
      isClosing: parts.isClosing,
      onStreaming: () => guardStream(parts, exchange, message, permit),
    }),
  })
}

/** From now on the exchange ends with its token. */
function guardStream(parts: HandlerParts, exchange: Exchange, message: Message, permit: Permit): void {
  const { token } = permit
  if (token === undefined || permit.decision !== 'permit' || exchange.release !== undefined) return
  exchange.release = parts.lifetime.guard(token, 'stream', (reason) => {
    exchange.fault = reason
    exchange.stop?.()
    answer(parts, exchange, refuse(reason), message)
  })
}

function unguard(exchange: Exchange): void {
  exchange.release?.()
  exchange.release = undefined
}

/** The next token for this caller, or nothing: a refresh that fails never fails the request. */
function deliver(parts: HandlerParts, permit: Permit, rules: HeaderRules): Delivery | Promise<Delivery> {
  const { refresh } = rules.policy
  if (refresh === undefined || permit.token === undefined || permit.decision !== 'permit') return noDelivery()
  const failed = (error: unknown): Delivery => {
    parts.log.error({ error: error instanceof Error ? error.message : String(error) }, 'Cannot refresh the token')
    return noDelivery()
  }
  try {
    const delivery = refresh(permit)
    if (!(delivery instanceof Promise)) return delivery ?? noDelivery()
    return soon(delivery).then((late) => late ?? noDelivery(), failed)
  } catch (error) {
    return failed(error)
  }
}

/** The answer of the application does not wait for a token that does not come. */
function soon<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Cannot refresh: no token after ${refreshTimeoutMs} ms`)),
      refreshTimeoutMs,
    )
    promise.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}

function openTunnel(
  parts: HandlerParts,
  exchange: Exchange,
  head: Buffer,
  message: Message,
  permit: Permit,
  rules: HeaderRules,
): void {
  const { policy } = rules
  const { socket, req } = exchange
  const { token } = permit
  exchange.sentMs = parts.monotonicMs()
  exchange.stop = parts.tunnel(permit, {
    message,
    target: policy.stripToken ? withoutQueryToken(message.target, permit.source) : message.target,
    headers: upstreamHeaders(message, permit, exchange.peer, rules),
    req,
    socket,
    head,
    upstream: policy.upstream,
    limits: policy.limits,
    events: {
      headersFor: async (status, rawHeaders) => {
        exchange.answeredMs = parts.monotonicMs()
        exchange.upstreamStatus = status
        return clientHeaders({ status, rawHeaders }, rules, await deliver(parts, permit, rules))
      },
      onOpen: (end) => {
        exchange.status = 101
        if (token !== undefined && permit.decision === 'permit') {
          const release = parts.lifetime.guard(token, 'websocket', end)
          socket.once('close', release)
        }
        settle(parts, exchange)
      },
      onAnswered: (status) => {
        exchange.status = status
        settle(parts, exchange)
      },
      onFault: (fault) => {
        exchange.fault = fault.refusal.reason
        exchange.upstreamError = fault.error
        answer(parts, exchange, fault.refusal, undefined)
      },
      onClose: () => {},
    },
  })
}

/** Reports the outcome, once. */
function settle(parts: HandlerParts, exchange: Exchange): void {
  if (exchange.isSettled) return
  exchange.isSettled = true
  unguard(exchange)
  exchange.stop = undefined
  observeSafely(parts, outcomeOf(exchange, parts.monotonicMs()))
  parts.connections.ended(exchange)
}

function bareOutcome(remoteAddress: string | undefined, refusal: Refusal): Outcome {
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

function observeSafely(parts: HandlerParts, outcome: Outcome): void {
  try {
    parts.observe(outcome)
  } catch (error) {
    parts.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'Cannot record the outcome')
  }
}
