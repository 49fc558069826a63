// The life of one request: message, decision, then refusal or forwarding, and exactly one outcome. It holds the one catch:
// whatever is thrown anywhere below ends as 500 `internal`, never as a forwarded request and never as a dead process.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createExchange, type Exchange } from '../../http/exchange.ts'
import { type HeaderRules, headerRules } from '../../http/headers/names.ts'
import type { Connection } from '../../http/listener/connections.ts'
import { inspectMessage, type Message } from '../../http/message.ts'
import { writeRefusal } from '../../http/refuse.ts'
import type { Decision, Permit } from '../../model/decision.ts'
import { peerAddress } from '../../model/peer-address.ts'
import { type Refusal, refuse } from '../../model/refusal.ts'
import { forward, openTunnel } from './admitted.ts'
import type { HandlerParts } from './dependencies.ts'
import { answer, bareOutcome, observeSafely, settle } from './settle.ts'

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
    const { req } = exchange
    const message = inspectMessage(
      {
        ...{ method: req.method ?? '', target: req.url ?? '', httpVersion: req.httpVersion },
        ...{ rawHeaders: req.rawHeaders, peer: exchange.peer },
      },
      rules.message,
    )
    if ('reason' in message) {
      connection.isClosing = true
      decided(parts, exchange, message)
      answer(parts, exchange, message, undefined)
      return
    }
    exchange.path = message.path
    const decision = policy.decide(message)
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
