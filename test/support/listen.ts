// A listening socket on a free port, whatever the server is.
import type { AddressInfo, Server } from 'node:net'

/** Starts to listen on 127.0.0.1 and answers the port. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

/** A port on which nothing listens. */
export async function freePort(server: Server): Promise<number> {
  const port = await listen(server)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
