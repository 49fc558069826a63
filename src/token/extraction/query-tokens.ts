// The tokens in a query, and parameters that another parser takes for the token's: PHP turns `.`, space and `[` in names into
// `_`, frameworks read `name[]`, `name[key]` and `[name]` as the name, and old ones split at `;` as well.
import { foldName } from '../../model/header-names.ts'

/** What one source found in the query of a request. */
export interface QueryTokens {
  /** The value of the last parameter of exactly this name; undefined where there is none. */
  value: string | undefined
  count: number
}

/**
 * RFC 6750 section 2.3. A JWT needs no percent-encoding, so none is undone: an encoded one is malformed. A name that is spelled
 * otherwise holds no token for us, but counts as one: the app might read that one.
 */
export function readQuery(found: QueryTokens, name: string, folded: string, query: string): void {
  for (const pair of query.split('&')) {
    if (pair.startsWith(name) && pair.charCodeAt(name.length) === EQUALS && !pair.includes(';')) {
      if (pair.length === name.length + 1) continue
      found.value = pair.slice(name.length + 1)
      found.count++
    } else for (const part of pair.split(';')) if (isOtherSpelling(part, folded)) found.count++
  }
}

const EQUALS = 0x3d

function isOtherSpelling(part: string, folded: string): boolean {
  const equals = part.indexOf('=')
  if (equals === -1 || equals + 1 === part.length) return false
  const name = nameOf(part.slice(0, equals))
  if (foldName(name) === folded) return true
  // `[name]` is the name for qs, which Express reads queries with, and for Rack
  const inner = name.replace(/^[\s[\]]+/, '')
  const bracket = inner.search(/[[\]]/)
  return foldName(bracket === -1 ? inner : inner.slice(0, bracket)) === folded
}

/** The name decoded, whatever else in it cannot be; PHP ends it at a NUL. */
function nameOf(raw: string): string {
  const decoded = raw.replaceAll('+', ' ').replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => {
    return String.fromCharCode(Number.parseInt(digits, 16))
  })
  const end = decoded.indexOf('\0')
  return (end === -1 ? decoded : decoded.slice(0, end)).trim()
}
