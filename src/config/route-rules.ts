// Can every route match? A route that an earlier one covers is dead, and with it the scopes that someone believes in.
// Compares paths as route/ does: `/admin/*` covers `/admin` and everything below it.
import type { Draft } from './draft.ts'
import type { RouteConfig } from './options.ts'
import type { Finding } from './problems.ts'
import { quote } from './quote.ts'

type RouteDraft = Draft<RouteConfig>

/** The routes that can never match, and those that contradict themselves. */
export function* routeRules(routes: readonly (RouteDraft | undefined)[]): Generator<Finding> {
  for (const [index, route] of routes.entries()) {
    if (route?.path === undefined) continue
    const earlier = routes.findIndex((other, at) => at < index && other !== undefined && covers(other, route))
    if (earlier !== -1) yield dead(route.path, index, routes[earlier]?.path ?? '', earlier)
    if (route.access !== 'public') continue
    for (const name of ['scopes', 'claims'] as const) {
      if (name in route)
        yield {
          path: ['routes', index, name],
          message: `Cannot ask for ${name} on a public route: it needs no token`,
          hint: 'remove "access: public"',
        }
    }
  }
}

function dead(path: string, index: number, coveringPath: string, earlier: number): Finding {
  const isSame = path === coveringPath
  return {
    path: ['routes', index, 'path'],
    message: `Route ${quote(path)} can never match: routes[${earlier}], ${quote(coveringPath)}, covers it and comes first`,
    hint: isSame ? 'merge the two' : 'move it up',
  }
}

/** Unread methods of the first could be any, and those of the second too: silent unless it is certain. */
function covers(first: RouteDraft, second: RouteDraft): boolean {
  return (
    first.path !== undefined &&
    second.path !== undefined &&
    coversPath(first.path, second.path) &&
    coversMethods(first, second)
  )
}

function coversPath(first: string, second: string): boolean {
  if (!first.endsWith('/*')) return first === second
  const below = first.slice(0, -1)
  return second.startsWith(below) || second === below.slice(0, -1)
}

function coversMethods(first: RouteDraft, second: RouteDraft): boolean {
  if (!('methods' in first)) return true
  if (first.methods === undefined || second.methods === undefined) return false
  return second.methods.every((method) => method !== undefined && first.methods?.includes(method))
}
