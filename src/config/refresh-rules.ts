// Would the successors that these settings make be accepted again? Checks the times, the key and the cookie of a
// refresh against each other and against the issuers. Reads no file.
import type { Draft } from './draft.ts'
import { formatDuration } from './durations.ts'
import type { Config, RefreshConfig } from './options.ts'
import type { Finding } from './problems.ts'
import { quote } from './quote.ts'

/** Every contradiction that concerns the refresh; none where it is off. */
export function* refreshRules({ refresh, issuers = [], tokens }: Draft<Config>): Generator<Finding> {
  if (refresh === undefined) return
  yield* timeRules(refresh)
  yield* signerRules(refresh)
  if (refresh.key !== undefined) yield* keyRules(refresh.key)
  const { tokenEndpoint, caFile } = refresh.exchange ?? {}
  if (caFile !== undefined && tokenEndpoint?.startsWith('http:'))
    yield {
      path: ['refresh', 'exchange', 'caFile'],
      message: `Cannot use certificates: the connection to ${quote(tokenEndpoint)} is not encrypted`,
      hint: 'begin that URL with "https"',
    }
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
  const given = ['key', 'exchange'].filter((name) => name in refresh)
  if (given.length === 1) return
  const got = given.length === 0 ? 'none' : 'both'
  yield { path: ['refresh'], message: `Expected exactly one of "refresh.key", "refresh.exchange", got ${got}` }
}

function* keyRules(key: Draft<NonNullable<RefreshConfig['key']>>): Generator<Finding> {
  const at = (...names: string[]) => ['refresh', 'key', ...names]
  const hasPrivate = 'privateKeyFile' in key
  const hasSecret = 'secretFile' in key
  if (hasPrivate === hasSecret) {
    yield {
      path: at(),
      message: `Expected exactly one of "privateKeyFile", "secretFile", got ${hasPrivate ? 'both' : 'none'}`,
    }
    return
  }
  const { algorithm } = key
  if (algorithm !== undefined && algorithm.startsWith('HS') !== hasSecret) {
    const expects = hasSecret ? '"HS256", "HS384" or "HS512" with "secretFile"' : 'an algorithm with a private key'
    const hint = hasSecret ? 'a private key is given by "privateKeyFile"' : `for ${quote(algorithm)} give "secretFile"`
    yield { path: at('algorithm'), message: `Expected ${expects}, got ${quote(algorithm)}`, hint }
  }
  if (hasPrivate && !('keyId' in key)) {
    yield {
      path: at('keyId'),
      message: 'Missing setting',
      hint: 'give the key id under which the public key is published',
    }
  }
}

/** A successor goes through the same checks as any token of its issuer; that it is signed with our key is known. */
function* acceptanceRules(
  { key, lifetime }: Draft<RefreshConfig>,
  issuers: NonNullable<Draft<Config>['issuers']>,
): Generator<Finding> {
  if (key === undefined || lifetime === undefined) return
  const strict = issuers.find((issuer) => issuer?.maxLifetime !== undefined && lifetime > issuer.maxLifetime)
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
