// Who hears the API server ask, and the kubelet? An HTTPS server with one path for reviews. What is no AdmissionReview there
// gets an error, which the API server takes as a failure: the pod is not let in.
import type { IncomingMessage } from 'node:http'
import { type Answer, json, problem, send } from '../../http/answer.ts'
import { createListener, type Listener } from '../../http/listener/listener.ts'
import type { SidecarDefaults } from '../injection/pod-settings.ts'
import type { Pair } from './certificate-pair.ts'
import { type Review, reviewAdmission } from './review.ts'

/** Where reviews are asked for. */
export const REVIEW_PATH = '/inject'
/** What etcd takes of one object is half of it, and a review may hold two. */
const LARGEST_REVIEW_BYTES = 3 * 1024 * 1024
const HANDSHAKE_TIMEOUT_MS = 5000
const REQUEST_TIMEOUT_MS = 10_000
/** Longer than API servers keep an idle connection, so that they close it and never meet a closed one. */
const KEEP_ALIVE_MS = 95_000
const MOST_CONNECTIONS = 256
/** All bodies that are being read, together: whoever reaches the port could fill the memory otherwise. */
const MOST_BUFFERED_BYTES = 32 * 1024 * 1024

export interface ReviewParts {
  readonly defaults: () => SidecarDefaults
  /** Told each review that was answered. */
  readonly onReview: (review: Review) => void
  /** Told why something was not answered as a review. */
  readonly onFailure: (reason: string) => void
  /** Answers the other paths: probes and metrics. */
  readonly answerOther: (path: string) => Answer
  readonly isStopping: () => boolean
}

interface Buffered {
  bytes: number
}

/** Makes the server; the caller listens and closes. */
export function createReviewServer(pair: Pair, parts: ReviewParts): Listener {
  const buffered: Buffered = { bytes: 0 }
  const limits = { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 16 * 1024 }
  const listener = createListener(limits, { ...pair, clientAuthority: undefined }, HANDSHAKE_TIMEOUT_MS, {
    most: MOST_CONNECTIONS,
    onRefused: () => {},
  })
  listener.server.on('clientError', (_error, socket) => socket.destroy())
  listener.server.on('request', (request, response) => {
    void answerRequest(request, parts, buffered).then((answer) => {
      if (parts.isStopping() || !request.complete) response.shouldKeepAlive = false
      send(response, answer, request.method === 'HEAD')
    })
  })
  return listener
}

async function answerRequest(request: IncomingMessage, parts: ReviewParts, buffered: Buffered): Promise<Answer> {
  try {
    return await route(request, parts, buffered)
  } catch (error) {
    if (request.destroyed && !request.complete) return problem(400, 'Bad request', 'The body is not complete')
    parts.onFailure(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return problem(500, 'Internal error', 'See the log of the injector')
  }
}

async function route(request: IncomingMessage, parts: ReviewParts, buffered: Buffered): Promise<Answer> {
  const { method = '', url = '' } = request
  const [path = ''] = url.split('?')
  const isReview = path === REVIEW_PATH
  const allowed = isReview ? ['POST'] : ['GET', 'HEAD']
  if (!allowed.includes(method))
    return problem(405, 'Method not allowed', `Use ${allowed[0]}`, { allow: allowed.join(', ') })
  if (!isReview) return parts.answerOther(path)
  const text = await readReview(request, buffered)
  if (text === TOO_LARGE) return failed(413, `Expected at most ${LARGEST_REVIEW_BYTES} bytes`, parts)
  if (text === TOO_MANY) return failed(503, 'Too many reviews come in at once', parts)
  const review = reviewAdmission(parsed(text), parts.defaults())
  if (typeof review === 'string') return failed(400, review, parts)
  parts.onReview(review)
  return json(200, review.answer)
}

const TOO_LARGE = Symbol('larger than a review')
const TOO_MANY = Symbol('more than can be held')

async function readReview(
  request: IncomingMessage,
  buffered: Buffered,
): Promise<string | typeof TOO_LARGE | typeof TOO_MANY> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      buffered.bytes += chunk.length
      if (bytes > LARGEST_REVIEW_BYTES) return TOO_LARGE
      if (buffered.bytes > MOST_BUFFERED_BYTES) return TOO_MANY
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    buffered.bytes -= bytes
  }
}

function failed(status: number, reason: string, { onFailure }: ReviewParts): Answer {
  onFailure(reason)
  return problem(status, 'Not a review', reason)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
