// The app of the demo: it answers with what reached it, so that one can see what the gate lets through and adds.
import { createServer, type Server } from 'node:http'

/** Makes the app: every path answers 200 and says what it saw, except /missing, which the app does not have. */
export function createDemoApp(): Server {
  return createServer((request, response) => {
    const identity = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name.startsWith('x-auth-')))
    const status = request.url?.startsWith('/missing') === true ? 404 : 200
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify({ app: 'demo', method: request.method, path: request.url, identity })}\n`)
    request.resume()
  })
}
