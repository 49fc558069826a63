// The way to the application: one pool of kept-alive connections, the door to undici for requests. It needs a Permit, frames the
// body itself and never copies framing. It must never send an unsafe request twice, nor wait without a bound.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import type { ProxyLimits, UpstreamTls } from '../http/limits.ts'
import type { Message } from '../http/message.ts'
import type { Permit } from '../model/decision.ts'
import { codeOf } from '../model/error.ts'
import { createPlaces } from './connection-slots.ts'
import { bodyTooLongFault, faultOf, overloadedFault, type UpstreamFault } from './fault.ts'
import { certificateName, tlsOptions } from './tls.ts'
import { createUpload, type Upload } from './upload.ts'

/** Node's own servers close an idle connection after 5 s: leave before they do, or a request meets a closing door. */
const IDLE_CONNECTION_MS = 4_000
const RESPONSE_HEADER_BYTES = 65_536
const RESPONSE_HEADER_LINES = 1_000
/** Each interim answer starts the wait for the final one anew, so there may only be a few (RFC 9110 section 15.2). */
const INTERIM_ANSWERS = 16
/** How many requests may wait for a free connection, for each connection: each as long as the app may take for its answer. */
const WAITING_PER_CONNECTION = 4

/** The flow of an answer, which its reader may hold up. */
export interface Flow {
  pause(): void
  resume(): void
}

/** Who takes the answer of the application. Calls come in the order of the members; onFault or onEnd is the last one. */
export interface AnswerReader {
  /** There is no connection free yet. */
  onWaiting(): void
  onSent(): void
  /** May throw: then the connection is closed and onFault follows. */
  onStart(status: number, rawHeaders: readonly string[], flow: Flow): void
  onData(chunk: Buffer, flow: Flow): void
  onEnd(): void
  onFault(fault: UpstreamFault): void
}

/** One request to the application. */
export interface Order {
  readonly message: Message
  /** Path and query as they go out. */
  readonly target: string
  /** Names and values in turn; Host and framing are added here. */
  readonly headers: readonly string[]
  readonly req: IncomingMessage
  /** Bound of the body in bytes; 0 is none. */
  readonly bodyBytes: number
  /** Comes before the first byte of the body is read: the moment for a 100. */
  readonly onBodyWanted: () => void
  readonly reader: AnswerReader
}

/** The way to one application. */
export interface Forwarder {
  /** Sends the request; answers a function that breaks it off, after which the reader hears nothing more. */
  readonly forward: (permit: Permit, order: Order) => () => void
  /** Lets what is under way finish, then closes every connection. */
  readonly close: () => Promise<void>
  /** Breaks off everything. */
  readonly destroy: () => Promise<void>
}

/** What a forwarder is made of. */
export interface ForwarderParts {
  readonly upstream: URL
  readonly tls: UpstreamTls
  readonly limits: ProxyLimits
  /** Told the size of each piece of a body, in either direction. */
  readonly onPassed: (bytes: number) => void
  /** Told of each error on the way to the application. */
  readonly onError: (error: Error) => void
}

/** Makes the pool for one application; nothing is connected before the first request. */
export function createForwarder(parts: ForwarderParts): Forwarder {
  const { limits, onPassed, onError } = parts
  const usedConnectionErrors = new WeakSet<Error>()
  const pool = createPool(parts, usedConnectionErrors)
  const { upstreamConnections, upstreamResponseTimeoutMs } = limits
  const places = createPlaces(
    upstreamConnections,
    upstreamConnections * WAITING_PER_CONNECTION,
    upstreamResponseTimeoutMs,
  )
  const shared: Shared = {
    ...{ usedConnectionErrors, onPassed, onError, onLeft: places.giveBack },
    // Undici takes the name of the certificate from the Host of each request, and connects anew where it is another one
    serverName: parts.upstream.protocol === 'https:' ? certificateName(parts.upstream, parts.tls) : undefined,
  }

  const forward = (_permit: Permit, order: Order): (() => void) => {
    if (places.take()) return dispatch(pool, order, shared)
    const refuse = (): void => order.reader.onFault(overloadedFault)
    let stop = places.wait(() => {
      stop = dispatch(pool, order, shared)
    }, refuse)
    if (stop === undefined) refuse()
    else order.reader.onWaiting()
    return () => stop?.()
  }
  const close = async (): Promise<void> => {
    await places.nobodyWaits()
    await pool.close()
  }
  return Object.freeze({ forward, close, destroy: () => pool.destroy() })
}

/** What all requests to one application share. */
interface Shared {
  readonly usedConnectionErrors: WeakSet<Error>
  readonly onPassed: (bytes: number) => void
  readonly onError: (error: Error) => void
  readonly serverName: string | undefined
  /** Called once for each request, when its connection is free for another. */
  readonly onLeft: () => void
}

function createPool({ upstream, tls, limits }: ForwarderParts, usedConnectionErrors: WeakSet<Error>): Pool {
  const { servername, ...authority } = tlsOptions(upstream, tls)
  const connectNew = buildConnector({ timeout: limits.upstreamConnectTimeoutMs, allowH2: false, ...authority })
  return new Pool(upstream.origin, {
    connections: limits.upstreamConnections,
    pipelining: 1,
    connect: (options, callback) => {
      connectNew(upstream.protocol === 'https:' ? { ...options, servername } : options, (...result) => {
        // On an error there is no socket, not even null as the types have it
        const socket = result[0] === null ? result[1] : undefined
        if (socket !== undefined) markErrorsOfUsed(socket, usedConnectionErrors)
        callback(...result)
      })
    },
    headersTimeout: limits.upstreamResponseTimeoutMs,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeoutThreshold: 1_000,
    maxHeaderSize: RESPONSE_HEADER_BYTES,
    strictContentLength: true,
    allowH2: false,
    // undici reports an error thrown by a handler as an event of the client, which would end the process if unheard
    factory: (origin, options) => new Client(origin, options as Client.Options).on('error' as 'disconnect', () => {}),
  })
}

/** An error on a connection that has already carried an answer may only mean that it was closed while idle. */
function markErrorsOfUsed(socket: Socket, errors: WeakSet<Error>): void {
  socket.on('error', (error) => {
    if (socket.bytesRead > 0) errors.add(error)
  })
}

function dispatch(pool: Pool, order: Order, shared: Shared): () => void {
  const { message, reader } = order
  const { usedConnectionErrors, onPassed, onError, onLeft } = shared
  const hasBody = message.framing !== 'none'
  const upload = hasBody
    ? createUpload(order.req, { limitBytes: order.bodyBytes, onFirstRead: order.onBodyWanted, onPassed })
    : undefined
  const options = dispatchOptions(order, upload, shared.serverName)
  const isRepeatable =
    !hasBody && (message.method === 'GET' || message.method === 'HEAD' || message.method === 'OPTIONS')
  let controller: Dispatcher.DispatchController | undefined
  let isStopped = false
  let isAnswered = false
  let isRepeated = false
  let interim = 0

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      if (isStopped) throw new Error('Cannot send the request: the client is gone')
      controller = started
      if (!isRepeated) reader.onSent()
    },
    onResponseStarted() {
      isAnswered = true
    },
    onResponseStart(flow, status) {
      if (isStopped) return
      if (status >= 100 && status < 200) {
        if (++interim > INTERIM_ANSWERS) throw new Error('Cannot read the answer: it has too many interim answers')
        return
      }
      reader.onStart(status, textHeaders(flow.rawHeaders), flow)
    },
    onResponseData(flow, chunk) {
      onPassed(chunk.length)
      if (!isStopped) reader.onData(chunk, flow)
    },
    onResponseEnd() {
      onLeft()
      if (!isStopped) reader.onEnd()
    },
    onResponseError(_flow, error) {
      if (!isStopped && isRepeatable && !isRepeated && !isAnswered && isIdleClose(error, usedConnectionErrors)) {
        isRepeated = true
        pool.dispatch(options, handler)
        return
      }
      onLeft()
      upload?.stream.destroy()
      if (isStopped) return
      onError(error)
      isStopped = true
      reader.onFault(upload?.isTooLong() === true ? bodyTooLongFault : faultOf(error, controller !== undefined))
    },
  }
  pool.dispatch(options, handler)

  return () => {
    if (isStopped) return
    isStopped = true
    upload?.stream.destroy()
    controller?.abort(new Error('Cannot finish the request: it was broken off'))
  }
}

function dispatchOptions(
  order: Order,
  upload: Upload | undefined,
  serverName: string | undefined,
): Dispatcher.DispatchOptions & { readonly servername?: string } {
  const { message } = order
  const headers = ['host', message.host]
  if (message.framing === 'length') headers.push('content-length', String(message.contentLength))
  for (const part of order.headers) headers.push(part)
  return {
    path: order.target,
    method: message.method as Dispatcher.HttpMethod,
    headers,
    body: upload === undefined ? null : upload.stream,
    ...(serverName === undefined ? {} : { servername: serverName }),
  }
}

/** Whether the connection was closed by the application while it was idle, as far as can be seen (RFC 9112 section 9.3.1). */
function isIdleClose(error: Error, usedConnectionErrors: WeakSet<Error>): boolean {
  const code = codeOf(error)
  if (code !== 'UND_ERR_SOCKET' && code !== 'ECONNRESET' && code !== 'EPIPE') return false
  if (usedConnectionErrors.has(error)) return true
  const socket = 'socket' in error ? error.socket : undefined
  return typeof socket === 'object' && socket !== null && 'bytesRead' in socket && Number(socket.bytesRead) > 0
}

/** Header bytes as Latin-1 text, so that 8-bit values cross unchanged. Throws where there are more lines than anyone needs. */
function textHeaders(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) throw new Error('Cannot read the answer: there are no headers')
  if (raw.length > RESPONSE_HEADER_LINES * 2) throw new Error('Cannot read the answer: it has too many headers')
  const headers: string[] = []
  for (const part of raw) headers.push(typeof part === 'string' ? part : part.toString('latin1'))
  return headers
}
