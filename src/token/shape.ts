// Does a text look like a JWT? For places that other programs use as well, such as a cookie of the app's own session: what does
// not look like a token there is no token. It must never be taken for a proof of anything.
import { parseJsonObject } from './json.ts'

const COMPACT = /^([A-Za-z0-9_-]{2,1024})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/
const MOST_REMEMBERED = 256
/** Header parts seen before: an issuer's tokens share a few. */
const remembered = new Map<string, boolean>()

/** Three parts of base64url, the first of them a JSON object with an `alg`: a signed cookie of Flask has three parts, too. */
export function looksLikeToken(text: string): boolean {
  const header = COMPACT.exec(text)?.[1]
  if (header === undefined) return false
  const known = remembered.get(header)
  if (known !== undefined) return known
  const isHeader = typeof parseJsonObject(Buffer.from(header, 'base64url'))?.alg === 'string'
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(header, isHeader)
  return isHeader
}
