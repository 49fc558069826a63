// The admin port: probes, metrics and the revocation API. It is a server of its own, so that none of it can be reached
// through the port that clients use.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Answer, problem, send, text } from '../../http/answer.ts'
import { type Check, livez, readyz } from '../../http/probes.ts'
import { boundConnections } from './connections.ts'
import { type AdminApi, readTarget } from './request.ts'

const MAXIMUM_HEADER_BYTES = 16 * 1024
/** What a client may take for a head; with the bound on connections, a bound on the memory that it can make us hold. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const CONNECTION_CHECK_MS = 1_000
/** A kubelet, a Prometheus and some people at once, many times over; their heads are 4 MiB at most. */
const MOST_CONNECTIONS = 256
/** Well below the time for which a new key waits before it signs. */
const KEY_SET_MAX_AGE_SECONDS = 300
const WHAT_IS_HERE =
  'Here are /livez, /readyz, /metrics, /drain and /.well-known/jwks.json, and with "admin.tokenFile" the API'

export interface AdminParts {
  readonly isAlive: () => Promise<boolean>
  readonly checks: () => readonly Check[] | Promise<readonly Check[]>
  /** Moves clients to other pods, and refuses nothing: no token is asked for. */
  readonly leave: () => void | Promise<void>
  readonly metrics: (accept: string | undefined) => Promise<{ readonly contentType: string; readonly body: string }>
  /** The public keys of the refresh as a JWK Set; undefined where there are none. */
  readonly keySet: () => string | undefined
  /** Answers for a probe of the app, by its path below /app-probe/. */
  readonly appProbe: (path: string) => Promise<Answer>
  /** Answers requests for the paths that need the admin token. */
  readonly api: AdminApi
  readonly onError: (error: unknown) => void
}

/** Makes the server; the caller listens and closes. */
export function createAdminServer(parts: AdminParts): Server {
  const options = {
    maxHeaderSize: MAXIMUM_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTION_CHECK_MS,
  }
  const server = createServer(options, (request, response) => {
    void answerRequest(request, response, parts)
  })
  boundConnections(server, MOST_CONNECTIONS)
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

async function answerRequest(request: IncomingMessage, response: ServerResponse, parts: AdminParts): Promise<void> {
  const isHead = request.method === 'HEAD'
  try {
    const answer = await route(request, parts)
    // An unread body would be taken for the next request or keep the connection busy.
    if (!request.complete) response.shouldKeepAlive = false
    send(response, answer, isHead)
  } catch (error) {
    // The client left in the middle of its body: nobody is there to answer, and nothing of ours is wrong.
    if (request.destroyed && !request.complete) return
    parts.onError(error)
    if (!response.headersSent) send(response, problem(500, 'Internal error', 'See the log of this pod'), isHead)
    else response.destroy()
  }
}

async function route(request: IncomingMessage, parts: AdminParts): Promise<Answer> {
  const { url: target = '' } = request
  if (!target.startsWith('/')) return problem(400, 'Bad request', 'The request target is not a path')
  const url = readTarget(target)
  if (url === undefined) return problem(404, 'Not found', WHAT_IS_HERE)
  switch (url.pathname) {
    case '/livez':
      return whenReading(request, async () => livez(await parts.isAlive()))
    case '/readyz':
      return whenReading(request, async () => readyz(await parts.checks()))
    case '/drain':
      return whenReading(request, async () => {
        await parts.leave()
        return text(200, 'leaving')
      })
    case '/metrics':
      return whenReading(request, async () => ({ status: 200, ...(await parts.metrics(request.headers.accept)) }))
    case '/.well-known/jwks.json':
      return whenReading(request, () => keySet(parts.keySet()))
    default:
      if (url.pathname.startsWith('/app-probe/')) return whenReading(request, () => parts.appProbe(url.pathname))
      return (await parts.api(request, url)) ?? problem(404, 'Not found', WHAT_IS_HERE)
  }
}

async function whenReading(request: IncomingMessage, answer: () => Answer | Promise<Answer>): Promise<Answer> {
  if (request.method === 'GET' || request.method === 'HEAD') return answer()
  return problem(405, 'Method not allowed', 'Use GET', { allow: 'GET, HEAD' })
}

/** The keys that other verifiers need for successors (RFC 7517 section 8.5.1). They are no secret, and change seldom. */
function keySet(body: string | undefined): Answer {
  if (body === undefined)
    return problem(404, 'Not found', 'No successor is signed here with a key that has a public half')
  const headers = { 'cache-control': `public, max-age=${KEY_SET_MAX_AGE_SECONDS}` }
  return { status: 200, contentType: 'application/jwk-set+json', body, headers }
}
