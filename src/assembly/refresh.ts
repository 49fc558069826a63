// From the settings of the refresh to the part that makes successors.
import type { Config, RefreshConfig } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import { type CookiePolicy, createRefresher, type Refresher } from '../refresh/refresher.ts'
import type { SuccessorPolicy } from '../refresh/successor.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Materials } from './materials.ts'

export interface RefreshParts {
  readonly config: Config
  readonly materials: Materials
  readonly metrics: Metrics
  readonly clock: Clock
}

const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const

/** The times of the refresh, in seconds as tokens count. */
export function refreshPolicyOf(refresh: RefreshConfig): SuccessorPolicy {
  return {
    windowSeconds: refresh.window / 1000,
    lifetimeSeconds: refresh.lifetime / 1000,
    maxSessionSeconds: refresh.maxSession / 1000,
  }
}

/** Makes the refresher, or nothing where the refresh is off. */
export function buildRefresher({ config, materials, metrics, clock }: RefreshParts): Refresher | undefined {
  const { refresh, tokens } = config
  const { signer } = materials
  if (refresh === undefined || signer === undefined) return undefined
  return createRefresher({
    policy: {
      ...refreshPolicyOf(refresh),
      header: refresh.header,
      cookie: cookiePolicyOf(refresh),
      maxBytes: tokens.maxBytes,
    },
    sign: signer.sign,
    clock,
    observe: (issuer, result) => metrics.refresh.inc({ issuer, result }),
  })
}

function cookiePolicyOf({ cookie }: RefreshConfig): CookiePolicy {
  const { path, secure, httpOnly, domain } = cookie
  return { path, sameSite: SAME_SITE[cookie.sameSite], secure, httpOnly, domain }
}
