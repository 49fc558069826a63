// The ceiling of the runtime: bytes from one socket to another in Node, with nothing read and nothing checked.
import { connect, createServer } from 'node:net'

const { PORT, UPSTREAM_PORT } = process.env

createServer({ noDelay: true }, (client) => {
  const app = connect({ port: Number(UPSTREAM_PORT), host: '127.0.0.1', noDelay: true })
  client.pipe(app).pipe(client)
  client.on('error', () => app.destroy())
  app.on('error', () => client.destroy())
}).listen(Number(PORT), '127.0.0.1')
