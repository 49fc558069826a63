// Applications to stand behind the proxy: one that keeps the exact bytes it got and answers what it was told to, and one
// that answers with what it understood.
import { createHash } from 'node:crypto'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { listen } from './listen.ts'

export interface RawOrigin {
  readonly url: URL
  /** Everything received, as Latin-1, one string for each connection. */
  readonly received: string[]
  readonly sockets: Set<Socket>
  /** How many connections have been closed by the other side or by us. */
  readonly closed: () => number
  readonly text: () => string
  readonly close: () => Promise<void>
}

export const okAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Keeps exact bytes. `onBytes` gets the socket and everything received on it so far, and answers as it likes. */
export async function startRawOrigin(
  onBytes: (socket: Socket, sofar: string) => void = (socket) => socket.write(okAnswer),
): Promise<RawOrigin> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  let closedCount = 0
  const server = createServer((socket) => {
    const index = received.push('') - 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      closedCount += 1
    })
    socket.on('data', (bytes) => {
      received[index] = (received[index] ?? '') + bytes.toString('latin1')
      onBytes(socket, received[index] ?? '')
    })
  })
  const port = await listen(server)
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    received,
    sockets,
    closed: () => closedCount,
    text: () => received.join(''),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

/** An application that answers every complete request with `answer`. */
export function startScriptedOrigin(answer: string): Promise<RawOrigin> {
  return startRawOrigin((socket, sofar) => {
    if (sofar.endsWith('\r\n\r\n')) socket.write(answer, 'latin1')
  })
}

/** What the echo application saw. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly rawHeaders: string[]
  readonly bodyBytes: number
  readonly bodySha256: string
}

export interface EchoOrigin {
  readonly url: URL
  readonly seen: Seen[]
  readonly server: HttpServer
  readonly close: () => Promise<void>
}

/** Answers 200 with what it saw, as JSON. */
export async function startEchoOrigin(): Promise<EchoOrigin> {
  const seen: Seen[] = []
  const server = createHttpServer(async (req, res) => {
    const hash = createHash('sha256')
    let bodyBytes = 0
    try {
      for await (const chunk of req) {
        hash.update(chunk)
        bodyBytes += chunk.length
      }
    } catch {
      return
    }
    const record = {
      method: req.method ?? '',
      url: req.url ?? '',
      rawHeaders: req.rawHeaders,
      bodyBytes,
      bodySha256: hash.digest('hex'),
    }
    seen.push(record)
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify(record))
  })
  const port = await listen(server)
  return { url: new URL(`http://127.0.0.1:${port}`), seen, server, close: () => closeHttp(server) }
}

/** An application of the caller's own. */
export async function startApp(
  listener: Parameters<typeof createHttpServer>[1],
): Promise<{ url: URL; server: HttpServer; close: () => Promise<void> }> {
  const server = createHttpServer(listener)
  const port = await listen(server)
  return { url: new URL(`http://127.0.0.1:${port}`), server, close: () => closeHttp(server) }
}

function closeHttp(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
