// The language of route paths: `/healthz` is one path, `/admin/*` is `/admin` and everything below it, `{name}` is one segment
// that is not empty. Matching here is to the letter; spellings are folded in path-spelling.ts. Knows nothing of what a
// route asks for. Shared by the gate, which matches requests, and by `check`, which compares routes.

/** A route path, read once. */
export interface RoutePath {
  /** What stands between the slashes; undefined for `{name}`, which is any segment that is not empty. */
  readonly segments: readonly (string | undefined)[]
  /** True for a path that ends in `/*`. */
  readonly isPrefix: boolean
}

const TEMPLATE = /^\{[^{}]*\}$/
const SLASH = 0x2f

/** Reads the text of a route path. `/a/` has an empty last segment, `/*` has none at all. */
export function readRoutePath(text: string): RoutePath {
  const isPrefix = text.endsWith('/*')
  const segments = (isPrefix ? text.slice(0, -2) : text).split('/').slice(1)
  return { segments: segments.map((segment) => (TEMPLATE.test(segment) ? undefined : segment)), isPrefix }
}

/** True where the path of a request, decoded, is one that the route path means. */
export function matchesPath({ segments, isPrefix }: RoutePath, path: string): boolean {
  let at = 0
  for (const segment of segments) {
    if (path.charCodeAt(at) !== SLASH) return false
    const start = at + 1
    if (segment === undefined) {
      const slash = path.indexOf('/', start)
      at = slash === -1 ? path.length : slash
      if (at === start) return false
    } else {
      if (!path.startsWith(segment, start)) return false
      at = start + segment.length
    }
  }
  return at === path.length || (isPrefix && path.charCodeAt(at) === SLASH)
}

/** True where every path that `second` means is meant by `first` as well. */
export function coversPath(first: RoutePath, second: RoutePath): boolean {
  const { length } = first.segments
  if (second.segments.length < length) return false
  if (!first.isPrefix && (second.isPrefix || second.segments.length > length)) return false
  return first.segments.every((segment, index) => {
    const other = second.segments[index]
    return segment === undefined ? other !== '' : segment === other
  })
}

/** True where some path is meant by both. */
export function overlapsPath(first: RoutePath, second: RoutePath): boolean {
  const [a, b] = first.segments.length <= second.segments.length ? [first, second] : [second, first]
  if (a.segments.length < b.segments.length && !a.isPrefix) return false
  return a.segments.every((segment, index) => {
    const other = b.segments[index]
    if (segment === undefined) return other !== ''
    return other === undefined ? segment !== '' : segment === other
  })
}

/** The methods that a route covers: GET covers HEAD, as every app answers HEAD by its GET handler (RFC 9110 section 9.3.2). */
export function coveredMethods(methods: readonly string[]): readonly string[] {
  return methods.includes('GET') && !methods.includes('HEAD') ? [...methods, 'HEAD'] : methods
}
