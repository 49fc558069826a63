// From the settings of the refresh to the part that makes successors, or that fetches them from the identity provider.
import type { Config, RefreshConfig } from '../config/options.ts'
import { judgeTime, type Questions } from '../gate.ts'
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import type { CookiePolicy, DeliveryPolicy, Refresher, RefreshResult } from '../refresh/delivery.ts'
import { createExchanger, type ExchangerParts } from '../refresh/exchange.ts'
import { createRefresher } from '../refresh/refresher.ts'
import type { SuccessorPolicy } from '../refresh/successor.ts'
import { createTokenEndpoint } from '../refresh/token-endpoint.ts'
import type { Revocations, Verdict } from '../revocation/revocations.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Fetch } from '../token/fetch-keys.ts'
import type { Materials } from './materials.ts'
import { createTrustingFetch } from './trust.ts'

export interface RefreshParts {
  readonly config: Config
  readonly materials: Materials
  readonly metrics: Metrics
  readonly log: Log
  readonly fetch: Fetch
  readonly clock: Clock
  readonly monotonic: Clock
  readonly admit: ExchangerParts['admit']
}

const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const
const RESULTS: readonly RefreshResult[] = ['issued', 'session_over', 'own_token_too_large', 'failed']
/** An exchange may take longer than a response waits for it: it then serves the next response. */
const EXCHANGE_DEADLINE_MS = 5_000

/** The times of the refresh, in seconds as tokens count. */
export function refreshPolicyOf(refresh: RefreshConfig): SuccessorPolicy {
  return {
    windowSeconds: refresh.window / 1000,
    lifetimeSeconds: refresh.lifetime / 1000,
    maxSessionSeconds: refresh.maxSession / 1000,
  }
}

/** Makes the refresher, or nothing where the refresh is off. */
export function buildRefresher(parts: RefreshParts): Refresher | undefined {
  const { config, materials, metrics, clock } = parts
  const { refresh, tokens } = config
  if (refresh === undefined) return undefined
  const delivery = { header: refresh.header, cookie: cookiePolicyOf(refresh), maxBytes: tokens.maxBytes }
  const policy = { ...refreshPolicyOf(refresh), ...delivery }
  for (const { issuer } of config.issuers) for (const result of RESULTS) metrics.refresh.inc({ issuer, result }, 0)
  const observe = (issuer: string, result: RefreshResult) => metrics.refresh.inc({ issuer, result })
  if (materials.signer !== undefined) return createRefresher({ policy, sign: materials.signer.sign, clock, observe })
  return buildExchanger(refresh, policy, observe, parts)
}

function buildExchanger(
  { exchange }: RefreshConfig,
  policy: SuccessorPolicy & DeliveryPolicy,
  observe: ExchangerParts['observe'],
  { materials, clock, monotonic, admit, log, ...parts }: RefreshParts,
): Refresher | undefined {
  const { clientSecret, exchangeAuthority } = materials
  if (exchange === undefined || clientSecret === undefined) return undefined
  const fetch = exchangeAuthority === undefined ? parts.fetch : createTrustingFetch(exchangeAuthority)
  const { tokenEndpoint, clientId, timeout: timeoutMs } = exchange
  const deadlineMs = Math.max(EXCHANGE_DEADLINE_MS, timeoutMs)
  return createExchanger({
    policy: { ...policy, timeoutMs },
    ask: createTokenEndpoint({ tokenEndpoint, clientId, clientSecret, deadlineMs, fetch }),
    admit,
    clock,
    monotonic,
    observe,
    report: (issuer, problem) => log.warn({ issuer, problem }, 'Cannot refresh a token'),
  })
}

/**
 * Makes the function that tells whether the gate would admit a token now, whatever the path: signature, claims, time and
 * revocations. Answers at once where all of that is at hand.
 */
export function createAdmission(parts: {
  readonly verify: Questions['verify']
  readonly clock: Clock
  readonly revocations: Pick<Revocations, 'check'>
}): ExchangerParts['admit'] {
  const conclude = (token: VerifiedToken, { state }: Verdict): VerifiedToken | Refusal =>
    state === 'clear' ? token : refuse(state === 'revoked' ? 'token_revoked' : 'revocation_stale')

  function judge(token: VerifiedToken | Refusal): ReturnType<ExchangerParts['admit']> {
    if (isRefusal(token)) return token
    const outOfTime = judgeTime(token, parts.clock() / 1000)
    if (outOfTime !== undefined) return outOfTime
    const verdict = parts.revocations.check(token)
    return verdict instanceof Promise ? verdict.then((late) => conclude(token, late)) : conclude(token, verdict)
  }

  return (text) => {
    const token = parts.verify(text)
    return token instanceof Promise ? token.then(judge) : judge(token)
  }
}

function cookiePolicyOf({ cookie }: RefreshConfig): CookiePolicy {
  const { path, secure, httpOnly, domain } = cookie
  return { path, sameSite: SAME_SITE[cookie.sameSite], secure, httpOnly, domain }
}
