// Which route covers this request, and what does it ask for? The first route that matches to the letter; a path that no route
// covers needs a token. Routes before it that ask for something are asked as well where an app could take the path for
// theirs (Express ignores letter case): such lenient matching only ever adds to what is asked.
import type { RequestView, VerifiedToken } from '../model/decision.ts'
import { foldRoutePath, isPlainSpelling, readingsOf } from '../model/path-spelling.ts'
import { type Refusal, refuse } from '../model/refusal.ts'
import { coveredMethods, matchesPath, readRoutePath } from '../model/route-path.ts'
import { readPath } from './path.ts'
import { isPreflight } from './preflight.ts'

/** A route as the operator writes it. */
export interface RoutePolicy {
  /** `/healthz`, `/admin/*` or `/users/{id}`. */
  readonly path: string
  /** Absent: every method. `GET` covers `HEAD`. */
  readonly methods?: readonly string[] | undefined
  readonly access: 'public' | 'token'
  readonly scopes?: readonly string[] | undefined
  /** Claim name to the values that it may have. */
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined
}

/** What is asked of a request. */
export interface Route {
  /** The path of the route as configured: safe to show, unlike the request's. */
  readonly path: string
  readonly isPublic: boolean
  /** Answers the refusal for a token that lacks a scope or claim value, or nothing. */
  readonly lacks: (token: VerifiedToken) => Refusal | undefined
}

/** Whether a route asks for something, and so is matched leniently. */
const asks: Readonly<Record<RoutePolicy['access'], boolean>> = { public: false, token: true }

const ambiguous = refuse('path_ambiguous')
const needsToken: Route = { path: 'no rule, so it needs a token', isPublic: false, lacks: () => undefined }
const preflight: Route = { path: 'a CORS preflight of a known origin', isPublic: true, lacks: () => undefined }

interface Rule {
  readonly route: Route
  readonly covers: (method: string, path: string) => boolean
}

/** A rule that asks for something. `path` is folded, as what `covers` is asked about. */
interface AskingRule extends Rule {
  /** Where it stands among all. */
  readonly index: number
  /** True where a plain spelling (see path-spelling.ts) cannot match leniently without matching to the letter. */
  readonly isPlain: boolean
}

/**
 * Makes the function that answers the route for a request, or `path_ambiguous`. CORS preflights of pages of the
 * `corsOrigins` need no token, whatever the path.
 */
export function createRoutes(
  policies: readonly RoutePolicy[],
  corsOrigins: readonly string[] = [],
): (view: RequestView) => Route | Refusal {
  const rules = policies.map((policy): Rule => ({ route: createRoute(policy), covers: createMatcher(policy) }))
  const asking = rules.flatMap(({ route }, index) => createAskingRule(policies[index], route, index))
  const odd = asking.filter(({ isPlain }) => !isPlain)

  return (view) => {
    const { method } = view
    const path = readPath(view.path)
    if (path === undefined) return ambiguous
    if (method === 'OPTIONS' && isPreflight(view.headers, corsOrigins)) return preflight
    let index = 0
    while (index < rules.length && rules[index]?.covers(method, path) === false) index++
    const route = rules[index]?.route ?? needsToken
    if (isBefore(asking, index) && !(PLAIN_METHODS.has(method) && isPlainSpelling(path)))
      return withAsked(route, asking, index, method, readingsOf(path))
    return isBefore(odd, index) ? withAsked(route, odd, index, method, readingsOf(path)) : route
  }
}

/** Methods that have one spelling: nothing has to be folded. */
const PLAIN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function isBefore(rules: readonly AskingRule[], index: number): boolean {
  const first = rules[0]
  return first !== undefined && first.index < index
}

/** The route together with every asking rule before it that an app could mean by one of the readings. */
function withAsked(
  route: Route,
  rules: readonly AskingRule[],
  index: number,
  method: string,
  readings: readonly string[],
): Route {
  const upper = method.toUpperCase()
  const asked: Route[] = []
  for (const rule of rules) {
    if (rule.index >= index) break
    for (const reading of readings)
      if (rule.covers(upper, reading)) {
        asked.push(rule.route)
        break
      }
  }
  return asked.length === 0 ? route : together(asked, route)
}

/** All of these at once. Only a path in an odd spelling gets here, so it is made when it is needed. */
function together(asked: readonly Route[], route: Route): Route {
  const routes = [...asked, route]
  const spelled = asked.map(({ path }) => `${path} in another spelling`).join(' and ')
  return {
    path: route === needsToken ? spelled : `${spelled}, and ${route.path}`,
    isPublic: false,
    lacks: (token) => {
      for (const route of routes) {
        const refusal = route.lacks(token)
        if (refusal !== undefined) return refusal
      }
      return undefined
    },
  }
}

function createMatcher(policy: RoutePolicy): Rule['covers'] {
  const coversMethod = createMethodTest(policy)
  const { path: text } = policy
  const routePath = readRoutePath(text)
  if (routePath.segments.includes(undefined))
    return (method, path) => matchesPath(routePath, path) && coversMethod(method)
  if (!routePath.isPrefix) return (method, path) => path === text && coversMethod(method)
  const below = text.slice(0, -1)
  const itself = below.slice(0, -1)
  return (method, path) => (path.startsWith(below) || path === itself) && coversMethod(method)
}

function createMethodTest({ methods }: RoutePolicy): (method: string) => boolean {
  if (methods === undefined) return () => true
  const covered = coveredMethods(methods)
  return (method) => covered.includes(method)
}

function createAskingRule(policy: RoutePolicy | undefined, route: Route, index: number): readonly AskingRule[] {
  if (policy === undefined || !asks[policy.access]) return []
  const coversMethod = createMethodTest(policy)
  const folded = foldRoutePath(policy.path)
  const isPlain = isPlainSpelling(policy.path.replace(/\/\*$/, '').replaceAll(/\{[^{}]*\}/g, 'x'))
  return [{ route, index, isPlain, covers: (method, path) => matchesPath(folded, path) && coversMethod(method) }]
}

function createRoute(policy: RoutePolicy): Route {
  const scopes = policy.scopes ?? []
  const claims = Object.entries(policy.claims ?? {})
  return {
    path: policy.path,
    isPublic: policy.access === 'public',
    lacks: (token) => {
      for (const scope of scopes)
        if (!token.scopes.has(scope))
          return refuse('scope_insufficient', { issuer: token.issuer, detail: `it lacks the scope "${scope}"` })
      for (const [name, allowed] of claims)
        if (!holdsOneOf(token, name, allowed))
          return refuse('claim_mismatch', { issuer: token.issuer, detail: `"${name}" has none of the allowed values` })
      return undefined
    },
  }
}

/** A claim may be one value or a list of them; numbers and booleans are compared as they are written. */
function holdsOneOf(token: VerifiedToken, name: string, allowed: readonly string[]): boolean {
  const claim = Object.hasOwn(token.claims, name) ? token.claims[name] : undefined
  const values = Array.isArray(claim) ? claim : [claim]
  return values.some((value) => isPlain(value) && allowed.includes(String(value)))
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
