// The answer of the application on its way to the client, chunk by chunk, with the next token in its head. A break after
// the head must be visible to the client: it never ends such an answer cleanly.
import type { ServerResponse } from 'node:http'
import type { Exchange } from '../http/exchange.ts'
import type { HeaderRules } from '../http/headers/names.ts'
import { clientHeaders } from '../http/headers/to-app.ts'
import { isDrainable, lingerThenEnd } from '../http/listener/linger.ts'
import type { Message } from '../http/message.ts'
import { answerRefusal } from '../http/refuse.ts'
import type { Permit } from '../model/decision.ts'
import type { Delivery } from '../model/next-token.ts'
import { protocolFault, type UpstreamFault, whileDraining } from './fault.ts'
import type { AnswerReader, Flow } from './forward.ts'
import { watchReader } from './stalled-reader.ts'

/** Up to here a copy of the body costs less than what it saves. */
const SMALL_BYTES = 4_096

/** What the relay is made of. */
export interface RelayParts {
  readonly exchange: Exchange
  readonly res: ServerResponse
  readonly message: Message
  readonly permit: Permit
  readonly rules: HeaderRules
  readonly monotonicMs: () => number
  /** Answers the next token; never throws and never rejects. */
  readonly deliver: (permit: Permit, rules: HeaderRules) => Delivery | Promise<Delivery>
  /** Whether the connection is to be closed after this answer. */
  readonly isClosing: () => boolean
  /** All connections to the application are busy. */
  readonly onWaiting: () => void
  readonly onSent: () => void
  /** The head has gone out and the body may be long. */
  readonly onStreaming: () => void
}

/** A reader that writes the answer to the client. */
export function createRelay(parts: RelayParts): AnswerReader {
  const { exchange, res, message } = parts
  // While the next token is being fetched, what comes is held back; the flow is paused, so that is little
  let held: Buffer[] | undefined
  let isEnded = false
  let isFailed = false
  let drains: Flow | undefined
  let isHeldUp = false
  let writtenBytes = 0

  const writeHead = (status: number, rawHeaders: readonly string[], delivery: Delivery): void => {
    const headers = clientHeaders({ status, rawHeaders }, parts.rules, delivery)
    if (headers === undefined) throw new Error('Cannot relay the answer: its framing is ambiguous')
    if (parts.isClosing() || !isDrainable(exchange.req, message)) headers.push('connection', 'close')
    if (message.isVersion10) res.useChunkedEncodingByDefault = false
    res.writeHead(status, headers)
    exchange.status = status
    parts.onStreaming()
    // The head goes out with the first bytes where they came in the same packet, else alone: an event stream may be quiet
    queueMicrotask(() => {
      if (!res.writableEnded && !res.destroyed) res.flushHeaders()
    })
  }
  const write = (chunk: Buffer, flow: Flow): void => {
    const isSmall = !res.chunkedEncoding && chunk.length <= SMALL_BYTES
    writtenBytes += chunk.length
    if (isSmall ? writeAtOnce(res, chunk) : res.write(chunk)) return
    flow.pause()
    isHeldUp = true
    if (drains === undefined) watchFlow()
    drains = flow
  }
  const watchFlow = (): void => {
    res.on('drain', () => {
      isHeldUp = false
      drains?.resume()
    })
    const { sendTimeoutMs } = parts.rules.policy.limits
    if (sendTimeoutMs === 0) return
    // Behind another answer on its connection it waits for that one, and not for the client
    const takenBytes = () => (isHeldUp && res.socket !== null ? writtenBytes - res.writableLength : undefined)
    watchReader(res, sendTimeoutMs, takenBytes, () => breakOff(res, message.isVersion10))
  }
  const finish = (): void => {
    if (isDrainable(exchange.req, message)) res.end()
    else lingerThenEnd(exchange.req, res)
  }
  const fail = (told: UpstreamFault): void => {
    if (isFailed) return
    isFailed = true
    const isClosing = parts.isClosing()
    const fault = isClosing ? whileDraining(told) : told
    exchange.fault = fault.refusal.reason
    exchange.upstreamError = fault.error
    if (res.headersSent) breakOff(res, message.isVersion10)
    else {
      exchange.status = 0
      answerFault(exchange, res, fault, isClosing ? undefined : message, parts.rules.policy.corsOrigins)
    }
  }
  const startLater = async (status: number, rawHeaders: readonly string[], flow: Flow, later: Promise<Delivery>) => {
    flow.pause()
    held = []
    const delivery = await later
    if (isFailed || exchange.isClientGone || exchange.isRefused) return
    const chunks = held
    held = undefined
    try {
      writeHead(status, rawHeaders, delivery)
      for (const chunk of chunks) write(chunk, flow)
      if (isEnded) finish()
      else if (!isHeldUp) flow.resume()
    } catch {
      exchange.stop?.()
      fail(protocolFault)
    }
  }

  return {
    onWaiting: parts.onWaiting,
    onSent() {
      exchange.sentMs = parts.monotonicMs()
      parts.onSent()
    },
    onStart(status, rawHeaders, flow) {
      exchange.answeredMs = parts.monotonicMs()
      exchange.upstreamStatus = status
      if (status < 200 || status > 599) throw new Error('Cannot relay the answer: its status is out of range')
      const delivery = parts.deliver(parts.permit, parts.rules)
      if (delivery instanceof Promise) void startLater(status, rawHeaders, flow, delivery)
      else writeHead(status, rawHeaders, delivery)
    },
    onData(chunk, flow) {
      if (held === undefined) write(chunk, flow)
      else held.push(chunk)
    },
    onEnd() {
      exchange.stop = undefined
      isEnded = true
      if (held === undefined) finish()
    },
    onFault(fault) {
      exchange.stop = undefined
      fail(fault)
    },
  }
}

/**
 * Head and body as one text, in one write to the system. Otherwise Node keeps them until the end of the answer, and hands over
 * three pieces: the head, the body, and an empty one for the end.
 */
function writeAtOnce(res: ServerResponse, chunk: Buffer): boolean {
  const hasRoom = res.write(chunk.toString('latin1'), 'latin1')
  res.socket?.uncork()
  return hasRoom
}

function answerFault(
  exchange: Exchange,
  res: ServerResponse,
  fault: UpstreamFault,
  message: Message | undefined,
  corsOrigins: readonly string[],
): void {
  answerRefusal(exchange.req, res, fault.refusal, message, corsOrigins)
  exchange.status = res.statusCode
}

/** Ends a response in a way that no client takes for its end. Without chunks only a reset shows it. */
export function breakOff(res: ServerResponse, isVersion10: boolean): void {
  if (isVersion10 && res.socket !== null) res.socket.resetAndDestroy()
  res.destroy()
}
