// Which requests are open on which client connection: pipelined requests share one, and what happens to the connection
// happens to all of them. It knows no HTTP.
import type { Socket } from 'node:net'
import type { Exchange } from '../exchange.ts'

/** One connection of a client. */
export interface Connection {
  readonly socket: Socket
  readonly open: Set<Exchange>
  /** The request that came last, open or not: what breaks while it is incomplete belongs to it. */
  latest: Exchange | undefined
  /** Nothing that still arrives on it is taken for a request. */
  isClosing: boolean
  /** Called once when no exchange is open any more. */
  whenIdle: (() => void) | undefined
}

/** All of them. */
export interface Connections {
  readonly add: (socket: Socket, onGone: (exchange: Exchange) => void) => void
  readonly of: (socket: Socket) => Connection | undefined
  /** Enters an exchange on its connection. */
  readonly begun: (connection: Connection, exchange: Exchange) => void
  readonly ended: (exchange: Exchange) => void
  readonly count: () => number
  /** How many requests are being served. */
  readonly openExchanges: () => number
  /** Closes connections on which nothing has ever come: Node does not count them as idle. */
  readonly closeUnused: () => void
  /** Lets the requests that are open finish, takes no more, and closes what has none. */
  readonly retireAll: () => void
  readonly destroyAll: () => void
}

/** Makes the registry. */
export function createConnections(): Connections {
  const all = new Map<Socket, Connection>()

  const add: Connections['add'] = (socket, onGone) => {
    const connection: Connection = { socket, open: new Set(), latest: undefined, isClosing: false, whenIdle: undefined }
    all.set(socket, connection)
    socket.once('close', () => {
      all.delete(socket)
      connection.isClosing = true
      for (const exchange of connection.open) onGone(exchange)
    })
  }
  const begun: Connections['begun'] = (connection, exchange) => {
    connection.open.add(exchange)
    connection.latest = exchange
  }
  const ended: Connections['ended'] = (exchange) => {
    const connection = all.get(exchange.socket)
    if (connection === undefined || !connection.open.delete(exchange)) return
    if (connection.open.size > 0 || connection.whenIdle === undefined) return
    const { whenIdle } = connection
    connection.whenIdle = undefined
    whenIdle()
  }
  const openExchanges = (): number => {
    let count = 0
    for (const connection of all.values()) count += connection.open.size
    return count
  }
  const closeUnused = (): void => {
    for (const { socket } of all.values()) if (socket.bytesRead === 0) socket.destroy()
  }
  const retireAll = (): void => {
    for (const connection of all.values()) {
      if (connection.open.size === 0) connection.socket.destroy()
      // One that is closing already answers first what broke it
      else if (!connection.isClosing) {
        connection.isClosing = true
        connection.whenIdle = () => connection.socket.destroySoon()
      }
    }
  }
  const destroyAll = (): void => {
    for (const socket of all.keys()) socket.destroy()
  }
  return Object.freeze({
    add,
    of: (socket: Socket) => all.get(socket),
    begun,
    ended,
    count: () => all.size,
    openExchanges,
    closeUnused,
    retireAll,
    destroyAll,
  })
}
