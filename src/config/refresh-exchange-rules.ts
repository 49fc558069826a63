// Can the identity provider be asked for successors in the way that these settings say? What the exchange needs of the other
// settings, and what would have no effect. Reads no file.
import type { Draft } from './draft.ts'
import type { Config } from './options.ts'
import type { Finding } from './problems.ts'
import { quote } from './quote.ts'

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
  // A file that was given and could not be read is there: its own problem is told already.
  const hasKey = 'storeKeyFile' in exchange
  if (grant === 'token-exchange' && hasKey)
    yield {
      path: at('storeKeyFile'),
      message: 'Cannot use a key for refresh tokens with "grant: token-exchange", which keeps none',
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
