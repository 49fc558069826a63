// Does a text look like a JWT? For places that other programs use as well, such as a cookie of the app's own session: what does
// not look like a token there is no token. It must never be taken for a proof of anything.
import { parseJsonObject } from '../json.ts'

const COMPACT = /^([A-Za-z0-9_-]{2,})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/
const MOST_REMEMBERED = 256
/** Longer ones are read each time: with a certificate chain (`x5c`) a header has several thousand characters. */
const REMEMBERED_LENGTH = 1_024
/** Header parts seen before: an issuer's tokens share a few. */
const remembered = new Map<string, boolean>()

/** Three parts of base64url, the first of them a JSON object with an `alg`: a signed cookie of Flask has three parts, too. */
export function looksLikeToken(text: string): boolean {
  const header = COMPACT.exec(text)?.[1]
  if (header === undefined) return false
  const known = remembered.get(header)
  if (known !== undefined) return known
  const isHeader = typeof readHeader(header)?.alg === 'string'
  if (header.length > REMEMBERED_LENGTH) return isHeader
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  // A copy: a part of a text keeps the whole text, which strangers make long
  remembered.set(Buffer.from(header, 'latin1').toString('latin1'), isHeader)
  return isHeader
}

/**
 * Whether a lenient reader could find a token anywhere in a text: behind a word, in quotes, with padding or junk in the signature,
 * which many libraries skip. What is signed has one spelling, so the first two parts are looked for as they are.
 */
export function holdsToken(text: string): boolean {
  let dot = text.indexOf('.')
  while (dot !== -1) {
    const next = text.indexOf('.', dot + 1)
    if (next === -1) return false
    if (next > dot + 1 && isSignedHeader(text.slice(startOfPart(text, dot), dot))) return true
    dot = next
  }
  return false
}

/** Encrypted ones (`enc`, RFC 7516) are the app's own: sessions of some frameworks. */
function isSignedHeader(part: string): boolean {
  const header = part.length < 2 ? undefined : readHeader(part)
  return typeof header?.alg === 'string' && header.enc === undefined
}

function startOfPart(text: string, end: number): number {
  let start = end
  while (start > 0 && isBase64url(text.charCodeAt(start - 1))) start--
  return start
}

function isBase64url(code: number): boolean {
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
  return isLetter || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x5f
}

function readHeader(part: string): Readonly<Record<string, unknown>> | undefined {
  return parseJsonObject(Buffer.from(part, 'base64url'))
}
