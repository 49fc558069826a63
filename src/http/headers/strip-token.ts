// The request without its token, where the application is not to see it. It must never change any other byte.
import type { TokenSource } from '../../model/decision.ts'

/** The value of a header line without the token that came in one of these places; undefined where nothing of it is left. */
export function withoutToken(name: string, value: string, sources: readonly TokenSource[]): string | undefined {
  let rest = value
  for (const source of sources) {
    if ('header' in source && name === source.header.toLowerCase()) return undefined
    if ('cookie' in source && name === 'cookie') rest = withoutCookie(rest, source.cookie, undefined)
  }
  return rest === '' && value !== '' ? undefined : rest
}

/** The value of a Cookie line without the tokens of that name that were not judged: the app must not read another one. */
export function withJudgedTokenAlone(
  value: string,
  sources: readonly TokenSource[],
  judged: string,
): string | undefined {
  let rest = value
  for (const source of sources) if ('cookie' in source) rest = withoutCookie(rest, source.cookie, judged)
  return rest === '' ? undefined : rest
}

/** A Cookie value (RFC 6265 section 4.2) without the pairs of that name, but for those with the kept value. */
function withoutCookie(value: string, name: string, kept: string | undefined): string {
  const pairs = value.split(';')
  const rest = pairs.filter((pair) => {
    const equals = pair.indexOf('=')
    // Spaces around the name are skipped here as they are where the token is looked for
    return equals === -1 || pair.slice(0, equals).trim() !== name || pair.slice(equals + 1).trim() === kept
  })
  return rest.length === pairs.length ? value : rest.join(';').trim()
}

/** The target that is forwarded: byte-identical, except that query parameters that held the token are taken out. */
export function withoutQueryToken(target: string, sources: readonly TokenSource[]): string {
  const names = sources.flatMap((source) => ('query' in source ? [source.query] : []))
  if (names.length === 0) return target
  const mark = target.indexOf('?')
  if (mark === -1) return target
  const kept = target
    .slice(mark + 1)
    .split('&')
    .filter((pair) => !names.some((name) => isParameter(pair, name)))
  const query = kept.join('&')
  return query === '' ? target.slice(0, mark) : `${target.slice(0, mark)}?${query}`
}

function isParameter(pair: string, name: string): boolean {
  const end = pair.indexOf('=')
  const rawName = end === -1 ? pair : pair.slice(0, end)
  if (rawName === name) return true
  try {
    return decodeURIComponent(rawName.replaceAll('+', ' ')) === name
  } catch {
    return false
  }
}
