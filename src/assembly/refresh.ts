// From the settings of the refresh to the part that makes successors, or that fetches them from the identity provider.

import type { Config, RefreshConfig } from '../config/options.ts'
import type { Admit, StandingQuestions } from '../gate/admission.ts'
import type { Clock } from '../model/clock.ts'
import type { Refresh } from '../model/next-token.ts'
import type { FleetEntries } from '../redis/entries.ts'
import type { CookiePolicy, RefreshResult } from '../refresh/delivery.ts'
import { whileStanding } from '../refresh/eligibility.ts'
import { createRefresher } from '../refresh/own-key.ts'
import type { SuccessorPolicy } from '../refresh/successor.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Outbound } from './outbound.ts'
import { buildExchanger } from './refresh-exchange.ts'
import type { Materials } from './settings/file-contents.ts'
import { signWith } from './signing-keys.ts'

export interface RefreshParts {
  readonly config: Config
  readonly materials: Materials
  readonly metrics: Metrics
  readonly log: Log
  readonly outbound: Outbound
  readonly clock: Clock
  readonly monotonic: Clock
  readonly admit: Admit
  readonly standing: StandingQuestions
  readonly entries: FleetEntries | undefined
  readonly track: ((landing: Promise<unknown>) => void) | undefined
}

const PLAIN_COOKIE: CookiePolicy = { path: '/', sameSite: 'Lax', secure: true, httpOnly: true, domain: undefined }
const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const
const RESULTS: readonly RefreshResult[] = [
  ...(['issued', 'session_over', 'own_token_too_large', 'no_refresh_token', 'failed'] as const),
]

/** The times of the refresh, in seconds as tokens count. */
export function refreshPolicyOf(refresh: RefreshConfig): SuccessorPolicy {
  return {
    windowSeconds: refresh.window / 1000,
    lifetimeSeconds: refresh.lifetime / 1000,
    maxSessionSeconds: refresh.maxSession / 1000,
  }
}

/** Makes the refresher, or nothing where the refresh is off. */
export function buildRefresher(parts: RefreshParts): Refresh | undefined {
  const { config, materials, metrics, clock } = parts
  const { refresh, tokens } = config
  if (refresh === undefined) return undefined
  const delivery = { header: refresh.header, cookie: cookiePolicyOf(refresh), maxBytes: tokens.maxBytes }
  const policy = { ...refreshPolicyOf(refresh), ...delivery }
  const issuers = new Set(config.issuers.filter((issuer) => issuer.refresh).map(({ issuer }) => issuer))
  for (const issuer of issuers) for (const result of RESULTS) metrics.refresh.inc({ issuer, result }, 0)
  const observe = (issuer: string, result: RefreshResult) => metrics.refresh.inc({ issuer, result })
  const refresher =
    materials.ownKeys === undefined
      ? refresh.exchange && buildExchanger(refresh.exchange, policy, observe, parts)
      : createRefresher({
          policy: { ...policy, issuer: refresh.issuer },
          sign: signWith(materials.ownKeys, clock),
          clock,
          observe,
        })
  return refresher && whileStanding(refresher, { policy, issuers, standing: parts.standing })
}

/** The attributes of the cookie that carries the next token. */
export function cookiePolicyOf(refresh: RefreshConfig | undefined): CookiePolicy {
  if (refresh === undefined) return PLAIN_COOKIE
  const { cookie } = refresh
  const { path, secure, httpOnly, domain, header } = cookie
  return { path, sameSite: SAME_SITE[cookie.sameSite], secure, httpOnly, domain, header }
}
