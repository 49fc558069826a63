// Can these settings be those of several processes? What one process alone is told must reach the others.

import type { Config } from '../options.ts'
import type { Finding } from '../problems.ts'
import type { Draft } from './draft.ts'

/** Every contradiction that concerns `workers`. */
export function* workerRules({ workers, admin, revocation }: Draft<Config>): Generator<Finding> {
  if (workers === undefined || workers === 1 || admin === undefined || revocation === undefined) return
  if ('tokenFile' in admin && !('redis' in revocation))
    yield {
      path: ['workers'],
      message: 'Cannot use several workers: without Redis a revocation reaches the one that is told, and no other',
      hint: 'give "revocation.redis" as well',
    }
}
