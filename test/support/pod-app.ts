// The app of a pod, as a program of its own: it listens on 127.0.0.1 alone, finishes what it has begun when it is told to
// stop, and with `job` as its argument ends by itself.
import { createServer } from 'node:http'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'

const SLOW_MS = 1500
const JOB_MS = 300
const [, , port = '3000', name = 'app', kind = 'server'] = process.argv

const server = createServer(async (request, response) => {
  if (request.url === '/slow') await wait(SLOW_MS)
  response.end(`hello from ${name}`)
})

if (kind === 'job') setTimeout(() => process.exit(0), JOB_MS)
else server.listen(Number(port), '127.0.0.1', () => console.log('listening'))

process.once('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
