// What an Authorization value says: a bearer token, something that only looks like one to somebody else, or the credential of
// another scheme (RFC 6750 section 2.1, RFC 9110 section 11.6.2).
import { holdsToken } from './shape.ts'

/** The value begins with the scheme Bearer, and another reader may find a token in it that we do not. */
export const UNREADABLE: unique symbol = Symbol('unreadable')
/** The credential of another scheme, with a token in it: apps that split at a space, or read `token="…"`, would take it. */
export const FOREIGN: unique symbol = Symbol('foreign')

/**
 * Answers the token after `Bearer` and one or more spaces, the scheme in any case; nothing for another scheme.
 *
 * passport-jwt splits at any white space of JavaScript, TAB and no-break space among them, and skips it at the start: where the
 * value begins like that and is not exactly `Bearer`, spaces and something, an app could read a token that was not judged.
 */
export function readAuthorization(value: string): string | typeof UNREADABLE | typeof FOREIGN | undefined {
  if (!isBearer(value)) return readOther(value)
  if (value.charCodeAt(6) !== SPACE) return UNREADABLE
  let start = 7
  while (value.charCodeAt(start) === SPACE) start++
  // Another kind of white space behind the spaces: no token follows, also where a cookie has one. The strict reader refuses every
  // other character that cannot be in a token
  return isVisible(value.charCodeAt(start)) ? value.slice(start) : UNREADABLE
}

/** What a person reads about a value with another scheme. Never more of it than a short scheme, as it may be a bare token. */
export function describeOther(value: string): string {
  const scheme = /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,32})\s/.exec(value)?.[1]
  return scheme === undefined
    ? 'Authorization has no scheme; write "Bearer" and a space before the token'
    : `Authorization has the scheme "${scheme}", and a token needs the scheme Bearer`
}

const SPACE = 0x20
const DISGUISED = /^[^A-Za-z0-9]+bearer/i

/** False beyond the end, too: NaN is in no range. */
function isVisible(code: number): boolean {
  return code > SPACE && code < 0x7f
}

function isBearer(value: string): boolean {
  return value.startsWith('Bearer') || value.slice(0, 6).toLowerCase() === 'bearer'
}

function readOther(value: string): typeof UNREADABLE | typeof FOREIGN | undefined {
  if (DISGUISED.test(value)) return UNREADABLE
  return holdsToken(value) ? FOREIGN : undefined
}
