// Who is at the other end of a connection, in the one spelling that settings, logs and headers use.

/** The address of a client; an IPv4 one in its own form where the socket is one of IPv6. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return 'unknown'
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress
}
