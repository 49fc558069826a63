// Opening and closing a server, as promises. Listening on "::" takes IPv4 as well, and falls back to IPv4 alone where the
// host has no IPv6; no other address is ever exchanged for another.

import type { Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { codeOf } from '../../model/error.ts'

interface Place {
  readonly host: string
  readonly port: number
}

/** What the system answers where IPv6 is off in the kernel, or off for this container. */
const NO_IPV6: ReadonlySet<unknown> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])

/** Listens; rejects where the address cannot be had. Port 0 takes a free one. */
export async function listenOn(server: Server, { host, port }: Place): Promise<AddressInfo> {
  try {
    return await listenOnce(server, { host, port })
  } catch (error) {
    if (host !== '::' || !NO_IPV6.has(codeOf(error))) throw error
    return listenOnce(server, { host: '0.0.0.0', port })
  }
}

function listenOnce(server: Server, { host, port }: Place): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off('listening', onListening)
      reject(error)
    }
    const onListening = (): void => {
      server.off('error', onError)
      resolve(server.address() as AddressInfo)
    }
    server.once('error', onError)
    server.once('listening', onListening)
    server.listen(port, host)
  })
}

/** Closes the server and every connection to it. */
export function closeServer(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
