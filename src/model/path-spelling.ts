// Which spellings of a path may an app take for the same page? Express ignores letter case and a trailing slash, file systems
// fold Unicode, Windows drops dots at the end of a name. A route that asks for something is matched on these readings as
// well, so they may only ever add to what is asked: never decide by them that a request is public.
import { type RoutePath, readRoutePath } from './route-path.ts'

/**
 * True for a path whose only reading is itself: lower-case ASCII without a slash at its end and without what some readers
 * take for the end of a name. So for almost every request nothing has to be folded.
 */
export function isPlainSpelling(path: string): boolean {
  if (path === '/') return true
  let previous = 0
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at)
    if (code === SLASH) {
      if (previous === DOT || previous === SLASH) return false
    } else if (code >= 0x7f || (code < 0x80 && SPECIAL[code] === 1)) return false
    previous = code
  }
  return previous !== SLASH && previous !== DOT
}

const SLASH = 0x2f
const DOT = 0x2e
/** Upper-case letters, and where some reader ends a segment or a path. */
const SPECIAL = Uint8Array.from({ length: 0x80 }, (_, code) =>
  /[A-Z\s\\;%?#$]/.test(String.fromCharCode(code)) ? 1 : 0,
)

/** The spelling that stands for all that differ in letter case, width, composition or a trailing slash alone. */
function foldPath(path: string): string {
  const folded = isAscii(path) ? path.toLowerCase() : foldUnicode(path)
  return folded.endsWith('/') ? folded.slice(0, -1) : folded
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/
const isAscii = (text: string) => ASCII.test(text)

/**
 * Upper case first, then lower: ß and SS, ſ and S, ı and I meet there; ẞ only in a second round. The dot of İ goes, as
 * Turkish apps read it as i.
 */
function foldUnicode(path: string): string {
  const once = path.normalize('NFKC').toUpperCase().toLowerCase()
  return once.toUpperCase().toLowerCase().replaceAll('i\u0307', 'i')
}

/** Every reading of a decoded path on which a route that asks for something is matched, folded: one, or seldom two. */
export function readingsOf(path: string): readonly string[] {
  const folded = foldPath(path)
  if (!MAY_BE_RESOLVED.test(folded)) return [folded]
  return [folded, resolve(folded)]
}

/** What folding can make of a full-width slash, dot or percent sign, and what ends a name on Windows or in a rewriting proxy. */
const MAY_BE_RESOLVED = /[\\;%?#$]|\/\/|[. ](?:\/|$)/

/** The path as a lenient reader resolves it: no query, no parameters, no dot segments, no dots and blanks after a name. */
function resolve(folded: string): string {
  const kept: string[] = []
  for (const segment of decoded(folded)
    .replace(/[?#].*$/s, '')
    .split(/[/\\]/)) {
    const name = segment.replace(/;.*$/s, '').replace(/::\$[a-z_]*$/, '')
    if (name === '..') kept.pop()
    else if (/[^. ]/.test(name)) kept.push(name.replace(/[. ]+$/, ''))
  }
  return kept.map((name) => `/${name}`).join('')
}

/** A percent sign that folding has made may encode once more. */
function decoded(folded: string): string {
  try {
    return folded.includes('%') ? foldPath(decodeURIComponent(folded)) : folded
  } catch {
    return folded
  }
}

/** The route path on which folded readings are matched. */
export function foldRoutePath(text: string): RoutePath {
  const { segments, isPrefix } = readRoutePath(isAscii(text) ? text.toLowerCase() : foldUnicode(text))
  return { segments: segments.at(-1) === '' ? segments.slice(0, -1) : segments, isPrefix }
}
