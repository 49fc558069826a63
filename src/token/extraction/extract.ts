// Where is the one token of a request? From the configured sources: where two different ones are found, one of them may have been
// put there by somebody else, and the app may read the other one (RFC 6750 section 2). Cookies of one name are the exception: a
// browser sends all that any host above this one has set, and which of them counts is asked later.
import type { FoundToken, RequestView, SeveralTokens, TokenSource } from '../../model/decision.ts'
import { foldName } from '../../model/header-names.ts'
import { type Refusal, refuse } from '../../model/refusal.ts'
import { describeOther, FOREIGN, readAuthorization, UNREADABLE } from './authorization.ts'
import { type CookieTokens, foldedCodes, MOST_COOKIES, readCookies } from './cookie-tokens.ts'
import { readQuery } from './query-tokens.ts'
import { holdsToken, looksLikeToken } from './shape.ts'

export interface ExtractPolicy {
  readonly sources: readonly TokenSource[]
  /** Longer tokens are refused unread. */
  readonly maxBytes: number
  /** The Set-Cookie lines that take a cookie from the browser, so that it can leave a state that is refused; none by default. */
  readonly expiryOf?: (cookie: string) => readonly string[]
}

const none: readonly TokenSource[] = Object.freeze([])
const missing = refuse('token_missing')
const multiple = refuse('token_multiple')
const tooLarge = refuse('token_too_large')
const unreadable = refuse('token_malformed', {
  detail: 'Authorization begins with "Bearer", and no space and token follow',
})

/** What was found so far. */
interface Found {
  token: string | undefined
  sources: readonly TokenSource[]
  /** An Authorization of another scheme, for the sentence. */
  other: string | undefined
  /** Somebody else may find a token where we find none. */
  isForeign: boolean
  isUnreadable: boolean
  isMultiple: boolean
}

type Reader = (found: Found, view: RequestView) => Refusal | SeveralTokens | undefined

/** Makes the function that answers the one token of a request, or why there is not exactly one. */
export function createExtractor(policy: ExtractPolicy): (view: RequestView) => FoundToken | Refusal {
  const headers = policy.sources.flatMap((source) => ('header' in source ? [{ source, only: [source] }] : []))
  const readers = policy.sources.flatMap((source): Reader[] => {
    if ('cookie' in source) return [cookieReader(source, policy)]
    return 'query' in source ? [queryReader(source)] : []
  })

  return (view) => {
    const found: Found = {
      token: undefined,
      sources: none,
      other: undefined,
      isForeign: false,
      isUnreadable: false,
      isMultiple: false,
    }
    for (let at = 0; at < view.headers.length; at += 2)
      for (const { source, only } of headers)
        if (source.header === view.headers[at]) noteHeader(found, only, source.header, view.headers[at + 1] ?? '')
    let several: SeveralTokens | undefined
    for (const read of readers) {
      const answer = read(found, view)
      if (answer === undefined) continue
      if ('reason' in answer) return answer
      several = answer
    }
    return concluded(found, several, policy.maxBytes)
  }
}

function concluded(found: Found, several: SeveralTokens | undefined, maxBytes: number): FoundToken | Refusal {
  const { token, sources, other } = found
  if (found.isMultiple) return several?.multiple ?? multiple
  if (found.isUnreadable) return unreadable
  if (token === undefined)
    return other === undefined ? missing : refuse('token_missing', { detail: describeOther(other) })
  const areDifferent = several !== undefined && several.tokens.length > 1
  if (found.isForeign || (areDifferent && sources.length > 1)) return several?.multiple ?? multiple
  if (token.length > maxBytes || several?.tokens.some(({ length }) => length > maxBytes)) return tooLarge
  return { token, sources, several }
}

function note(found: Found, only: readonly TokenSource[], token: string): void {
  if (found.token === undefined) {
    found.token = token
    found.sources = only
  } else if (found.token !== token) found.isMultiple = true
  else found.sources = [...found.sources, ...only]
}

/**
 * `Authorization` needs the scheme Bearer; another scheme is somebody else's credential. A header of another name holds the token
 * itself, with or without the scheme. One header twice is never one: apps join the lines, or take either.
 */
function noteHeader(found: Found, only: readonly TokenSource[], name: string, value: string): void {
  if (found.sources.includes(only[0] as TokenSource)) found.isMultiple = true
  const read = readAuthorization(value)
  if (typeof read === 'string') note(found, only, read)
  else if (read === UNREADABLE) found.isUnreadable = true
  else if (name !== 'authorization') {
    if (value !== '') note(found, only, value)
  } else if (value !== '') {
    found.other = value
    if (read === FOREIGN) found.isForeign = true
  }
}

function queryReader(source: { readonly query: string }): Reader {
  const [only, folded] = [[source], foldName(source.query)]
  return (found, { query }) => {
    if (query === '') return undefined
    const read = { value: undefined, count: 0 }
    readQuery(read, source.query, folded, query)
    if (read.value !== undefined) note(found, only, read.value)
    if (read.count > 1) found.isMultiple = true
    else if (read.count === 1 && read.value === undefined) found.isForeign = true
    return undefined
  }
}

function cookieReader(source: { readonly cookie: string }, { expiryOf = () => [] }: ExtractPolicy): Reader {
  const [only, folded, setCookies] = [[source], foldedCodes(source.cookie), expiryOf(source.cookie)]
  const cookieMultiple = setCookies.length === 0 ? multiple : refuse('token_multiple', { setCookies })
  return (found, { headers }) => {
    let cookies: CookieTokens | undefined
    for (let at = 0; at < headers.length; at += 2) {
      if (headers[at] !== 'cookie') continue
      cookies ??= { values: [], hasOther: false }
      readCookies(cookies, source.cookie, folded, headers[at + 1] ?? '')
    }
    if (cookies === undefined) return undefined
    if (cookies.hasOther) return multiple
    const { values } = cookies
    if (values.length > MOST_COOKIES) return cookieMultiple
    const tokens = values.filter(looksLikeToken)
    if (values.length > tokens.length && values.some((value) => !tokens.includes(value) && isDisguised(value)))
      return cookieMultiple
    const [first] = tokens
    if (first === undefined) return undefined
    note(found, only, first)
    // One that is no token is no second one, but the app would read it where it stands first
    return values.length === 1 ? undefined : { tokens, multiple: cookieMultiple }
  }
}

/** Whether what is no token for us is one for others: behind a word, in quotes, encoded, or with a signature that some take laxly. */
function isDisguised(value: string): boolean {
  return holdsToken(/["%\\']/.test(value) ? unescaped(value) : value)
}

const PERCENT = /%([0-9a-f]{2})/gi
const OCTAL = /\\([0-3][0-7]{2})/g
const UNICODE = /\\u([0-9a-f]{4})/gi

/** Percent-encoding (once more in some apps), the octal escapes of Python's parser, and those of JSON, which Express reads. */
function unescaped(value: string): string {
  const decoded = value.replaceAll(PERCENT, hexadecimal).replaceAll(PERCENT, hexadecimal)
  const plain = decoded.replaceAll(UNICODE, hexadecimal).replaceAll(OCTAL, octal)
  return plain.replaceAll(/["\\']/g, '')
}

function hexadecimal(_escape: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16))
}

function octal(_escape: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8))
}
