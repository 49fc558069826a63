// What does the request line ask for: which path and query, of which authority? It must never decode or normalise: the
// bytes that are judged are the bytes that are forwarded (RFC 9112 section 3.2).
import { isIPv6 } from 'node:net'
import { type Refusal, refuse } from '../model/refusal.ts'

/** The parts of a request target. */
export interface Target {
  /** Path and query as they are forwarded; in origin-form byte-identical to what came. */
  readonly target: string
  readonly path: string
  readonly query: string
  /** Host and port of an absolute-form target; undefined in origin-form. */
  readonly authority: string | undefined
}

const ALLOWED_PATTERN = /^[\u0021\u0022\u0024-\u007e]*$/
const HOST_PATTERN = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|[0-9A-Za-z._~-]{1,255})(?::(\d{1,5}))?$/
const SCHEME_PATTERN = /^https?:\/\//i

/** Whether this is one host with an optional port and nothing else: no user, path, list, empty port or IPv6 zone. */
export function isHostAndPort(text: string): boolean {
  const match = HOST_PATTERN.exec(text)
  if (match === null) return false
  const [, address, port] = match
  if (address !== undefined && !isIPv6(address)) return false
  return port === undefined || (Number(port) > 0 && Number(port) <= 65535)
}

/**
 * Answers the parts of a request target, or why it is refused: a fragment, a control or 8-bit byte, authority-form,
 * another scheme, or `*`, which is about the proxy itself and is answered 405.
 */
export function splitTarget(method: string, target: string): Target | Refusal {
  if (!ALLOWED_PATTERN.test(target)) {
    return refuse('message_invalid', { detail: 'the target has a byte that no target may have' })
  }
  if (target.charCodeAt(0) === 0x2f) return parts(target, undefined)
  if (target === '*' && method === 'OPTIONS') {
    return refuse('message_invalid', { detail: 'OPTIONS * is about the proxy itself', status: 405 })
  }
  const scheme = SCHEME_PATTERN.exec(target)
  if (scheme === null) return refuse('message_invalid', { detail: 'the target is neither a path nor an http address' })
  const rest = target.slice(scheme[0].length)
  const end = rest.search(/[/?]/)
  const authority = end === -1 ? rest : rest.slice(0, end)
  if (!isHostAndPort(authority)) return refuse('message_invalid', { detail: 'the authority is not a host and port' })
  const pathAndQuery = end === -1 ? '/' : rest.slice(end)
  return parts(pathAndQuery.startsWith('?') ? `/${pathAndQuery}` : pathAndQuery, authority)
}

function parts(target: string, authority: string | undefined): Target {
  const mark = target.indexOf('?')
  return mark === -1
    ? { target, path: target, query: '', authority }
    : { target, path: target.slice(0, mark), query: target.slice(mark + 1), authority }
}
