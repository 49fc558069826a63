// What happens to a request that has its Permit: it is forwarded, or a tunnel is opened for it, and both end with its token.
// It must never be reached without one.
import type { ServerResponse } from 'node:http'
import type { Exchange } from '../../http/exchange.ts'
import type { HeaderRules } from '../../http/headers/names.ts'
import { withoutQueryToken } from '../../http/headers/strip-token.ts'
import { clientHeaders, upstreamHeaders } from '../../http/headers/to-app.ts'
import type { Message } from '../../http/message.ts'
import type { Permit } from '../../model/decision.ts'
import { refuse } from '../../model/refusal.ts'
import { whileDraining } from '../../upstream/fault.ts'
import { createRelay } from '../../upstream/relay.ts'
import type { HandlerParts } from './dependencies.ts'
import { deliver } from './next-token.ts'
import { answer, settle, unguard } from './settle.ts'

/** Sends the request to the application and its answer to the client. */
export function forward(
  parts: HandlerParts,
  exchange: Exchange,
  res: ServerResponse,
  message: Message,
  permit: Permit,
  rules: HeaderRules,
): void {
  const { policy } = rules
  // An upload is guarded while it lasts, the wait for a connection, and an answer from its head on; not the thinking in between,
  // which has an end
  if (message.framing !== 'none') {
    guardStream(parts, exchange, message, permit)
    exchange.req.once('end', () => {
      if (!res.headersSent) unguard(exchange)
    })
  }
  exchange.stop = parts.forwarder(policy).forward(permit, {
    message,
    target: policy.stripToken ? withoutQueryToken(message.target, permit.sources) : message.target,
    headers: upstreamHeaders(message, permit, exchange.peer, parts.scheme, rules),
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
      onWaiting: () => guardStream(parts, exchange, message, permit),
      onSent: () => {
        if (message.framing === 'none') unguard(exchange)
      },
      onStreaming: () => guardStream(parts, exchange, message, permit),
    }),
  })
}

/** From now on the exchange ends with its token. */
function guardStream(parts: HandlerParts, exchange: Exchange, message: Message, permit: Permit): void {
  if (permit.decision === 'shadow' || exchange.release !== undefined) return
  exchange.release = parts.lifetime.guard(message, permit, 'stream', (reason) => {
    exchange.fault = reason
    exchange.stop?.()
    answer(parts, exchange, refuse(reason), message)
  })
}

/** Opens a WebSocket to the application and joins the two; reported as soon as it stands. */
export function openTunnel(
  parts: HandlerParts,
  exchange: Exchange,
  head: Buffer,
  message: Message,
  permit: Permit,
  rules: HeaderRules,
): void {
  const { policy } = rules
  const { socket, req } = exchange
  exchange.sentMs = parts.monotonicMs()
  exchange.stop = parts.tunnel(permit, {
    message,
    target: policy.stripToken ? withoutQueryToken(message.target, permit.sources) : message.target,
    headers: upstreamHeaders(message, permit, exchange.peer, parts.scheme, rules),
    req,
    socket,
    head,
    upstream: policy.upstream,
    upstreamTls: policy.upstreamTls,
    limits: policy.limits,
    events: {
      headersFor: async (status, rawHeaders) => {
        exchange.answeredMs = parts.monotonicMs()
        exchange.upstreamStatus = status
        return clientHeaders({ status, rawHeaders }, rules, await deliver(parts, permit, rules))
      },
      onOpen: (end) => {
        exchange.status = 101
        if (permit.decision !== 'shadow') {
          const release = parts.lifetime.guard(message, permit, 'websocket', end)
          socket.once('close', release)
        }
        settle(parts, exchange)
      },
      onAnswered: (status, res) => {
        exchange.status = status
        // The client alone says that this is a handshake: an answer that streams ends with its token all the same
        if (permit.decision !== 'shadow') {
          exchange.release = parts.lifetime.guard(message, permit, 'stream', (reason) => {
            exchange.fault = reason
            socket.destroy()
          })
        }
        res.once('finish', () => settle(parts, exchange))
      },
      onBroken: (fault) => {
        exchange.fault = fault.refusal.reason
        exchange.upstreamError = fault.error
        socket.destroy()
      },
      onFault: (told) => {
        const fault = parts.isClosing() ? whileDraining(told) : told
        exchange.fault = fault.refusal.reason
        exchange.upstreamError = fault.error
        answer(parts, exchange, fault.refusal, undefined)
      },
    },
  })
}
