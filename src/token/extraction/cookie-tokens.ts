// The tokens in a Cookie header, and names that another parser takes for the name of the token's cookie. It must never let two
// parsers find different tokens: PHP turns `.`, space and `[` in names into `_`, Python also splits at white space, and quotes
// hide what follows them from some.

/** A browser holds one for this host and perhaps one for each domain above it. */
export const MOST_COOKIES = 4

/** What one source found in all Cookie lines of a request. */
export interface CookieTokens {
  /** The values of all pairs of exactly this name, each once; empty ones left out, and those after the fifth. */
  readonly values: string[]
  /** True where some parser would find one more pair of this name. */
  hasOther: boolean
}

const SEMICOLON = 0x3b
const COMMA = 0x2c
const EQUALS = 0x3d
const BRACKET = 0x5b
const PERCENT = 0x25

/** Where some parser begins a name: behind `;`, a comma, a quote or white space. */
const BOUNDARIES = [';', ' ', ',', '"', "'", '\t', '\v', '\f', '\u00a0']

/** The name of a cookie with every character outside `[a-z0-9]` as one, compared against what stands in a request. */
export function foldedCodes(name: string): readonly number[] {
  return Array.from(name, (letter) => fold(letter.charCodeAt(0)))
}

/** Reads one Cookie line into `found`. */
export function readCookies(found: CookieTokens, name: string, folded: readonly number[], line: string): void {
  readName(found, name, folded, line, 0)
  // Searched for one by one: the engine does it in a fraction of the time that a look at every character takes
  for (const boundary of BOUNDARIES)
    for (let at = line.indexOf(boundary); at !== -1; at = line.indexOf(boundary, at + 1))
      readName(found, name, folded, line, at + 1)
}

function readName(found: CookieTokens, name: string, folded: readonly number[], line: string, at: number): void {
  const end = endOfName(line, at, folded)
  if (end === -1) return
  const isExact = line.charCodeAt(end) === EQUALS && at + name.length === end && line.startsWith(name, at)
  if (isExact && isPairStart(line, at)) noteValue(found, line, end + 1)
  else if (isEndOfName(line, end)) found.hasOther = true
}

function noteValue(found: CookieTokens, line: string, start: number): void {
  // Refused already: a stranger's thousand must not be compared with each other
  if (found.values.length > MOST_COOKIES) return
  const semicolon = line.indexOf(';', start)
  const value = line.slice(start, semicolon === -1 ? line.length : semicolon).trim()
  if (value !== '' && !found.values.includes(value)) found.values.push(value)
}

/** The place behind a name that folds to the source's, percent-encoding undone; -1 where there is another name. */
function endOfName(line: string, start: number, folded: readonly number[]): number {
  let at = start
  for (const wanted of folded) {
    const isEncoded = line.charCodeAt(at) === PERCENT
    const code = isEncoded ? Number.parseInt(line.slice(at + 1, at + 3), 16) : line.charCodeAt(at)
    if (fold(code) !== wanted) return -1
    at += isEncoded && !Number.isNaN(code) ? 3 : 1
  }
  return at
}

/**
 * Other parsers allow white space before the `=`, no `=` at all, or take `name[key]` for the name; old PHP undoes percent-encoding
 * before, and ends the name at a NUL.
 */
function isEndOfName(line: string, at: number): boolean {
  let next = at
  while (isWhiteSpace(line.charCodeAt(next))) next++
  const code = line.charCodeAt(next)
  if (code === PERCENT) return /^%(?:00|5b)/i.test(line.slice(next, next + 3))
  return next >= line.length || code === EQUALS || code === SEMICOLON || code === COMMA || code === BRACKET
}

/** Only at the start and behind `;` does a pair begin for everybody (RFC 6265 section 5.4). */
function isPairStart(line: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && isWhiteSpace(line.charCodeAt(before))) before--
  return before < 0 || line.charCodeAt(before) === SEMICOLON
}

function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0xa0 || code === 0x0b || code === 0x0c
}

/** A letter in lower case, a digit, or 0 for everything else. */
function fold(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return code
  if (code >= 0x41 && code <= 0x5a) return code + 0x20
  return code >= 0x30 && code <= 0x39 ? code : 0
}
