// Do the settings of the issuers fit each other? Checks names, algorithms and where the keys come from. Reads no file and
// asks no issuer.

import type { Config, IssuerConfig } from '../options.ts'
import type { Finding } from '../problems.ts'
import { readSecureUrl } from '../value-types/addresses.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

/** Every contradiction within the issuers and between them. */
export function* issuerRules(issuers: NonNullable<Draft<Config>['issuers']>): Generator<Finding> {
  const first = new Map<string, number>()
  for (const [index, issuer] of issuers.entries()) {
    const path = ['issuers', index]
    const name = issuer?.issuer
    if (name !== undefined) {
      const earlier = first.get(name)
      if (earlier !== undefined)
        yield {
          path: [...path, 'issuer'],
          message: `Repeated issuer ${quote(name)}`,
          hint: `it is issuers[${earlier}] already`,
        }
      else first.set(name, index)
    }
    const { keys, algorithms } = issuer ?? {}
    if (keys === undefined) continue
    if (algorithms !== undefined) yield* algorithmRules(path, 'secretFile' in keys, algorithms)
    if ('discovery' in keys && name !== undefined) yield* discoveryRules(path, name)
    if ('jwksUri' in keys && keys.jwksUri !== undefined) yield* keySetRules(path, keys.jwksUri)
    if (keys.caFile !== undefined) yield* authorityRules(path, name, keys)
  }
}

/** Certificates that nobody would look at are a mistake: somebody believes that they protect something. */
function* authorityRules(
  path: readonly PropertyKey[],
  issuer: string | undefined,
  keys: Draft<IssuerConfig['keys']>,
): Generator<Finding> {
  const at = [...path, 'keys', 'caFile']
  const isFetched = 'discovery' in keys || 'jwksUri' in keys
  const url = 'jwksUri' in keys ? keys.jwksUri : issuer
  if (!isFetched)
    yield { path: at, message: 'Cannot use certificates: the keys come from a file', hint: 'remove "caFile"' }
  else if (url?.startsWith('http:'))
    yield {
      path: at,
      message: `Cannot use certificates: the connection to ${quote(url)} is not encrypted`,
      hint: 'begin that URL with "https"',
    }
}

/** A public key must never be taken for a shared secret, so the two kinds of algorithms never stand together. */
function* algorithmRules(
  path: readonly PropertyKey[],
  isSecret: boolean,
  algorithms: readonly (string | undefined)[],
): Generator<Finding> {
  const wrong = algorithms.find((algorithm) => algorithm !== undefined && algorithm.startsWith('HS') !== isSecret)
  if (wrong === undefined) return
  yield isSecret
    ? {
        path: [...path, 'algorithms'],
        message: `Expected only HS256, HS384 or HS512 with "secretFile", got ${quote(wrong)}`,
        hint: 'name the one that the issuer uses: algorithms: [HS256]',
      }
    : {
        path: [...path, 'algorithms'],
        message: `Expected no ${quote(wrong)} without "secretFile"`,
        hint: 'as a public key would then pass for a secret that everybody knows',
      }
}

/** The metadata of an issuer name its key set, and are none. */
function* keySetRules(path: readonly PropertyKey[], jwksUri: string): Generator<Finding> {
  if (/\/\.well-known\/(openid-configuration|oauth-authorization-server)(\/|$)/.test(jwksUri))
    yield {
      path: [...path, 'keys', 'jwksUri'],
      message: `Expected the URL of a key set, got ${quote(jwksUri)}, which names one`,
      hint: 'write "discovery: true" in its place, or the "jwks_uri" that it names',
    }
}

function* discoveryRules(path: readonly PropertyKey[], issuer: string): Generator<Finding> {
  let finding: Finding | undefined
  readSecureUrl(issuer, (message, hint) => {
    finding = {
      path: [...path, 'issuer'],
      message: `Cannot use discovery: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
      hint,
    }
    return undefined
  })
  if (finding !== undefined) yield finding
}
