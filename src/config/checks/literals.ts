// Values that are right by their form and are probably meant as patterns, lists or something else: they are compared whole, so
// what they are written for never happens. Warnings where a token could hold such a value, problems where none can.

import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

type RouteDraft = NonNullable<NonNullable<Draft<Config>['routes']>[number]>

/** Every finding about texts that are compared whole. */
export function* literalRules({ routes, forward }: Draft<Config>): Generator<Finding> {
  for (const [index, route] of (routes ?? []).entries())
    if (route !== undefined) {
      yield* scopeRules(route, index)
      yield* claimRules(route, index)
    }
  yield* identityWarnings(forward)
}

function* scopeRules({ scopes }: RouteDraft, index: number): Generator<Finding> {
  for (const [at, scope] of (scopes ?? []).entries()) {
    const path = ['routes', index, 'scopes', at]
    if (scope?.includes('*'))
      yield {
        path,
        severity: 'warning',
        message: `Scopes are compared whole: ${quote(scope)} is met by a token with this very scope alone`,
        hint: 'name each scope',
      }
    else if (scope !== undefined && /[,|]/.test(scope))
      yield {
        path,
        severity: 'warning',
        message: `Scopes are compared whole: ${quote(scope)} is one scope`,
        hint: `several that a token must all have are a list: [${scope.split(/[,|]+/).join(', ')}]`,
      }
  }
}

function* claimRules({ claims }: RouteDraft, index: number): Generator<Finding> {
  for (const [name, values] of Object.entries(claims ?? {})) {
    const path = ['routes', index, 'claims', name]
    if (name === 'scope' || name === 'scp')
      yield {
        path,
        severity: 'warning',
        message: `Claims are compared whole: ${quote(name)} with several scopes in one text is none of these values`,
        hint: 'write "scopes" in place of "claims"',
      }
    for (const value of values ?? []) {
      if (value === undefined) continue
      if (/^\$?\{.*\}$/.test(value))
        yield {
          path,
          message: `Expected a value that a token can have, got ${quote(value)}`,
          hint: 'names in braces stand for nothing here',
        }
      else if (/\*|^\^|\$$/.test(value))
        yield {
          path,
          severity: 'warning',
          message: `Claims are compared whole: ${quote(value)} is met by a token with this very value alone`,
          hint: 'name each value; "issuers[].requiredClaims" asks for a claim with any value',
        }
    }
  }
}

/** A map that was written the wrong way round: the claim first. */
function* identityWarnings(forward: Draft<Config>['forward']): Generator<Finding> {
  for (const [header, claim] of Object.entries(forward?.identity ?? {}))
    if (claim !== undefined && /^x-/i.test(claim) && !/^x-/i.test(header))
      yield {
        path: ['forward', 'identity', header],
        severity: 'warning',
        message: `The header ${quote(header)} carries the claim ${quote(claim)}, which looks like a header`,
        hint: `the header comes first: { ${claim}: ${header} }`,
      }
}
