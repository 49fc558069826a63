// The request without its token, where the application is not to see it. It must never change any other byte.
import type { TokenSource } from '../model/decision.ts'

/** The value of a header line without the token that came there; undefined where nothing of the line is left. */
export function withoutToken(name: string, value: string, source: TokenSource): string | undefined {
  if ('header' in source) return name === source.header.toLowerCase() ? undefined : value
  if (!('cookie' in source) || name !== 'cookie') return value
  const rest = withoutCookie(value, source.cookie)
  return rest === '' ? undefined : rest
}

/** A Cookie value (RFC 6265 section 4.2) without every pair of that name; empty where nothing else is left. */
function withoutCookie(value: string, name: string): string {
  const pairs = value.split(';')
  // Spaces around the name are skipped here as they are where the token is looked for
  const kept = pairs.filter((pair) => pair.indexOf('=') === -1 || pair.slice(0, pair.indexOf('=')).trim() !== name)
  return kept.length === pairs.length ? value : kept.join(';').trim()
}

/** The target that is forwarded: byte-identical, except that a query parameter that held the token is taken out. */
export function withoutQueryToken(target: string, source: TokenSource | undefined): string {
  if (source === undefined || !('query' in source)) return target
  const mark = target.indexOf('?')
  if (mark === -1) return target
  const kept = target
    .slice(mark + 1)
    .split('&')
    .filter((pair) => !isParameter(pair, source.query))
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
