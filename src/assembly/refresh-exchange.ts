// From the settings of `refresh.exchange` to the part that gets successors from the identity provider, alone or together with
// the other gates of the fleet, and to the door through which refresh tokens come in.

import type { Config, RefreshConfig } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import type { Refresh } from '../model/next-token.ts'
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import type { FleetEntries } from '../redis/entries.ts'
import type { DeliveryPolicy } from '../refresh/delivery.ts'
import type { ClientCredentials } from '../refresh/identity-provider/client-authentication.ts'
import { createExchanger, type ExchangerParts } from '../refresh/identity-provider/exchange.ts'
import { createRefreshTokenBook, createSuccessorBook } from '../refresh/identity-provider/exchange-lock.ts'
import { createJudge, type Judge } from '../refresh/identity-provider/judgement.ts'
import { createLoneExchange, createSharedExchange, type Obtain } from '../refresh/identity-provider/obtain.ts'
import { createRefreshGrant } from '../refresh/identity-provider/refresh-grant.ts'
import { createTokenEndpoint, type TokenEndpoint } from '../refresh/identity-provider/token-endpoint.ts'
import type { SuccessorPolicy } from '../refresh/successor.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { Outbound } from './outbound.ts'
import type { Materials } from './settings/file-contents.ts'

/** An exchange may take longer than a response waits for it: it then serves the next response. */
const EXCHANGE_DEADLINE_MS = 5_000
/** Longer than an exchange can take, and what has to be written after it. With a refresh token the provider has nearly all of it. */
const LOCK_MS = EXCHANGE_DEADLINE_MS + 5_000

type Exchange = NonNullable<RefreshConfig['exchange']>

export interface ExchangeBuildParts {
  readonly materials: Pick<Materials, 'clientSecret' | 'signAssertion' | 'exchangeAuthority' | 'storeKeys'>
  readonly log: Log
  readonly outbound: Outbound
  readonly clock: Clock
  readonly monotonic: Clock
  readonly admit: ExchangerParts['admit']
  /** What all gates share; absent where the list is in memory. */
  readonly entries: FleetEntries | undefined
  /** Told of every exchange that begins, so that the end of the process can wait for it. */
  readonly track: ((landing: Promise<unknown>) => void) | undefined
}

/** Makes the refresher, or nothing where what it needs is not there. */
export function buildExchanger(
  exchange: Exchange,
  policy: SuccessorPolicy & DeliveryPolicy,
  observe: ExchangerParts['observe'],
  parts: ExchangeBuildParts,
): Refresh | undefined {
  const { materials, admit, clock, monotonic, log } = parts
  const { exchangeAuthority } = materials
  const credentials = credentialsOf(exchange, parts)
  if (credentials === undefined) return undefined
  const report = (issuer: string, problem: string) => log.warn({ issuer, problem }, 'Cannot refresh a token')
  const endpoint = createTokenEndpoint({
    tokenEndpoint: exchange.tokenEndpoint,
    clientId: exchange.clientId,
    credentials,
    deadlineMs: EXCHANGE_DEADLINE_MS,
    clock,
    fetch: parts.outbound.fetchTrusting(() => exchangeAuthority),
  })
  const obtain = obtainBy(exchange, endpoint, createJudge({ policy, admit, clock }), { ...parts, report })
  return (
    obtain &&
    createExchanger({
      policy: { ...policy, timeoutMs: exchange.timeout },
      ...{ obtain, admit, clock, monotonic, observe },
      // A refresh token that was rotated exists nowhere else until Redis has it.
      track: exchange.grant === 'refresh-token' ? parts.track : undefined,
      report,
    })
  )
}

/** What the client proves itself with, or nothing where it is not there. */
function credentialsOf(
  { clientAuthentication: method, clientAudience, tokenEndpoint }: Exchange,
  { materials: { clientSecret, signAssertion }, clock }: ExchangeBuildParts,
): ClientCredentials | undefined {
  if (method !== 'private_key_jwt') return clientSecret === undefined ? undefined : { method, secret: clientSecret }
  return signAssertion && { method, audience: clientAudience ?? tokenEndpoint, sign: signAssertion, clock }
}

function obtainBy(
  { grant, whenInDoubt }: Exchange,
  endpoint: TokenEndpoint,
  judge: Judge,
  { materials: { storeKeys }, entries, clock, monotonic, report }: ExchangeBuildParts & Pick<ExchangerParts, 'report'>,
): Obtain | undefined {
  if (grant === 'token-exchange') {
    const alone = createLoneExchange(endpoint, judge)
    if (entries === undefined) return alone
    return createSharedExchange({ alone, entries, book: createSuccessorBook(entries, clock), judge, lockMs: LOCK_MS })
  }
  if (entries === undefined || storeKeys === undefined) return undefined
  const refreshTokens = createRefreshTokenBook(entries, storeKeys, clock)
  const book = createSuccessorBook(entries, clock)
  const shared = { entries, book, refreshTokens, whenInDoubt, monotonic, report }
  return createRefreshGrant({ endpoint, judge, lockMs: LOCK_MS, ...shared })
}

/**
 * Keeps a refresh token for an access token, or answers why the gate would refuse that one. Rejects where it cannot be
 * certain that the refresh token is kept.
 */
export type KeepRefreshToken = (accessToken: string, refreshToken: string) => Promise<Refusal | undefined>

/** Makes the door for refresh tokens, or nothing where the settings ask for none. */
export function buildRefreshTokenDoor(
  { refresh, tokens }: Config,
  { materials, admit, clock, entries }: Pick<ExchangeBuildParts, 'materials' | 'admit' | 'clock' | 'entries'>,
): KeepRefreshToken | undefined {
  const { storeKeys } = materials
  if (refresh?.exchange?.grant !== 'refresh-token' || storeKeys === undefined || entries === undefined) return undefined
  const book = createRefreshTokenBook(entries, storeKeys, clock)
  return async (accessToken, refreshToken) => {
    if (accessToken.length > tokens.maxBytes) return refuse('token_too_large')
    const admitted = await admit(accessToken)
    if (isRefusal(admitted)) return admitted
    await entries.change([book.entry(accessToken, admitted.refusedFromSeconds, refreshToken)])
    return undefined
  }
}
