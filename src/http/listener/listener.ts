// How do clients reach the server: over plain HTTP or over TLS? The one place that makes the server, and that exchanges its
// certificate while it runs. A client without the certificate that was asked for never becomes a connection.
import { constants } from 'node:crypto'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

/** What the server shows to clients, and whom it asks to show theirs. All as PEM, checked by whoever read it. */
export interface ListenerCertificates {
  /** The certificate of the server, and those between it and its authority. */
  readonly certificate: string
  readonly privateKey: string
  /** Who vouches for clients; undefined: no client is asked for a certificate. */
  readonly clientAuthority: string | undefined
  /** Lists of revoked client certificates; only with `clientAuthority`. */
  readonly revokedClients?: readonly string[] | undefined
  /** Default 1.2. */
  readonly minVersion?: '1.2' | '1.3' | undefined
}

/** Handshakes under way may take one part in so many of the connections. */
const HANDSHAKE_SHARE = 4

/** With forward secrecy and without CBC and SHA-1, which scanners complain of. The first three are those of TLS 1.3. */
const AEAD_SUITES = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':')

/** Why a connection ended before a request could come. */
export type RefusedConnection = 'maximum' | 'handshakes' | 'handshake_failed'

/** How many connections there may be, and who hears of those that were too many. */
export interface ConnectionBounds {
  /** Undefined is no bound. */
  readonly most: number | undefined
  readonly onRefused: (cause: RefusedConnection) => void
}

/** A server that does not listen yet. */
export interface Listener {
  readonly server: Server
  readonly scheme: 'http' | 'https'
  /** Calls back with each connection on which requests may come: after the handshake where there is one. */
  readonly onConnection: (take: (socket: Socket) => void) => void
  /**
   * Takes other certificates for connections from now on; without effect over plain HTTP. Answers whether clients
   * that are connected might be refused now. Throws where the certificates are unusable.
   */
  readonly renew: (certificates: ListenerCertificates) => boolean
  /** Closes the connections whose handshake is still under way: nobody counts them as idle. */
  readonly closeHandshakes: () => void
  /** How many handshakes are under way. */
  readonly handshakes: () => number
}

/** Makes the server. `handshakeTimeoutMs` bounds how long a client may take to begin. */
export function createListener(
  options: ServerOptions,
  certificates: ListenerCertificates | undefined,
  handshakeTimeoutMs: number,
  bounds: ConnectionBounds,
): Listener {
  if (certificates === undefined) {
    const server = createServer(options)
    boundConnections(server, bounds)
    return Object.freeze({
      server,
      scheme: 'http',
      onConnection: (take: (socket: Socket) => void) => server.on('connection', take),
      renew: () => false,
      closeHandshakes: () => {},
      handshakes: () => 0,
    })
  }
  return createSecureListener(options, certificates, handshakeTimeoutMs, bounds)
}

function createSecureListener(
  options: ServerOptions,
  certificates: ListenerCertificates,
  handshakeTimeout: number,
  bounds: ConnectionBounds,
): Listener {
  const { clientAuthority } = certificates
  const asksClients = clientAuthority !== undefined
  const server: SecureServer = createSecureServer({
    ...options,
    ...contextOf(certificates, clientAuthority),
    ALPNProtocols: ['http/1.1'],
    requestCert: asksClients,
    rejectUnauthorized: true,
    handshakeTimeout,
  })
  boundConnections(server, bounds)
  let authority = clientAuthority
  let before = certificates
  const mostHandshakes =
    bounds.most === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(bounds.most / HANDSHAKE_SHARE))
  /** The oldest first. */
  const handshakes = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket)
    handshakes.set(peer, socket)
    if (handshakes.size > mostHandshakes) dropOldest()
    socket.once('close', () => {
      if (handshakes.get(peer) !== socket) return
      handshakes.delete(peer)
      bounds.onRefused('handshake_failed')
    })
  })
  server.on('secureConnection', (socket) => handshakes.delete(peerOf(socket)))

  /** A client that means it has long been through: silence must not keep out those that come after it. */
  function dropOldest(): void {
    for (const [peer, socket] of handshakes) {
      handshakes.delete(peer)
      bounds.onRefused('handshakes')
      socket.destroy()
      return
    }
  }

  const closeHandshakes = (): void => {
    for (const socket of handshakes.values()) socket.destroy()
  }

  const renew = (given: ListenerCertificates): boolean => {
    // Whether clients are asked is fixed with the server. Asking without an authority would believe every public one
    const isAuthorityKept = asksClients && given.clientAuthority === undefined
    const next = isAuthorityKept ? { ...given, revokedClients: before.revokedClients } : given
    const nextAuthority = asksClients ? (next.clientAuthority ?? authority) : undefined
    server.setSecureContext(contextOf(next, nextAuthority))
    const areOthersBelieved = nextAuthority !== authority || isStricter(next, before)
    authority = nextAuthority
    before = next
    // A handshake under way may have been judged by the authority before
    if (areOthersBelieved) closeHandshakes()
    return areOthersBelieved
  }
  return Object.freeze({
    server: server as Server,
    scheme: 'https',
    onConnection: (take: (socket: Socket) => void) => server.on('secureConnection', take),
    renew,
    closeHandshakes,
    handshakes: () => handshakes.size,
  })
}

function boundConnections(server: Server | SecureServer, { most, onRefused }: ConnectionBounds): void {
  if (most !== undefined) server.maxConnections = most
  server.on('drop', () => onRefused('maximum'))
}

function contextOf(certificates: ListenerCertificates, authority: string | undefined): SecureContextOptions {
  return {
    cert: certificates.certificate,
    key: certificates.privateKey,
    ...(authority !== undefined && { ca: authority }),
    ...(certificates.revokedClients !== undefined && { crl: [...certificates.revokedClients] }),
    minVersion: `TLSv${certificates.minVersion ?? '1.2'}`,
    ciphers: AEAD_SUITES,
    // A client that renegotiates makes the server work far more than itself (CVE-2011-1473)
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
}

/** Whether a client may be refused now that was let in before. A list that only leaves out certificates counts as well. */
function isStricter(next: ListenerCertificates, before: ListenerCertificates): boolean {
  if (next.minVersion === '1.3' && before.minVersion !== '1.3') return true
  return next.revokedClients?.join() !== before.revokedClients?.join()
}

/** Names the connection before and after the handshake, which wraps the socket into another one. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
