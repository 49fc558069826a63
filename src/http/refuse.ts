// How a refusal looks on the wire: status, challenge (RFC 6750 section 3) and a problem document (RFC 9457). It must
// never show the detail of a refusal, nor anything that the client sent.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type Reason, type Refusal, reasons, refusalSpec, statusOf } from '../model/refusal.ts'
import { isDrainable, lingerThenEnd, type UnreadBody } from './listener/linger.ts'

const CLOSING_GRACE_MS = 1_000
const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

interface Answer {
  readonly headers: readonly string[]
  readonly body: Buffer
}

const answers = new Map<string, Answer>()
for (const reason of reasons) {
  answers.set(answerKey(reason, refusalSpec(reason).status), makeAnswer(reason, refusalSpec(reason).status))
}
for (const status of [405, 408, 413, 417]) {
  answers.set(answerKey('message_invalid', status), makeAnswer('message_invalid', status))
}

function answerKey(reason: Reason, status: number): string {
  return `${reason} ${status}`
}

function makeAnswer(reason: Reason, status: number): Answer {
  const { challenge, sentence, retryAfterSeconds } = refusalSpec(reason)
  const body = Buffer.from(JSON.stringify({ type: `urn:sidegate:refusal:${reason}`, title: sentence, status, reason }))
  const headers = ['content-type', 'application/problem+json', 'content-length', String(body.length)]
  headers.push('cache-control', 'no-store')
  if (challenge === 'bare') headers.push('www-authenticate', 'Bearer')
  else if (challenge !== undefined) {
    headers.push('www-authenticate', `Bearer error="${challenge}", error_description="${sentence}"`)
  }
  if (retryAfterSeconds !== undefined) headers.push('retry-after', String(retryAfterSeconds))
  if (status === 405) headers.push('allow', ALLOWED_METHODS)
  return { headers, body }
}

function answerTo(refusal: Refusal): Answer {
  const status = statusOf(refusal)
  return answers.get(answerKey(refusal.reason, status)) ?? makeAnswer(refusal.reason, status)
}

/**
 * Answers a request with a refusal. The connection is closed where the message itself was refused (no body given), and
 * where more of a body is outstanding than is worth reading.
 */
export function answerRefusal(
  req: IncomingMessage,
  res: ServerResponse,
  refusal: Refusal,
  body: UnreadBody | undefined,
  corsOrigins: readonly string[] = [],
): void {
  const answer = answerTo(refusal)
  const isKept = body !== undefined && isDrainable(req, body)
  const headers = isKept ? [...answer.headers] : [...answer.headers, 'connection', 'close']
  for (const line of refusal.setCookies ?? []) headers.push('set-cookie', line)
  if (corsOrigins.length > 0) headers.push(...corsHeaders(req.headers.origin, corsOrigins))
  res.writeHead(statusOf(refusal), headers)
  if (req.method !== 'HEAD') res.write(answer.body)
  if (isKept) res.end()
  else lingerThenEnd(req, res)
}

/** Lets a page of a known origin see why: to scripts, an answer without these headers is a failed connection. */
function corsHeaders(origin: string | undefined, corsOrigins: readonly string[]): readonly string[] {
  if (origin === undefined || !corsOrigins.includes(origin)) return []
  const lines = ['access-control-allow-origin', origin, 'access-control-allow-credentials', 'true']
  return [...lines, 'access-control-expose-headers', 'www-authenticate, retry-after']
}

/** The same answer for a socket that has no response object: an upgrade, or bytes that never became a request. */
export function writeRefusal(socket: Socket, refusal: Refusal): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const answer = answerTo(refusal)
  const status = statusOf(refusal)
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n`
  for (let i = 0; i < answer.headers.length; i += 2) head += `${answer.headers[i]}: ${answer.headers[i + 1]}\r\n`
  for (const line of refusal.setCookies ?? []) head += `set-cookie: ${line}\r\n`
  head += 'connection: close\r\n\r\n'
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), answer.body]))
  closeSoon(socket)
}

/** Reads on and throws away for a moment, so that the answer is not lost to a reset, then destroys. */
function closeSoon(socket: Socket): void {
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), CLOSING_GRACE_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
