// Settings of TLS for clients that contradict each other.
import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import type { Draft } from './draft.ts'

/** Every contradiction that concerns `tls`. */
export function* tlsRules({ tls }: Draft<Config>): Generator<Finding> {
  if (tls?.clientCrlFile !== undefined && !('clientCaFile' in tls))
    yield {
      path: ['tls', 'clientCrlFile'],
      message: 'Cannot refuse client certificates: no client is asked for one',
      hint: 'give "tls.clientCaFile" as well',
    }
}
