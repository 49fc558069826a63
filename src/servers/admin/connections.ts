// How many connections may the admin port hold? Anybody in the cluster can open them, and a probe must get in all the same: where
// there are too many, the oldest that waits for nothing of ours goes.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Bounds the connections of a server; a request that is being answered is never broken off. */
export function boundConnections(server: Server, most: number): void {
  /** In the order in which they came, with the number of their requests that are being answered. */
  const open = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    open.set(socket, 0)
    socket.once('close', () => open.delete(socket))
    if (open.size <= most) return
    for (const [other, answering] of open)
      if (answering === 0) {
        // At once, so that the next one that comes finds it gone
        open.delete(other)
        other.destroy()
        return
      }
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    add(socket, 1)
    response.once('close', () => add(socket, -1))
  })

  function add(socket: Socket, count: number): void {
    const before = open.get(socket)
    if (before !== undefined) open.set(socket, before + count)
  }
}
