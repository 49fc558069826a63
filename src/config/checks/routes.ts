// Can every route match, and does it mean what its author thinks? A route that an earlier one covers is dead, and with it the
// scopes that someone believes in. Compares paths by the same code as the gate.
import { foldRoutePath } from '../../model/path-spelling.ts'
import { coveredMethods, coversPath, overlapsPath, type RoutePath, readRoutePath } from '../../model/route-path.ts'
import type { RouteConfig } from '../options.ts'
import type { Finding } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

type RouteDraft = Draft<RouteConfig>

/** A route as it is compared. */
interface Compared {
  readonly index: number
  readonly route: RouteDraft
  readonly path: string
  readonly literal: RoutePath
  /** For routes that ask for something: every spelling. */
  readonly folded: RoutePath
  /** Undefined for all methods, null where they could not be read. */
  readonly methods: readonly string[] | undefined | null
  readonly isPublic: boolean
}

/** The routes that can never match, those that contradict themselves, and those that probably mean something else. */
export function* routeRules(routes: readonly (RouteDraft | undefined)[]): Generator<Finding> {
  const compared = routes.flatMap((route, index) => compare(route, index))
  for (const each of compared) {
    const before = compared.filter(({ index }) => index < each.index)
    yield* deathRules(each, before)
    yield* publicRules(each)
    yield* pathWarnings(each, compared)
  }
}

function compare(route: RouteDraft | undefined, index: number): readonly Compared[] {
  if (route?.path === undefined || route.access === undefined) return []
  const { path } = route
  const isPublic = route.access === 'public'
  const shared = { index, route, path, isPublic, methods: methodsOf(route) }
  return [{ ...shared, literal: readRoutePath(path), folded: foldRoutePath(path) }]
}

function methodsOf(route: RouteDraft): Compared['methods'] {
  if (!('methods' in route)) return undefined
  const known = route.methods?.filter((method) => method !== undefined)
  return known === undefined || known.length !== route.methods?.length ? null : coveredMethods(known)
}

/** At most one finding about the routes before this one: the first that takes its requests, or might. */
function* deathRules(each: Compared, before: readonly Compared[]): Generator<Finding> {
  const covering = before.find((other) => coversPath(other.literal, each.literal) && coversMethods(other, each))
  if (covering !== undefined) return yield dead(each, covering)
  const asking = before.find(
    (other) => coversPath(other.folded, each.folded) && coversMethods(other, each) && asksForLess(each, other),
  )
  if (asking !== undefined) return yield spelledAlike(each, asking)
  const open = before.find((other) => isOtherSpelling(other, each) && asksForLess(other, each))
  if (open !== undefined) yield letterCaseMatters(each, open)
}

function dead({ path, index }: Compared, earlier: Compared): Finding {
  const isSame = path === earlier.path
  return {
    path: ['routes', index, 'path'],
    message: `Route ${quote(path)} can never match: routes[${earlier.index}], ${quote(earlier.path)}, covers it and comes first`,
    hint: isSame
      ? 'as only the first counts, remove one or give them different "methods"; one route may list several scopes, which a token must all have'
      : 'move it up',
  }
}

/** Both are asked, so what is public here is not, and what asks here is asked in addition. */
function spelledAlike({ path, index, isPublic }: Compared, earlier: Compared): Finding {
  const first = `routes[${earlier.index}], ${quote(earlier.path)}`
  const why = 'asks for something in every spelling of its path and comes first'
  if (isPublic)
    return {
      path: ['routes', index, 'path'],
      message: `Route ${quote(path)} can never be public: ${first}, ${why}`,
      hint: 'move it up if the app takes the two for different pages, else remove it',
    }
  return {
    path: ['routes', index, 'path'],
    severity: 'warning',
    message: `Route ${quote(path)} needs what ${first}, asks for as well, which ${why}`,
    hint: 'move it up if the app takes the two for different pages',
  }
}

/** No path means both to the letter, and some path means both in another spelling. */
function isOtherSpelling(a: Compared, b: Compared): boolean {
  return overlapsPath(a.folded, b.folded) && !overlapsPath(a.literal, b.literal) && shareMethods(a, b)
}

/** True where a request that `weaker` admits may lack something that `stronger` asks for. */
function asksForLess(weaker: Compared, stronger: Compared): boolean {
  if (stronger.isPublic) return false
  const demands = demandsOf(weaker)
  return weaker.isPublic || demandsOf(stronger).some((demand) => !demands.includes(demand))
}

function demandsOf({ route: { scopes = [], claims = {} } }: Compared): readonly string[] {
  return [...scopes.map((scope) => `scope ${scope}`), ...Object.entries(claims).map((claim) => JSON.stringify(claim))]
}

function letterCaseMatters({ path, index }: Compared, earlier: Compared): Finding {
  const taken = earlier.isPublic ? 'is public' : 'asks for less'
  return {
    path: ['routes', earlier.index, 'path'],
    severity: 'warning',
    message: `Route ${quote(earlier.path)} ${taken} and comes before routes[${index}], ${quote(path)}: an app that ignores letter case or a slash at the end takes the two for one page`,
    hint: 'move it down, unless the app tells them apart',
  }
}

function* publicRules({ route, index, isPublic }: Compared): Generator<Finding> {
  if (!isPublic) return
  for (const name of ['scopes', 'claims'] as const) {
    if (name in route)
      yield {
        path: ['routes', index, name],
        message: `Cannot ask for ${name} on a public route: it needs no token`,
        hint: 'remove "access: public"',
      }
  }
}

/** Paths that mean less than other routers have them mean: a file without what CGI calls PATH_INFO, a folder without its content. */
function* pathWarnings(each: Compared, all: readonly Compared[]): Generator<Finding> {
  const { path, literal, index, isPublic } = each
  const last = literal.segments.at(-1)
  if (isPublic || literal.isPrefix || last === undefined) return
  const isFolder = last === ''
  if (!isFolder && !/\.[A-Za-z][A-Za-z0-9]{0,7}$/.test(last)) return
  const below = `${isFolder ? path.slice(0, -1) : path}/*`
  if (!isWeakerBelow(each, readRoutePath(below), all)) return
  yield {
    path: ['routes', index, 'path'],
    severity: 'warning',
    message: isFolder
      ? `Route ${quote(path)} means that one path and nothing below it`
      : `Route ${quote(path)} leaves out ${quote(`${path}/x`)}, which PHP and CGI answer with the same file`,
    hint: `write ${quote(below)}`,
  }
}

/** True where a request below the path may get through with less than this route asks for. */
function isWeakerBelow(each: Compared, below: RoutePath, all: readonly Compared[]): boolean {
  for (const other of all) {
    if (other.index === each.index || !overlapsPath(other.literal, below) || !shareMethods(other, each)) continue
    if (asksForLess(other, each)) return true
    if (coversPath(other.literal, below) && coversMethods(other, each)) return false
  }
  return demandsOf(each).length > 0
}

/** Unread methods of the first could be any, and those of the second too: silent unless it is certain. */
function coversMethods(first: Compared, second: Compared): boolean {
  if (first.methods === undefined) return true
  if (first.methods === null || second.methods === undefined || second.methods === null) return false
  return second.methods.every((method) => first.methods?.includes(method))
}

function shareMethods(a: Compared, b: Compared): boolean {
  if (a.methods === null || b.methods === null) return false
  if (a.methods === undefined || b.methods === undefined) return true
  return a.methods.some((method) => b.methods?.includes(method))
}
