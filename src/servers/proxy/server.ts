// The listening side: one server of node:http or node:https with a strict parser, its limits, and the way it goes away. It must never
// answer a request by itself: what the parser refuses is answered in the same form as every other refusal.

import type { IncomingMessage, Server, ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Lifetime } from '../../gate/open-connections.ts'
import type { ProxyPolicy } from '../../http/limits.ts'
import { type Connection, createConnections } from '../../http/listener/connections.ts'
import { listenOn } from '../../http/listener/listen.ts'
import { createListener, type ListenerCertificates, type RefusedConnection } from '../../http/listener/listener.ts'
import { createRefusedReport } from '../../http/listener/refused-connections.ts'
import { createReclaim } from '../../http/reclaim-memory.ts'
import { codeOf } from '../../model/error.ts'
import type { ErrorLogger } from '../../model/logger.ts'
import type { Outcome } from '../../model/outcome.ts'
import { type Refusal, refuse } from '../../model/refusal.ts'
import { createForwarder, type Forwarder } from '../../upstream/forward.ts'
import { createTlsReport } from '../../upstream/tls-errors.ts'
import { createTunnel } from '../../upstream/tunnel/tunnel.ts'
import { createHandler, type Handler } from './handler.ts'

const CONNECTION_CHECK_MS = 1_000
/** A peer that vanished without a word is looked for after this much silence. */
const DEAD_PEER_CHECK_MS = 60_000
/** A client that has closed its half is let go after so many checks between which no byte went out to it. */
const QUIET_CHECKS = 3
const QUIET_CHECK_MS = 100

/** What the proxy is made of. */
export interface ProxyParts {
  /** The policy in force, asked for each request; its server limits are read once. */
  readonly current: () => ProxyPolicy
  readonly lifetime: Lifetime
  /** Called exactly once for each request, however it ended. */
  readonly observe: (outcome: Outcome) => void
  readonly log: ErrorLogger
  /** Milliseconds that only move forward, with fractions: `performance.now`. */
  readonly monotonicMs: () => number
  /** How many client connections may be open; undefined is no bound. */
  readonly maxConnections?: number
  /** Called for each connection that ended before a request could come. */
  readonly onRefusedConnection?: ((cause: RefusedConnection) => void) | undefined
  /** Undefined: plain HTTP. */
  readonly certificates?: ListenerCertificates | undefined
  /** Collects young garbage at once; absent: V8 does it in its own time. */
  readonly collectGarbage?: (() => void) | undefined
  /** Whether the pod is about to go: no connection outlives its present answer. */
  readonly isLeaving?: (() => boolean) | undefined
}

/** The proxy, as its owner sees it. */
export interface ProxyServer {
  /** Starts to listen; rejects where the address cannot be had. Port 0 takes a free one. */
  readonly listen: (address: { readonly host: string; readonly port: number }) => Promise<AddressInfo>
  readonly address: () => AddressInfo | undefined
  /** How many requests are being served, tunnels not counted. */
  readonly inFlight: () => number
  /** Connections on which requests may come, and those whose TLS handshake is under way. */
  readonly connections: () => { readonly open: number; readonly handshake: number }
  /**
   * Shows other certificates to connections from now on. Those that are open go on, save where other clients are believed:
   * then they end after their present answer. Throws where the certificates are unusable.
   */
  readonly renewCertificates: (certificates: ListenerCertificates) => void
  /** Stops accepting, lets what is open finish, and destroys what is still there after `timeoutMs`. */
  readonly drain: (timeoutMs: number) => Promise<void>
}

/** Makes the proxy; nothing happens before `listen`. */
export function createProxyServer(parts: ProxyParts): ProxyServer {
  const connections = createConnections()
  const reportTls = createTlsReport(parts.log, parts.monotonicMs)
  const forwarders = createForwarders(createReclaim(parts.collectGarbage ?? (() => {})), reportTls)
  const policy = parts.current()
  const listener = createListener(serverOptions(policy), parts.certificates, policy.limits.headersTimeoutMs, {
    most: parts.maxConnections,
    onRefused: createRefusedReport(parts),
  })
  const { server } = listener
  let isClosing = false
  const handler = createHandler({
    current: parts.current,
    forwarder: forwarders.of,
    tunnel: createTunnel(reportTls),
    lifetime: parts.lifetime,
    connections,
    observe: parts.observe,
    log: parts.log,
    monotonicMs: parts.monotonicMs,
    isClosing: () => isClosing || parts.isLeaving?.() === true,
    scheme: listener.scheme,
  })
  // Node drops headers beyond its own count without a word; 0 leaves the counting to the message gate (CVE-2026-58044)
  server.maxHeadersCount = 0
  // Node would end its own half at once, and with it the answer to a client that has only said all it had to say
  Object.assign(server, { httpAllowHalfOpen: true })
  listener.onConnection((socket) => {
    socket.once('end', closeWhenQuiet)
    connections.add(socket, handler.gone)
  })
  server.on('request', handler.request)
  server.on('checkContinue', handler.request)
  server.on('checkExpectation', handler.request)
  // Node 26 hands over a stream of its own where the handshake has a body; the connection itself is always the request's
  server.on('upgrade', (req, _stream, head) => {
    req.socket.off('end', closeWhenQuiet)
    handler.upgrade(req, req.socket, head)
  })
  server.on('connect', (_req, socket) => onConnect(handler, connections.of(socket as Socket), socket as Socket))
  server.on('clientError', (error, socket) => {
    onBrokenMessage(handler, connections.of(socket as Socket), socket as Socket, codeOf(error))
  })
  server.on('error', (error) => parts.log.error({ error: error.message }, 'Cannot accept connections'))

  const drain = async (timeoutMs: number): Promise<void> => {
    isClosing = true
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    connections.closeUnused()
    listener.closeHandshakes()
    const deadline = setTimeout(() => connections.destroyAll(), timeoutMs)
    await closed
    clearTimeout(deadline)
    // Sockets tell of their end a moment after the server has: their outcomes are part of what was drained
    while (connections.count() > 0) await new Promise((resolve) => setImmediate(resolve))
    await forwarders.destroy()
  }
  return Object.freeze({
    listen: (address: { readonly host: string; readonly port: number }) => listenOn(server, address),
    address: () => addressOf(server),
    inFlight: connections.openExchanges,
    connections: () => ({ open: connections.count(), handshake: listener.handshakes() }),
    renewCertificates: (certificates: ListenerCertificates) => {
      // Who was believed at the handshake may not be any more
      if (listener.renew(certificates)) connections.retireAll()
    },
    drain,
  })
}

function serverOptions(policy: ProxyPolicy): ServerOptions {
  const { headerBytes, headersTimeoutMs, idleTimeoutMs, requestTimeoutMs } = policy.limits
  return {
    maxHeaderSize: headerBytes,
    headersTimeout: requestTimeoutMs > 0 ? Math.min(headersTimeoutMs, requestTimeoutMs) : headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    connectionsCheckingInterval: CONNECTION_CHECK_MS,
    requireHostHeader: false,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: DEAD_PEER_CHECK_MS,
    // Where Node knows it (24.9 and later): what is not a WebSocket upgrade is served as the plain request it also is
    shouldUpgradeCallback: isWebSocketUpgrade,
  }
}

function isWebSocketUpgrade(req: IncomingMessage): boolean {
  return req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket'
}

/** Closed in half, or left: only a write that is answered by a reset would tell, and a quiet application makes none. */
function closeWhenQuiet(this: Socket): void {
  let before = this.bytesWritten
  let quietChecks = 0
  // Several checks, not one long wait: a gate that was busy meanwhile reads what has come before it looks again
  const timer = setInterval(() => {
    quietChecks = this.bytesWritten === before ? quietChecks + 1 : 0
    before = this.bytesWritten
    if (quietChecks === QUIET_CHECKS) this.destroy()
  }, QUIET_CHECK_MS)
  this.once('close', () => clearInterval(timer))
}

/** CONNECT is for forward proxies. Its socket is out of Node's hands, so it can be answered only where nothing is open. */
function onConnect(handler: Handler, connection: Connection | undefined, socket: Socket): void {
  socket.on('error', () => socket.destroy())
  if (connection === undefined || connection.isClosing || connection.open.size > 0) {
    socket.destroy()
    return
  }
  connection.isClosing = true
  handler.broken(socket, undefined, refuse('message_invalid', { status: 405, detail: 'the method is CONNECT' }))
}

/** Bytes that are no message: answered where an answer has a place, else the connection ends when the open ones have. */
function onBrokenMessage(handler: Handler, connection: Connection | undefined, socket: Socket, code: string): void {
  // What follows a request that closes the connection is no concern of anyone
  if (code === 'HPE_CLOSED_CONNECTION') return
  const refusal = brokenMessageRefusal(code)
  if (connection === undefined || refusal === undefined) {
    socket.destroy()
    return
  }
  const { latest } = connection
  if (latest !== undefined && !latest.req.complete) {
    connection.isClosing = true
    // A second answer to a request that has one would be taken for the answer to the next
    if (latest.isSettled) socket.destroy()
    else handler.broken(socket, latest, refusal)
    return
  }
  if (connection.isClosing) return
  connection.isClosing = true
  const answer = (): void => handler.broken(socket, undefined, refusal)
  if (connection.open.size === 0) answer()
  else connection.whenIdle = answer
}

function brokenMessageRefusal(code: string): Refusal | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return refuse('headers_too_large', { detail: code })
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return refuse('message_invalid', { status: 413, detail: code })
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse('message_invalid', { status: 408, detail: code })
  return code.startsWith('HPE_') ? refuse('message_invalid', { detail: code }) : undefined
}

/** One pool for each upstream; a reload that changes the upstream or its limits lets the old pool finish. */
function createForwarders(
  onPassed: (bytes: number) => void,
  onError: (error: Error, upstream: URL) => void,
): {
  of: (policy: ProxyPolicy) => Forwarder
  destroy: () => Promise<void>
} {
  let made: { policy: ProxyPolicy; key: string; forwarder: Forwarder } | undefined
  const old = new Set<Forwarder>()
  const of = (policy: ProxyPolicy): Forwarder => {
    if (made?.policy === policy) return made.forwarder
    const key = poolKey(policy)
    if (made?.key === key) {
      made.policy = policy
      return made.forwarder
    }
    if (made !== undefined) retire(made.forwarder)
    const { upstream, upstreamTls: tls, limits } = policy
    const report = (error: Error): void => onError(error, upstream)
    made = { policy, key, forwarder: createForwarder({ upstream, tls, limits, onPassed, onError: report }) }
    return made.forwarder
  }
  const retire = (forwarder: Forwarder): void => {
    old.add(forwarder)
    void forwarder.close().finally(() => old.delete(forwarder))
  }
  const destroy = async (): Promise<void> => {
    const forwarders = made === undefined ? [...old] : [...old, made.forwarder]
    await Promise.all(forwarders.map((forwarder) => forwarder.destroy()))
  }
  return { of, destroy }
}

function poolKey({ upstream, upstreamTls: { authority, serverName }, limits }: ProxyPolicy): string {
  const { upstreamConnections, upstreamConnectTimeoutMs, upstreamResponseTimeoutMs } = limits
  const times = [upstreamConnectTimeoutMs, upstreamResponseTimeoutMs]
  return [upstream.origin, upstreamConnections, ...times, serverName, authority].join(' ')
}

function addressOf(server: Server): AddressInfo | undefined {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address : undefined
}
