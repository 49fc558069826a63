// Where is the one token of a request? Exactly one, from the configured sources: where two are found, one of them may
// have been put there by somebody else, and the app may read the other one (RFC 6750 section 2).
import type { RequestView, TokenSource } from '../model/decision.ts'
import { type Refusal, refuse } from '../model/refusal.ts'

/** A token as it stands in the request, not yet read. */
export interface FoundToken {
  readonly token: string
  readonly source: TokenSource
}

export interface ExtractPolicy {
  readonly sources: readonly TokenSource[]
  /** Longer tokens are refused unread. */
  readonly maxBytes: number
}

const missing = refuse('token_missing')
const multiple = refuse('token_multiple')
const tooLarge = refuse('token_too_large')

/** Makes the function that answers the one token of a request, or why there is not exactly one. */
export function createExtractor(policy: ExtractPolicy): (view: RequestView) => FoundToken | Refusal {
  const headers = policy.sources.flatMap((source) => ('header' in source ? [source] : []))
  const cookies = policy.sources.flatMap((source) => ('cookie' in source ? [source] : []))
  const queries = policy.sources.flatMap((source) => ('query' in source ? [source] : []))

  return (view) => {
    const found: Found = { token: undefined, source: undefined, count: 0 }
    for (let at = 0; at < view.headers.length; at += 2) {
      const name = view.headers[at]
      const value = view.headers[at + 1] ?? ''
      for (const source of headers) if (source.header === name) noteHeader(found, source, value)
      if (name === 'cookie' && cookies.length > 0) noteCookies(found, cookies, value)
    }
    if (queries.length > 0 && view.query !== '') noteQuery(found, queries, view.query)
    return exactlyOne(found, policy.maxBytes)
  }
}

function exactlyOne({ token, source, count }: Found, maxBytes: number): FoundToken | Refusal {
  if (count > 1) return multiple
  if (token === undefined || source === undefined) return missing
  return token.length > maxBytes ? tooLarge : { token, source }
}

interface Found {
  token: string | undefined
  source: TokenSource | undefined
  count: number
}

function note(found: Found, source: TokenSource, token: string): void {
  found.token = token
  found.source = source
  found.count++
}

/**
 * `Authorization` needs the scheme Bearer; another scheme is somebody else's credential and no token at all. A header
 * of another name holds the token itself, with or without the scheme.
 */
function noteHeader(found: Found, source: { readonly header: string }, value: string): void {
  const token = afterBearer(value)
  if (token !== undefined) note(found, source, token)
  else if (source.header !== 'authorization' && value !== '') note(found, source, value)
}

/** What follows `Bearer` and spaces, the scheme in any case (RFC 9110 section 11.1); nothing for another scheme. */
function afterBearer(value: string): string | undefined {
  if (value.length < 6 || !isBearer(value)) return undefined
  let start = 6
  while (value.charCodeAt(start) === 0x20) start++
  return start === 6 && value.length > 6 ? undefined : value.slice(start)
}

function isBearer(value: string): boolean {
  return value.startsWith('Bearer') || value.slice(0, 6).toLowerCase() === 'bearer'
}

function noteCookies(found: Found, sources: readonly { readonly cookie: string }[], value: string): void {
  for (let start = 0; start < value.length; ) {
    let end = value.indexOf(';', start)
    if (end === -1) end = value.length
    const equals = value.indexOf('=', start)
    if (equals !== -1 && equals < end) {
      const name = value.slice(start, equals).trim()
      for (const source of sources) {
        const token = source.cookie === name ? value.slice(equals + 1, end).trim() : ''
        if (token !== '') note(found, source, token)
      }
    }
    start = end + 1
  }
}

/**
 * RFC 6750 section 2.3. A JWT needs no percent-encoding, so none is undone: an encoded one is malformed. A name that is
 * spelled with percent-encoding holds no token for us, but counts as one: the app would decode it and might read that one.
 */
function noteQuery(found: Found, sources: readonly { readonly query: string }[], query: string): void {
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    if (equals === -1) continue
    const name = pair.slice(0, equals)
    for (const source of sources) {
      if (equals + 1 === pair.length) continue
      if (source.query === name) note(found, source, pair.slice(equals + 1))
      else if (isEncoded(name, source.query)) found.count++
    }
  }
}

function isEncoded(name: string, plain: string): boolean {
  if (!name.includes('%') && !name.includes('+')) return false
  try {
    return decodeURIComponent(name.replaceAll('+', ' ')).trim() === plain
  } catch {
    return false
  }
}
