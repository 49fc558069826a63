// Can the identity provider be asked for successors in the way that these settings say? What the exchange needs of the other
// settings, and what would have no effect. Reads no file.

import type { Config, RefreshConfig } from '../options.ts'
import type { Finding } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import type { Draft } from './draft.ts'

/** Every contradiction that concerns `refresh.exchange`. */
export function* refreshExchangeRules({ refresh, revocation, admin }: Draft<Config>): Generator<Finding> {
  const exchange = refresh?.exchange
  if (exchange === undefined) return
  const { tokenEndpoint, caFile, grant } = exchange
  const at = (name: string) => ['refresh', 'exchange', name]
  if (caFile !== undefined && tokenEndpoint?.startsWith('http:'))
    yield {
      path: at('caFile'),
      message: `Cannot use certificates: the connection to ${quote(tokenEndpoint)} is not encrypted`,
      hint: 'begin that URL with "https"',
    }
  yield* clientRules(exchange)
  // A file that was given and could not be read is there: its own problem is told already.
  const hasKey = 'storeKeyFile' in exchange
  if (grant === 'token-exchange' && hasKey)
    yield {
      path: at('storeKeyFile'),
      message: 'Cannot use a key for refresh tokens with "grant: token-exchange", which keeps none',
      hint: 'remove it, or set "grant: refresh-token"',
    }
  if (grant === 'token-exchange' && exchange.whenInDoubt === 'retry')
    yield {
      path: at('whenInDoubt'),
      message: 'Cannot use "retry" with "grant: token-exchange", which uses no refresh token',
      hint: 'remove it, or set "grant: refresh-token"',
    }
  if (grant !== 'refresh-token') return
  if (!hasKey)
    yield {
      path: at('storeKeyFile'),
      message: 'Missing setting',
      hint: 'give a file with a key for refresh tokens, as "openssl rand -base64 32" makes it',
    }
  const needs = 'Cannot use "refresh-token"'
  if (revocation !== undefined && !('redis' in revocation))
    yield {
      path: at('grant'),
      message: `${needs}: no Redis is given, where refresh tokens are kept and gates keep each other from using one twice`,
      hint: 'give "revocation.redis" as well',
    }
  if (admin !== undefined && !('tokenFile' in admin))
    yield {
      path: at('grant'),
      message: `${needs}: without an admin token nobody can hand one in`,
      hint: 'give "admin.tokenFile" as well',
    }
}

type ExchangeDraft = Draft<NonNullable<RefreshConfig['exchange']>>

const KEY_SETTINGS = ['clientKeyFile', 'clientKeyAlgorithm', 'clientKeyId', 'clientAudience'] as const

/** The client proves itself in one way: what belongs to another one would have no effect. */
function* clientRules(exchange: ExchangeDraft): Generator<Finding> {
  const { clientAuthentication: method } = exchange
  if (method === undefined) return
  const at = (name: string) => ['refresh', 'exchange', name]
  const isByKey = method === 'private_key_jwt'
  const needed = isByKey ? (['clientKeyFile', 'clientKeyAlgorithm'] as const) : (['clientSecretFile'] as const)
  for (const name of needed) {
    if (name in exchange) continue
    yield { path: at(name), message: 'Missing setting', hint: MISSING[name] }
  }
  for (const name of isByKey ? (['clientSecretFile'] as const) : KEY_SETTINGS) {
    if (!(name in exchange)) continue
    const otherwise = isByKey ? 'client_secret_basic' : 'private_key_jwt'
    yield {
      path: at(name),
      message: `Cannot use it with ${quote(`clientAuthentication: ${method}`)}`,
      hint: `remove it, or set "clientAuthentication: ${otherwise}"`,
    }
  }
}

const MISSING = {
  clientSecretFile: 'give a file with the secret of this client, or set "clientAuthentication: private_key_jwt"',
  clientKeyFile: 'give a file with the private key of this client',
  clientKeyAlgorithm: 'give the algorithm that the key signs with, such as ES256',
}
