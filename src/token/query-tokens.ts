// The tokens in a query, and parameters that another parser takes for the token's: PHP turns `.`, space and `[` in names into
// `_`, frameworks read `name[]` and `name[key]` as the name, and old ones split at `;` as well.
import { foldName } from '../model/header-names.ts'

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
  const name = decoded(part.slice(0, equals)).trim()
  const bracket = name.indexOf('[', 1)
  return foldName(name) === folded || (bracket !== -1 && foldName(name.slice(0, bracket)) === folded)
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}
