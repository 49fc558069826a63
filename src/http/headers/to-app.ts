// Which header lines cross the proxy, in each direction? A copy minus everything that speaks about one connection or that
// only we may say, plus our own lines last. It must never copy framing, and it is pure: lists in, lists out.
import { credential, type Permit } from '../../model/decision.ts'
import type { Delivery } from '../../model/next-token.ts'
import type { ProxyPolicy } from '../limits.ts'
import type { Message } from '../message.ts'
import { addForwardingLines, type ForwardedFields, keepForwardedField, noForwardedFields } from './forwarded.ts'
import { identityLines } from './identity.ts'
import type { Crossing, HeaderRules } from './names.ts'
import { withJudgedTokenAlone, withoutToken } from './strip-token.ts'

const VIA = '1.1 sidegate'

/**
 * The header lines for the application, names in lower case and values in turn, Host and framing left to the writer.
 * Identity and forwarding headers from outside never pass, on public paths neither; forwarding headers are believed and
 * continued only where the peer is a trusted proxy (RFC 7239).
 */
export function upstreamHeaders(
  message: Message,
  permit: Permit,
  peer: string,
  scheme: 'http' | 'https',
  rules: HeaderRules,
): string[] {
  const lines: string[] = []
  const fields = copyHeaders(lines, message, permit, peer, rules)
  if (message.maxForwards !== undefined) lines.push('max-forwards', String(message.maxForwards - 1))
  addForwardingLines(lines, fields, { peer, host: message.host, scheme })
  lines.push('via', VIA)
  // In shadow mode a token passes that would have been refused: nobody vouches for its holder
  const identity = identityLines(permit.decision === 'shadow' ? undefined : permit.token, rules)
  for (const part of identity) lines.push(part)
  return lines
}

/** Copies what crosses, and answers what a trusted proxy said of the way before us. */
function copyHeaders(
  lines: string[],
  { headers, nominated }: Message,
  permit: Permit,
  peer: string,
  { policy, crossing }: HeaderRules,
): ForwardedFields | undefined {
  const { stripToken } = policy
  let fields: ForwardedFields | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const fate = crossing(name)
    if (fate === 'omitted' || nominated.includes(name)) continue
    const value = headers[i + 1] ?? ''
    if (fate === 'passes') {
      const kept = stripToken || permit.isOneOfSeveral ? withoutOtherTokens(name, value, permit, stripToken) : value
      if (kept !== undefined) lines.push(name, kept)
    } else if (isWordOfProxy(fate) && policy.isTrustedProxy(peer)) {
      fields ??= noForwardedFields()
      if (!keepForwardedField(fields, name, value)) lines.push(name, value)
    } else countLeftOut(policy, fate)
  }
  return fields
}

function withoutOtherTokens(name: string, value: string, permit: Permit, stripToken: boolean): string | undefined {
  if (stripToken) return withoutToken(name, value, permit.sources)
  return name === 'cookie' ? withJudgedTokenAlone(value, permit.sources, permit[credential] ?? '') : value
}

function isWordOfProxy(fate: Crossing): boolean {
  return fate === 'forwarding' || fate === 'attested'
}

/** The forwarding headers of a stranger are replaced, not left out. */
function countLeftOut({ leftOut }: ProxyPolicy, fate: Exclude<Crossing, 'passes' | 'omitted'>): void {
  if (fate !== 'forwarding') leftOut.header(fate === 'attested' ? 'listed' : fate)
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`
}

/** A response of the application, as the parser gave it. */
export interface RawResponse {
  readonly status: number
  /** Names and values in turn, 8-bit bytes as Latin-1. */
  readonly rawHeaders: readonly string[]
}

/**
 * The header lines for the client, names and values in turn, or undefined where the framing of the answer is not one that
 * two readers understand alike. Lines stay apart and in order (Set-Cookie may not be joined, RFC 9110 section 5.3).
 */
export function clientHeaders(response: RawResponse, rules: HeaderRules, delivery: Delivery): string[] | undefined {
  const { rawHeaders, status } = response
  const lines: string[] = []
  let nominated: string[] | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const rawName = rawHeaders[i] ?? ''
    const name = rawName.toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    // A coding that is not undone here would reach the client without its label
    if (name === 'transfer-encoding' && value.trim().toLowerCase() !== 'chunked') return undefined
    if (name === 'connection') nominated = addNominated(nominated, value)
    if (rules.droppedFromResponse.has(name)) continue
    if (name === 'content-length' && status === 204) continue
    lines.push(rawName, value)
  }
  const kept = nominated === undefined ? lines : without(lines, nominated)
  return delivery.length === 0 || endsSession(kept, delivery) ? kept : withDelivery(kept, rules, delivery)
}

function addNominated(names: string[] | undefined, value: string): string[] | undefined {
  for (const part of value.toLowerCase().split(',')) {
    const name = part.trim()
    // The length of the answer is not for the application to take back
    if (name === '' || name === 'close' || name === 'keep-alive' || name === 'content-length') continue
    names ??= []
    names.push(name)
  }
  return names
}

function without(lines: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? ''
    if (!names.includes(name.toLowerCase())) kept.push(name, lines[i + 1] ?? '')
  }
  return kept
}

/**
 * Does the application set or clear the cookie of the session itself, or clear what the browser holds? Its word counts: a
 * next token behind it would undo a log-out, or a log-in as somebody else.
 */
function endsSession(lines: readonly string[], delivery: Delivery): boolean {
  const cookie = cookieNameOf(delivery.find(({ name }) => name === 'set-cookie')?.value)
  for (let i = 0; i < lines.length; i += 2) {
    const name = (lines[i] ?? '').toLowerCase()
    const value = lines[i + 1] ?? ''
    if (name === 'set-cookie' && cookie !== undefined && cookieNameOf(value) === cookie) return true
    if (name === 'clear-site-data' && /"(?:cookies|storage|\*)"/.test(value)) return true
  }
  return false
}

function cookieNameOf(line: string | undefined): string | undefined {
  return line?.slice(0, line.indexOf('=')).trim()
}

/** What a cache obeys besides, or before, Cache-Control: Expires, and the fields of CDNs and of nginx. */
const CACHE_FIELDS: ReadonlySet<string> = new Set(['expires', 'surrogate-control', 'edge-control', 'x-accel-expires'])

/**
 * Adds the next token. A response that carries a token may not be stored by anyone (RFC 9111 section 3.5), not by a CDN
 * with its own field (RFC 9213) either; and script may read the header where the application allows other origins at all.
 */
function withDelivery(lines: readonly string[], rules: HeaderRules, delivery: Delivery): string[] {
  const kept: string[] = []
  let directives = ''
  let exposed = ''
  let isCrossOrigin = false
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? ''
    const value = lines[i + 1] ?? ''
    const lower = name.toLowerCase()
    if (lower === 'cache-control') directives = joined(directives, value)
    else if (lower.endsWith('cache-control') || CACHE_FIELDS.has(lower)) continue
    else if (lower === 'access-control-expose-headers') exposed = joined(exposed, value)
    else {
      if (lower === 'access-control-allow-origin') isCrossOrigin = true
      kept.push(name, value)
    }
  }
  for (const { name, value } of delivery) kept.push(name, value)
  kept.push('cache-control', notStored(directives))
  if (isCrossOrigin && rules.refreshHeader !== undefined) exposed = joined(exposed, rules.refreshHeader)
  if (exposed !== '') kept.push('access-control-expose-headers', exposed)
  return kept
}

/** What lets somebody keep an answer; `must-understand` makes caches pass over no-store (RFC 9111 section 5.2.2.3). */
const STORING_DIRECTIVES = /^(?:public|s-maxage|max-age|no-store|immutable|stale-|must-understand)/i

function notStored(directives: string): string {
  // A quoted directive may hold commas; no-store alone says enough then
  if (directives.includes('"')) return 'no-store'
  const kept = directives
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !STORING_DIRECTIVES.test(directive))
  return [...kept, 'no-store'].join(', ')
}
