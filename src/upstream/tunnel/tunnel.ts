// WebSocket connections to the application, the only door to http-proxy-3. It is handed a cleaned request and asked for
// its sockets; what it would do with the answer by itself is taken over here, because it would relay the application's
// hop-by-hop headers and would believe any 101. It must never open a tunnel without a proven handshake.
import { type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ProxyServer } from 'http-proxy-3'
import type { ProxyLimits, UpstreamTls } from '../../http/limits.ts'
import type { Message } from '../../http/message.ts'
import type { Permit } from '../../model/decision.ts'
import { faultOf, protocolFault, type UpstreamFault } from '../fault.ts'
import { tunnelAgent } from '../tls.ts'
import { createFrameBoundary, policyViolationFrame } from './frame-boundary.ts'
import { isProven, requestHeaders, upgradeHeaders } from './handshake.ts'

const CLOSING_GRACE_MS = 1_000
const DEAD_PEER_CHECK_MS = 60_000

/** One upgrade to be made. */
export interface TunnelOrder {
  readonly message: Message
  readonly target: string
  /** Names and values in turn, cleaned; Host, Connection and Upgrade are added here. */
  readonly headers: readonly string[]
  readonly req: IncomingMessage
  readonly socket: Socket
  /** What the client sent after its request: held back until the application has agreed. */
  readonly head: Buffer
  readonly upstream: URL
  readonly upstreamTls: UpstreamTls
  readonly limits: ProxyLimits
  readonly events: TunnelEvents
}

/** What becomes of it. */
export interface TunnelEvents {
  /** The application has answered: what goes to the client of its headers, or undefined to refuse the answer. */
  readonly headersFor: (status: number, rawHeaders: readonly string[]) => Promise<string[] | undefined>
  /** The tunnel stands. `end` closes it from our side: with a close frame where that can be sent, then both sockets. */
  readonly onOpen: (end: () => void) => void
  /** The application answered with a plain response, which is being passed on. */
  readonly onAnswered: (status: number, res: ServerResponse) => void
  /** That response broke off. */
  readonly onBroken: (fault: UpstreamFault) => void
  /** There is no tunnel and nothing was sent to the client yet. */
  readonly onFault: (fault: UpstreamFault) => void
}

/** Makes the function that opens tunnels; it answers a function that breaks the attempt or the tunnel off. */
export function createTunnel(
  onError: (error: Error, upstream: URL) => void,
): (permit: Permit, order: TunnelOrder) => () => void {
  const requests = new WeakMap<IncomingMessage, ClientRequest>()
  const proxy = new ProxyServer({ ws: true, xfwd: false, changeOrigin: false, prependPath: false, toProxy: true })
  proxy.on('proxyReqWs', (outgoing, req) => {
    // http-proxy-3 joins paths in a way that loses an empty query
    outgoing.path = req.url ?? '/'
    outgoing.maxHeadersCount = 0
    requests.set(req, outgoing)
  })
  proxy.on('error', () => {})

  return (_permit, order) => {
    const { req, socket } = order
    req.headers = requestHeaders(order.message.host, order.headers)
    req.url = order.target
    let isDone = false
    let stop = (): void => {
      socket.destroy()
    }
    const fail = (fault: UpstreamFault): void => {
      if (isDone) return
      isDone = true
      order.events.onFault(fault)
    }
    socket.once('close', () => {
      isDone = true
      stop()
    })
    const target = order.upstream
    const connectTimeout = order.limits.upstreamConnectTimeoutMs
    const agent = tunnelAgent(target, order.upstreamTls)
    const options = agent === undefined ? { target, connectTimeout } : { target, connectTimeout, agent }
    proxy.ws(req, socket, order.head, options, (error) => {
      onError(error, target)
      fail(faultOf(error, true))
    })
    const outgoing = requests.get(req)
    if (outgoing === undefined) {
      fail(protocolFault)
      return stop
    }
    stop = () => outgoing.destroy()
    socket.on('readable', leaveAtEnd)
    takeOver(outgoing, order, fail, (opened) => {
      isDone = true
      stop = opened
    })
    return () => stop()
  }
}

/** Until the tunnel stands nobody reads the client's socket, and so nobody would see it close. */
function leaveAtEnd(this: Socket): void {
  if (this.readableLength > 0) return
  this.once('end', this.destroy)
  this.read()
}

function stopWatching(socket: Socket): void {
  socket.off('readable', leaveAtEnd).off('end', socket.destroy)
}

function takeOver(
  outgoing: ClientRequest,
  order: TunnelOrder,
  fail: (fault: UpstreamFault) => void,
  onOpened: (stop: () => void) => void,
): void {
  const { events, socket, message } = order
  const timer = setTimeout(
    () => {
      outgoing.destroy(
        Object.assign(new Error('Cannot upgrade: no answer in time'), { code: 'UND_ERR_HEADERS_TIMEOUT' }),
      )
    },
    order.limits.upstreamResponseTimeoutMs || 2 ** 30,
  )
  outgoing.once('close', () => clearTimeout(timer))
  const joinSockets = outgoing.listeners('upgrade')
  outgoing.removeAllListeners('upgrade').removeAllListeners('response')

  outgoing.once('upgrade', async (answer: IncomingMessage, appSocket: Socket, appHead: Buffer) => {
    clearTimeout(timer)
    appSocket.on('error', () => appSocket.destroy())
    const refuseAnswer = (): void => {
      appSocket.destroy()
      fail(protocolFault)
    }
    if (answer.statusCode !== 101 || !isProven(answer, message.headers)) return refuseAnswer()
    const lines = await events.headersFor(101, answer.rawHeaders)
    if (lines === undefined) return refuseAnswer()
    if (socket.destroyed) return appSocket.destroy()
    // Its close has been while the next token was awaited: nobody would tell of it again
    if (appSocket.destroyed) return refuseAnswer()
    answer.headers = upgradeHeaders(lines)
    // http-proxy-3 writes the head as text: 8-bit header bytes have to stay one byte
    socket.setDefaultEncoding('latin1')
    stopWatching(socket)
    const boundary = createFrameBoundary()
    onOpened(() => appSocket.destroy())
    appSocket.once('close', () => closeAfter(socket))
    for (const join of joinSockets) join(answer, appSocket, appHead)
    // Not earlier: a listener makes the socket flow, and what came with the 101 would reach it alone
    appSocket.on('data', boundary.follow)
    // A peer that vanished without a word is looked for; http-proxy-3 leaves that to the system's two hours
    socket.setKeepAlive(true, DEAD_PEER_CHECK_MS)
    appSocket.setKeepAlive(true, DEAD_PEER_CHECK_MS)
    events.onOpen(() => endTunnel(socket, appSocket, boundary.isAtBoundary()))
  })
  outgoing.once('response', async (answer: IncomingMessage) => {
    clearTimeout(timer)
    const status = answer.statusCode ?? 0
    let isPassedOn = false
    let isBroken = false
    const broken = (error: Error): void => {
      isBroken = true
      if (isPassedOn) events.onBroken(faultOf(error, true))
      else fail(faultOf(error, true))
    }
    answer.on('error', broken)
    // Earlier than http-proxy-3, which closes the socket of the client as if all were said
    outgoing.prependListener('error', broken)
    const lines = status < 200 || status > 599 ? undefined : await events.headersFor(status, answer.rawHeaders)
    const isLate = isBroken || socket.destroyed
    const res = lines === undefined || isLate ? undefined : passOn(order, answer, status, lines)
    if (res === undefined) {
      answer.destroy()
      fail(protocolFault)
      return
    }
    isPassedOn = true
    onOpened(() => outgoing.destroy())
    events.onAnswered(status, res)
  })
}

/** A plain answer to an upgrade: written by Node with its own framing, then the connection closes. Nothing where it cannot. */
function passOn(
  order: TunnelOrder,
  answer: IncomingMessage,
  status: number,
  lines: string[],
): ServerResponse | undefined {
  const res = new ServerResponse(order.req)
  try {
    res.shouldKeepAlive = false
    res.writeHead(status, [...lines, 'connection', 'close'])
  } catch {
    return undefined
  }
  res.assignSocket(order.socket)
  res.on('finish', () => closeAfter(order.socket))
  answer.pipe(res)
  return res
}

/** Lets what was written go out, then closes; destroys where the other side does not let go. */
function closeAfter(socket: Socket): void {
  if (socket.destroyed) return
  socket.end()
  const timer = setTimeout(() => socket.destroy(), CLOSING_GRACE_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}

function endTunnel(socket: Socket, appSocket: Socket, isAtBoundary: boolean): void {
  appSocket.unpipe(socket)
  socket.unpipe(appSocket)
  if (!isAtBoundary || socket.destroyed) {
    socket.destroy()
  } else {
    socket.write(policyViolationFrame)
    socket.resume()
    closeAfter(socket)
  }
  appSocket.destroy()
}
