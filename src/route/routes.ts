// Which rule covers this request? The first that matches; a path that no rule covers needs a token.
import type { RequestView, VerifiedToken } from '../model/decision.ts'
import { type Refusal, refuse } from '../model/refusal.ts'
import { readPath } from './path.ts'

/** A rule as the operator writes it. */
export interface RoutePolicy {
  /** `/healthz` covers exactly that path; `/admin/*` covers `/admin` and everything below it. */
  readonly path: string
  /** Compared as they are (RFC 9110 section 9.1: methods are case-sensitive). Absent: every method. */
  readonly methods?: readonly string[] | undefined
  readonly access: 'public' | 'token'
  readonly scopes?: readonly string[] | undefined
  /** Claim name to the values that it may have. */
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined
}

/** What a matching rule asks for. */
export interface Route {
  /** The rule's path as configured: safe to show, unlike the request's. */
  readonly path: string
  readonly isPublic: boolean
  /** Answers the refusal for a token that lacks a scope or claim value, or nothing. */
  readonly lacks: (token: VerifiedToken) => Refusal | undefined
}

const ambiguous = refuse('path_ambiguous')
const needsToken: Route = { path: 'no rule, so it needs a token', isPublic: false, lacks: () => undefined }
const preflight: Route = { path: 'a CORS preflight of a known origin', isPublic: true, lacks: () => undefined }

/**
 * Makes the function that answers the rule for a request, or `path_ambiguous`. CORS preflights of pages of the
 * `corsOrigins` need no token, whatever the path.
 */
export function createRoutes(
  policies: readonly RoutePolicy[],
  corsOrigins: readonly string[] = [],
): (view: RequestView) => Route | Refusal {
  const rules = policies.map((policy) => ({ covers: createMatcher(policy), route: createRoute(policy) }))
  return (view) => {
    const path = readPath(view.path)
    if (path === undefined) return ambiguous
    if (view.method === 'OPTIONS' && isPreflight(view.headers, corsOrigins)) return preflight
    for (const rule of rules) if (rule.covers(view.method, path)) return rule.route
    return needsToken
  }
}

/** Browsers send no token with it, and Access-Control-Request-Method always (Fetch standard, CORS-preflight fetch). */
function isPreflight(headers: readonly string[], corsOrigins: readonly string[]): boolean {
  let isKnown = false
  let isAsking = false
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'origin') isKnown = corsOrigins.includes(headers[i + 1] ?? '')
    else if (headers[i] === 'access-control-request-method') isAsking = true
  }
  return isKnown && isAsking
}

function createMatcher(policy: RoutePolicy): (method: string, path: string) => boolean {
  const { methods } = policy
  const coversMethod = (method: string) => methods === undefined || methods.includes(method)
  if (!policy.path.endsWith('/*')) return (method, path) => path === policy.path && coversMethod(method)
  const below = policy.path.slice(0, -1)
  const itself = below.slice(0, -1)
  return (method, path) => (path.startsWith(below) || path === itself) && coversMethod(method)
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
