// The message gate: can this request be read in only one way? It stands before every other question and looks at the
// bytes as they came (rawHeaders), never at Node's joined view of them, because what a second parser could read
// differently is how a request is smuggled past a gate. It must never mend a message: it takes or refuses.
import type { RequestView } from '../model/decision.ts'
import { type Refusal, refuse } from '../model/refusal.ts'
import { isToken, readName, type SingletonName, singletonNames } from './headers/spelled-names.ts'
import { isHostAndPort, splitTarget } from './target.ts'

/** What the parser found on the wire. */
export interface RawMessage {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
  readonly peer: string
}

/** The bounds and names that a message is held against. */
export interface MessageRules {
  readonly headers: number
  /** 0 is no bound. */
  readonly bodyBytes: number
  /** Whether Connection may not nominate this name. */
  readonly isProtected: (name: string) => boolean
  /** Host and port of the app: what an HTTP/1.0 request without Host asks for. */
  readonly upstreamAuthority: string
}

/** A request that can be read in only one way. */
export interface Message extends RequestView {
  /** What is forwarded: path and query, byte for byte. */
  readonly target: string
  /** The authority that was asked for; from an absolute-form target where there was one (RFC 9112 section 3.2.2). */
  readonly host: string
  readonly peer: string
  readonly framing: 'none' | 'length' | 'chunked'
  /** The announced length of the body in bytes; 0 unless framing is `length`. */
  readonly contentLength: number
  /** Header names that Connection nominated, lower case. */
  readonly nominated: readonly string[]
  /** `websocket` where the handshake is complete (RFC 6455 section 4.1), else the request is served as a plain one. */
  readonly upgrade: 'websocket' | undefined
  readonly expectsContinue: boolean
  /** True for HTTP/1.0, which knows neither chunked nor 1xx. */
  readonly isVersion10: boolean
  /** The value of Max-Forwards on OPTIONS (RFC 9110 section 7.6.2), where there was one. */
  readonly maxForwards: number | undefined
}

const slotOf = (name: SingletonName): number => singletonNames.indexOf(name)
const hostSlot = slotOf('host')
const contentLengthSlot = slotOf('content-length')
const transferEncodingSlot = slotOf('transfer-encoding')
const upgradeSlot = slotOf('upgrade')
const expectSlot = slotOf('expect')
const webSocketKeySlot = slotOf('sec-websocket-key')
const webSocketVersionSlot = slotOf('sec-websocket-version')
const maxForwardsSlot = slotOf('max-forwards')

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL_PATTERN = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/
const CONTENT_LENGTH_PATTERN = /^(?:0|[1-9]\d{0,15})$/
const MAX_FORWARDS_PATTERN = /^\d{1,9}$/
const WEB_SOCKET_KEY_PATTERN = /^[A-Za-z0-9+/]{21}[AQgw]==$/

interface Headers {
  readonly list: string[]
  readonly single: (string | undefined)[]
  connection: string
}

function invalid(detail: string, status?: 405 | 413 | 417): Refusal {
  return status === undefined ? refuse('message_invalid', { detail }) : refuse('message_invalid', { detail, status })
}

/**
 * Answers the message, or why it is refused; whoever refuses it has to close the connection, because where its end is
 * cannot be known (RFC 9112 sections 3.2, 5 and 6).
 */
export function inspectMessage(raw: RawMessage, rules: MessageRules): Message | Refusal {
  if (raw.httpVersion !== '1.1' && raw.httpVersion !== '1.0') return invalid('the version is neither 1.0 nor 1.1')
  if (raw.method === 'TRACE' || raw.method === 'CONNECT') return invalid(`the method is ${raw.method}`, 405)
  if (raw.rawHeaders.length > rules.headers * 2) {
    return refuse('headers_too_large', { detail: `more than ${rules.headers} headers` })
  }
  const headers = readHeaders(raw.rawHeaders)
  if ('reason' in headers) return headers
  const parsed = splitTarget(raw.method, raw.target)
  if ('reason' in parsed) return parsed
  const host = headers.single[hostSlot]
  if (host !== undefined && !isHostAndPort(host)) return invalid('the Host is not a host and port')
  // RFC 9112 section 3.2: HTTP/1.1 requires it; load balancers check with HTTP/1.0 and send none
  if (host === undefined && raw.httpVersion === '1.1') return invalid('there is no Host')
  return assemble(raw, headers, parsed.authority ?? host ?? rules.upstreamAuthority, parsed, rules)
}

function assemble(
  raw: RawMessage,
  headers: Headers,
  host: string,
  target: { readonly path: string; readonly query: string; readonly target: string },
  rules: MessageRules,
): Message | Refusal {
  const isVersion10 = raw.httpVersion === '1.0'
  const framing = readFraming(headers.single, isVersion10)
  if (typeof framing === 'object') return framing
  const contentLength = framing === 'length' ? Number(headers.single[contentLengthSlot]) : 0
  if (rules.bodyBytes > 0 && contentLength > rules.bodyBytes) return invalid('the body is too long', 413)
  const nominated = readNominated(headers.connection, rules.isProtected)
  if ('reason' in nominated) return nominated
  const expect = headers.single[expectSlot]
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return invalid('the expectation is unknown', 417)
  const maxForwards = raw.method === 'OPTIONS' ? readMaxForwards(headers.single[maxForwardsSlot]) : undefined
  if (maxForwards === 0) return invalid('Max-Forwards is 0: the request is meant for a proxy', 405)
  return {
    method: raw.method,
    path: target.path,
    query: target.query,
    headers: headers.list,
    target: target.target,
    host,
    peer: raw.peer,
    framing,
    contentLength,
    nominated: nominated.names,
    upgrade:
      !isVersion10 && framing === 'none' && isWebSocketHandshake(raw.method, headers, nominated)
        ? 'websocket'
        : undefined,
    // RFC 9110 section 10.1.1: an expectation in an HTTP/1.0 request is ignored
    expectsContinue: expect !== undefined && !isVersion10,
    isVersion10,
    maxForwards,
  }
}

/** One pass over the header lines: names and values are checked, singletons picked. */
function readHeaders(rawHeaders: readonly string[]): Headers | Refusal {
  const headers: Headers = { list: [], single: new Array(singletonNames.length), connection: '' }
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const rawName = rawHeaders[i] ?? ''
    const value = rawHeaders[i + 1] ?? ''
    const known = readName(rawName)
    if (known === undefined) return invalid('a header name is not a token')
    if (CONTROL_PATTERN.test(value)) return invalid('a header value has a control character')
    const { name, slot } = known
    if (slot !== undefined) {
      if (headers.single[slot] !== undefined) return repeated(name)
      headers.single[slot] = value
    } else if (name === 'connection') {
      headers.connection = headers.connection === '' ? value : `${headers.connection},${value}`
    }
    headers.list.push(name, value)
  }
  return headers
}

function repeated(name: string): Refusal {
  return name === 'authorization'
    ? refuse('token_multiple', { detail: 'more than one Authorization header' })
    : invalid(`more than one ${name} header`)
}

/** RFC 9112 section 6: which of the two framings the body has; both at once is the classic smuggling vector. */
function readFraming(single: readonly (string | undefined)[], isVersion10: boolean): Message['framing'] | Refusal {
  const transferEncoding = single[transferEncodingSlot]
  const contentLength = single[contentLengthSlot]
  if (transferEncoding !== undefined) {
    if (isVersion10) return invalid('Transfer-Encoding in an HTTP/1.0 request')
    if (contentLength !== undefined) return invalid('both Transfer-Encoding and Content-Length')
    return transferEncoding.toLowerCase() === 'chunked'
      ? 'chunked'
      : invalid('Transfer-Encoding is not exactly chunked')
  }
  if (contentLength === undefined) return 'none'
  if (!CONTENT_LENGTH_PATTERN.test(contentLength) || !Number.isSafeInteger(Number(contentLength))) {
    return invalid('Content-Length is not one plain number')
  }
  return contentLength === '0' ? 'none' : 'length'
}

interface Nominated {
  readonly names: readonly string[]
  readonly hasUpgrade: boolean
}
const nothingNominated: Nominated = { names: [], hasUpgrade: false }

function readNominated(connection: string, isProtected: MessageRules['isProtected']): Nominated | Refusal {
  if (connection === '' || connection === 'keep-alive' || connection === 'close') return nothingNominated
  const names: string[] = []
  let hasUpgrade = false
  for (const part of connection.split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '' || name === 'close' || name === 'keep-alive') continue
    if (!isToken(name)) return invalid('Connection is not a list of names')
    if (isProtected(name)) return invalid('Connection names a protected header')
    if (name === 'upgrade') hasUpgrade = true
    else names.push(name)
  }
  return { names, hasUpgrade }
}

function readMaxForwards(value: string | undefined): number | undefined {
  return value !== undefined && MAX_FORWARDS_PATTERN.test(value) ? Number(value) : undefined
}

function isWebSocketHandshake(method: string, headers: Headers, nominated: Nominated): boolean {
  return (
    headers.single[upgradeSlot]?.toLowerCase() === 'websocket' &&
    nominated.hasUpgrade &&
    method === 'GET' &&
    headers.single[webSocketVersionSlot] === '13' &&
    WEB_SOCKET_KEY_PATTERN.test(headers.single[webSocketKeySlot] ?? '')
  )
}
