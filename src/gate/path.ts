// Will the app read this path as we do? Rules are matched on the decoded path, and the raw path is forwarded byte for
// byte; so a path that two readers decode, split or normalise differently must not be judged at all. Refusing it is
// what closes the whole family of bypasses by encoded slashes, dot segments and double encoding (RFC 3986 section 6.2).

/**
 * Answers the decoded path that rules are matched on, or `undefined` where the path is ambiguous: a backslash, a `;`
 * parameter, an empty segment (`//`), a dot segment, an octet outside printable ASCII, a percent sign without two
 * hexadecimal digits, or an encoded slash, backslash, dot segment, control character, `;`, or what is still encoded after
 * one decoding (encoded twice), or octets that are not UTF-8 (overlong spellings among them).
 */
export function readPath(path: string): string | undefined {
  if (path.charCodeAt(0) !== SLASH) return undefined
  let isEncoded = false
  let mayHaveDots = false
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at)
    if (code === SLASH) {
      const next = path.charCodeAt(at + 1)
      if (next === SLASH) return undefined
      if (next === DOT) mayHaveDots = true
    } else if (code === PERCENT) isEncoded = true
    else if (code <= 0x20 || code >= 0x7f || code === BACKSLASH || code === SEMICOLON) return undefined
  }
  const decoded = isEncoded ? decode(path) : path
  if (decoded === undefined) return undefined
  return (mayHaveDots || isEncoded) && hasDotSegment(decoded) ? undefined : decoded
}

const SLASH = 0x2f
const DOT = 0x2e
const PERCENT = 0x25
const BACKSLASH = 0x5c
const SEMICOLON = 0x3b

/** Encoded octets that change how a path is split or where it ends, in one reader or another. */
const FORBIDDEN_WHEN_ENCODED = /%(?:[01][0-9a-f]|7f|2f|5c|3b)/i
const INCOMPLETE_ENCODING = /%(?![0-9a-f]{2})/i
/** Looked for in what was decoded: the digits may have been encoded too (`%25%32%66`, `%252%66`). */
const STILL_ENCODED = /%[0-9a-f]{2}/i

function decode(path: string): string | undefined {
  if (INCOMPLETE_ENCODING.test(path) || FORBIDDEN_WHEN_ENCODED.test(path)) return undefined
  try {
    // Refuses what is not UTF-8: overlong forms, lone surrogates, single bytes of Latin-1.
    const decoded = decodeURIComponent(path)
    return STILL_ENCODED.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}

function hasDotSegment(decoded: string): boolean {
  return /\/\.{1,2}(?:\/|$)/.test(decoded)
}
