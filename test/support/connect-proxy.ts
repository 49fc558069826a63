// A real proxy: CONNECT, and requests in absolute form. It knows no names: every server that it is asked for is this machine.
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { listen } from './listen.ts'

export interface ConnectProxy {
  readonly port: number
  readonly url: string
  /** What it was asked for: `CONNECT host:port` or `GET http://…`. */
  readonly asked: string[]
  readonly headers: IncomingHttpHeaders[]
  /** What it does with CONNECT. */
  behaviour: 'serve' | 'refuse' | 'hang'
  /** How many connections are open to it. */
  open(): number
  close(): Promise<void>
}

/** Starts it; tunnels and requests end at `targetPort` of this machine. */
export async function startConnectProxy(targetPort: number): Promise<ConnectProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((req, res) => {
    proxy.asked.push(`${req.method} ${req.url}`)
    proxy.headers.push(req.headers)
    const { pathname } = new URL(req.url ?? '')
    request({ port: targetPort, path: pathname, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    }).end()
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('connect', (req, client: Socket) => {
    proxy.asked.push(`CONNECT ${req.url}`)
    proxy.headers.push(req.headers)
    if (proxy.behaviour === 'hang') {
      // Without a reader it would never see the end of the connection
      client.on('end', () => client.destroy()).resume()
      return
    }
    if (proxy.behaviour === 'refuse') {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
      return
    }
    const target = connect(targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroy())
  })
  const port = await listen(server)
  const proxy: ConnectProxy = {
    port,
    url: `http://127.0.0.1:${port}`,
    asked: [],
    headers: [],
    behaviour: 'serve',
    open: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
  return proxy
}
