// Would the successors that these settings make be accepted again? Checks the times and the cookie of a refresh against
// each other and against the issuers. Reads no file.

import type { Config, RefreshConfig } from '../options.ts'
import type { Finding } from '../problems.ts'
import { formatDuration } from '../value-types/durations.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'
import { refreshKeyRules } from './refresh-keys.ts'

/** Every contradiction that concerns the refresh; none where it is off. */
export function* refreshRules({ refresh, issuers = [], tokens }: Draft<Config>): Generator<Finding> {
  if (refresh === undefined) return
  yield* timeRules(refresh)
  yield* signerRules(refresh)
  yield* refreshKeyRules(refresh, issuers)
  yield* acceptanceRules(refresh, issuers)
  yield* cookieRules(refresh, tokens?.sources ?? [])
}

function* timeRules({ window, lifetime, maxSession }: Draft<RefreshConfig>): Generator<Finding> {
  if (window !== undefined && lifetime !== undefined && window >= lifetime) {
    yield {
      path: ['refresh', 'window'],
      message: `Expected less than "refresh.lifetime", "${formatDuration(lifetime)}", got "${formatDuration(window)}"`,
      hint: 'as a successor would need the next one at once',
    }
  }
  if (lifetime !== undefined && maxSession !== undefined && lifetime > maxSession) {
    yield {
      path: ['refresh', 'lifetime'],
      message: `Expected at most "refresh.maxSession", "${formatDuration(maxSession)}", got "${formatDuration(lifetime)}"`,
    }
  }
}

function* signerRules(refresh: Draft<RefreshConfig>): Generator<Finding> {
  // A part that was given and could not be read is there: its own problem is told already.
  const names = ['key', 'keys', 'exchange']
  const given = names.filter((name) => name in refresh)
  if (given.length === 1) return
  const quoted = (list: readonly string[]) => list.map((name) => `"refresh.${name}"`)
  const got = given.length === 0 ? 'none' : quoted(given).join(' and ')
  yield { path: ['refresh'], message: `Expected exactly one of ${quoted(names).join(', ')}, got ${got}` }
}

/** A successor goes through the same checks as any token of its issuer; that it is signed with our key is known. */
function* acceptanceRules(
  { key, keys, lifetime }: Draft<RefreshConfig>,
  issuers: NonNullable<Draft<Config>['issuers']>,
): Generator<Finding> {
  if ((key ?? keys) === undefined || lifetime === undefined) return
  const strict = issuers.find(
    (issuer) => issuer?.maxLifetime !== undefined && lifetime > issuer.maxLifetime && issuer.refresh !== false,
  )
  if (strict?.maxLifetime === undefined) return
  yield {
    path: ['refresh', 'lifetime'],
    message: `Expected at most the "maxLifetime" of issuer ${quote(strict.issuer)}, "${formatDuration(strict.maxLifetime)}", got "${formatDuration(lifetime)}"`,
    hint: 'as every successor would be refused',
  }
}

/** RFC 6265bis section 4.1.3: a browser drops a cookie whose name promises more than its attributes hold. */
function* cookieRules(
  { cookie }: Draft<RefreshConfig>,
  sources: NonNullable<Draft<Config['tokens']>['sources']>,
): Generator<Finding> {
  if (cookie === undefined) return
  const at = (name: string) => ['refresh', 'cookie', name]
  if (cookie.sameSite === 'none' && cookie.secure === false) {
    yield {
      path: at('secure'),
      message: 'Expected true with "sameSite: none", got false',
      hint: 'as browsers drop such a cookie',
    }
  }
  for (const source of sources) {
    if (source === undefined || !('cookie' in source) || source.cookie === undefined) continue
    const name = source.cookie.toLowerCase()
    const hint = `as browsers drop a cookie named ${quote(source.cookie)} otherwise`
    if (/^__(host|secure)-/.test(name) && cookie.secure === false)
      yield { path: at('secure'), message: 'Expected true, got false', hint }
    if (!name.startsWith('__host-')) continue
    if (cookie.domain !== undefined)
      yield { path: at('domain'), message: `Expected none, got ${quote(cookie.domain)}`, hint }
    if (cookie.path !== undefined && cookie.path !== '/')
      yield { path: at('path'), message: `Expected "/", got ${quote(cookie.path)}`, hint }
  }
}
