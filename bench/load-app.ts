// The app behind a gate under load: a short answer, a long slow one below /slow, and an echo over WebSocket.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { listen } from '../test/support/listen.ts'

const chunk = Buffer.alloc(16 * 1024)

const server = createServer((request, response) => {
  request.resume()
  if (request.url !== '/slow') {
    request.on('end', () => response.end('ok'))
    return
  }
  let left = 20
  const timer = setInterval(() => {
    response.write(chunk)
    if (--left === 0) response.end()
  }, 20)
  response.on('close', () => clearInterval(timer))
})
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message) => socket.send(message))
  socket.on('error', () => {})
})
process.send?.(await listen(server))
