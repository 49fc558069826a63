// One version of the settings in force: the gate with its questions answered by real parts, and what the proxy needs to
// know. A reload builds a new one and leaves the old one to the requests that began with it.

import { BlockList, isIPv4 } from 'node:net'
import type { Config } from '../../config/options.ts'
import { type Admit, createAdmission, type RevocationAnswer, type StandingQuestions } from '../../gate/admission.ts'
import { createGate, inShadow, type Questions } from '../../gate/gate.ts'
import { createOriginCheck } from '../../gate/origin.ts'
import { createRoutes } from '../../gate/routes.ts'
import { createPublicHost } from '../../http/headers/public-host.ts'
import type { ProxyPolicy } from '../../http/limits.ts'
import type { Clock } from '../../model/clock.ts'
import type { Decide, VerifiedToken } from '../../model/decision.ts'
import type { FleetEntries } from '../../redis/entries.ts'
import { expiryLines } from '../../refresh/delivery.ts'
import type { Revocations, Verdict } from '../../revocation/revocations.ts'
import type { Log } from '../../telemetry/logs/log.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { createExtractor } from '../../token/extraction/extract.ts'
import { endingWithProviderKey } from '../../token/keys/provider-key.ts'
import { issuedAtOf } from '../../token/read.ts'
import { createVerificationBudget } from '../../token/signature-budget.ts'
import { createTokenMemory, type TokenMemory } from '../../token/verified-cache.ts'
import { createVerifier, type Issuer } from '../../token/verify.ts'
import { createLeftOutObserver } from '../observers.ts'
import type { Outbound } from '../outbound.ts'
import { buildRefresher, cookiePolicyOf } from '../refresh.ts'
import { buildRefreshTokenDoor, type KeepRefreshToken } from '../refresh-exchange.ts'
import type { Materials } from './file-contents.ts'

const REMEMBERED_TOKENS = 20_000
const REMEMBERED_BYTES = 32 * 1024 * 1024
/** Half of libuv's threads: the others look up names and read files, and the event loop needs a core as well. */
const VERIFICATIONS_AT_ONCE = 2
/** No first sight waits longer than this, even on one core. Five hundred ES256 tokens at once fit, as after a restart. */
const PENDING_VERIFICATIONS_MICROSECONDS = 100_000
const MAXIMUM_LAG_MS = 50

export interface GateParts {
  readonly config: Config
  readonly materials: Materials
  readonly issuers: readonly Issuer[]
  readonly revocations: Pick<Revocations, 'check' | 'isKnownRevoked'>
  readonly metrics: Metrics
  readonly log: Log
  readonly outbound: Outbound
  readonly clock: Clock
  readonly monotonic: Clock
  /** What all gates share, for the refresh by the identity provider; absent: nothing. */
  readonly entries?: FleetEntries | undefined
  /** Told of work that outlasts its response. */
  readonly track?: ((work: Promise<unknown>) => void) | undefined
  /** How late the event loop is; never, by default. */
  readonly lagMs?: () => number
}

export interface BuiltGate {
  readonly policy: ProxyPolicy
  /** Would the request that opened a connection be admitted now, by what is known here? Never `stale`. */
  readonly readmit: Decide
  readonly questions: Questions
  readonly memory: TokenMemory
  readonly keepRefreshToken: KeepRefreshToken | undefined
}

/** Builds the gate of these settings. Touches nothing outside. */
export function buildGate(parts: GateParts): BuiltGate {
  const { config, issuers, metrics, clock, monotonic } = parts
  const memory = createTokenMemory({
    maxEntries: REMEMBERED_TOKENS,
    maxBytes: REMEMBERED_BYTES,
    onEvict: () => metrics.tokenMemoryEvictions.inc(),
  })
  const observe = (algorithm: string, remembered: boolean, durationMs: number) =>
    metrics.verifyDuration.observe({ algorithm, remembered: remembered ? 'yes' : 'no' }, durationMs / 1000)
  const verify = createVerifier({ issuers, memory, budget: createBudget(parts), clock, monotonic, observe })
  const questions: Questions = {
    route: createRoutes(config.routes, config.cors.origins),
    extract: createExtractor({
      sources: config.tokens.sources,
      maxBytes: config.tokens.maxBytes,
      expiryOf: (cookie) => expiryLines(cookie, cookiePolicyOf(config.refresh)),
    }),
    origin: createOriginCheck({
      corsOrigins: config.cors.origins,
      isCrossSiteRefused: config.tokens.crossSite === 'refuse',
      publicHost: createPublicHost(createRangeTest(config.forward.trustedProxies)),
    }),
    issuedAt: issuedAtOf,
    verify: config.refresh?.endWithProviderKey ? endingWithProviderKey(verify, issuers) : verify,
    clock,
    revocation: askRevocations(parts.revocations, metrics),
  }
  const gate = createGate(questions)
  const decide = config.mode === 'shadow' ? inShadow(gate) : gate
  const standing = { clock, revocation: revocationAnswer(parts.revocations) }
  const admit = createAdmission({ ...standing, verify: questions.verify })
  const isKnown = (token: VerifiedToken) => (parts.revocations.isKnownRevoked(token) ? 'revoked' : 'clear')
  const readmit = createGate({ ...questions, revocation: isKnown })
  const keepRefreshToken = buildRefreshTokenDoor(config, { ...parts, entries: parts.entries, admit })
  return { policy: buildPolicy(parts, decide, admit, standing), readmit, questions, memory, keepRefreshToken }
}

/** What tokens seen for the first time may cost, so that junk leaves the others their share. */
function createBudget({ lagMs = () => 0 }: Pick<GateParts, 'lagMs'>) {
  return createVerificationBudget({
    maxRunning: VERIFICATIONS_AT_ONCE,
    maxPendingMicroseconds: PENDING_VERIFICATIONS_MICROSECONDS,
    maxLagMs: MAXIMUM_LAG_MS,
    lagMs,
  })
}

/** Translates what is known of revocations into the question whether a token stands. */
function revocationAnswer(revocations: Pick<Revocations, 'check'>): StandingQuestions['revocation'] {
  return (token) => {
    const verdict = revocations.check(token)
    return verdict instanceof Promise ? verdict.then(({ state }) => state) : verdict.state
  }
}

/** The same for requests, which counts what was decided without a fresh list. */
function askRevocations(revocations: Pick<Revocations, 'check'>, metrics: Metrics): Questions['revocation'] {
  const answer = (verdict: Verdict): RevocationAnswer => {
    if (verdict.state === 'stale') metrics.degradedDecisions.inc({ dependency: 'revocation', policy: 'deny' })
    else if (verdict.state === 'clear' && verdict.degraded)
      metrics.degradedDecisions.inc({ dependency: 'revocation', policy: 'allow' })
    return verdict.state
  }
  return (token) => {
    const verdict = revocations.check(token)
    return verdict instanceof Promise ? verdict.then(answer) : answer(verdict)
  }
}

function buildPolicy(
  parts: GateParts,
  decide: ProxyPolicy['decide'],
  admit: Admit,
  standing: StandingQuestions,
): ProxyPolicy {
  const { config } = parts
  const { limits } = config
  return {
    decide,
    upstream: new URL(config.upstream),
    upstreamTls: { authority: parts.materials.appAuthority, serverName: config.upstreamTls?.serverName },
    identity: Object.entries(config.forward.identity),
    headerNames: {
      mode: config.forward.headerNames,
      allow: config.forward.allowHeaders,
      drop: config.forward.drop,
      sources: config.tokens.sources.flatMap((source) => ('header' in source ? [source.header] : [])),
    },
    leftOut: createLeftOutObserver(parts),
    stripToken: config.forward.stripToken,
    corsOrigins: config.cors.origins,
    isTrustedProxy: createRangeTest(config.forward.trustedProxies),
    refreshHeader: config.refresh?.header,
    refresh: buildRefresher({ ...parts, entries: parts.entries, track: parts.track, admit, standing }),
    limits: {
      headerBytes: limits.headerBytes,
      headers: limits.headers,
      bodyBytes: limits.bodyBytes,
      requestTimeoutMs: limits.requestTimeout,
      headersTimeoutMs: limits.headersTimeout,
      idleTimeoutMs: limits.idleTimeout,
      sendTimeoutMs: limits.sendTimeout,
      upstreamConnectTimeoutMs: limits.upstreamConnectTimeout,
      upstreamResponseTimeoutMs: limits.upstreamResponseTimeout,
      upstreamConnections: limits.upstreamConnections,
    },
  }
}

/** Makes the test whether an address is in one of the CIDR ranges. */
function createRangeTest(ranges: readonly string[]): (address: string) => boolean {
  if (ranges.length === 0) return () => false
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}
