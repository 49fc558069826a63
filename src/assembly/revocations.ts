// Which way to know what is revoked do the settings ask for? In memory, by a local copy of the log, or by a look-up.

import type { Config } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import type { Logger } from '../model/logger.ts'
import type { FleetEntries } from '../redis/entries.ts'
import { createList } from '../revocation/compact-list/list.ts'
import { createMemoryRevocations } from '../revocation/in-process.ts'
import { createFeed } from '../revocation/log/reading/feed.ts'
import type { RevocationObserver } from '../revocation/log/report.ts'
import { createRedisStore } from '../revocation/log/store.ts'
import { createRedisLookup } from '../revocation/redis-lookup.ts'
import { createLocalRevocations, type Revocations } from '../revocation/revocations.ts'
import { parsePlainKey } from '../revocation/rule/plain-keys.ts'
import type { Materials } from './settings/file-contents.ts'

/** The secrets of the connection to Redis; its certificates are read once, at the start. */
type RedisMaterials = Pick<Materials, 'redisPassword' | 'sentinelPassword' | 'redisCertificates'>

export interface RevocationParts {
  readonly config: Config
  /** As they are now: a password that was reloaded is used for the next connection. */
  readonly materials: () => RedisMaterials
  readonly times: RevocationTimes
  readonly clock: Clock
  /** Milliseconds that only move forward. */
  readonly monotonic: Clock
  readonly observe: RevocationObserver
  readonly log: Logger
}

/** The longest time for which a token of any issuer can live: the default end of a rule. */
export function longestLifetimeSeconds(config: Config): number {
  const longestMs = Math.max(...config.issuers.map((issuer) => issuer.maxLifetime + issuer.clockTolerance))
  return Math.ceil(longestMs / 1000)
}

/** What the settings in force say of the times of tokens: a reload changes them under the parts that use them. */
export interface RevocationTimes {
  readonly maxLifetimeSeconds: () => number
  readonly toleranceSeconds: () => number
}

/** Takes the times from the settings, and again with each `take`. */
export function createRevocationTimes(first: Config): RevocationTimes & { take(config: Config): void } {
  const timesOf = (config: Config) => ({
    maxLifetimeSeconds: longestLifetimeSeconds(config),
    toleranceSeconds: Math.max(...config.issuers.map((issuer) => issuer.clockTolerance)) / 1000,
  })
  let times = timesOf(first)
  return Object.freeze({
    maxLifetimeSeconds: () => times.maxLifetimeSeconds,
    toleranceSeconds: () => times.toleranceSeconds,
    take: (config: Config) => {
      times = timesOf(config)
    },
  })
}

/** How long after its first token a session that gates prolong by their own key may end; undefined: they prolong none. */
export function longestSessionSeconds({ refresh }: Config): number | undefined {
  return refresh === undefined || refresh.exchange !== undefined ? undefined : refresh.maxSession / 1000
}

/** The same for sessions whose next tokens the identity provider issues: a rule finds those by their `sid` alone. */
export function exchangedSessionSeconds({ refresh }: Config): number | undefined {
  return refresh?.exchange === undefined ? undefined : refresh.maxSession / 1000
}

/** Every `iss` that a token may carry here: of the issuers, and of successors that have one of their own. */
export function issuerNames({ issuers, refresh }: Config): readonly string[] {
  const names = issuers.map(({ issuer }) => issuer)
  return refresh?.issuer === undefined ? names : [...names, refresh.issuer]
}

/** What is known of revocations, and where gates keep entries beside them; those only in Redis. */
export interface BuiltRevocations {
  readonly revocations: Revocations
  readonly entries: FleetEntries | undefined
}

/** Makes what the settings ask for; nothing is connected before `start`. */
export function buildRevocations(parts: RevocationParts): BuiltRevocations {
  const { config, clock, monotonic, observe, log } = parts
  const { revocation } = config
  const { maxLifetimeSeconds, toleranceSeconds } = parts.times
  const list = createList({ toleranceSeconds })
  if (revocation.redis === undefined)
    return { revocations: createMemoryRevocations({ list, clock }), entries: undefined }

  const { materials } = parts
  const store = createRedisStore({
    url: revocation.redis,
    list: revocation.list,
    password: () => materials().redisPassword,
    sentinelPassword: () => materials().sentinelPassword,
    authority: materials().redisCertificates,
    minReplicas: revocation.minReplicas,
    natMap: revocation.natMap,
    follow: revocation.follow,
    plainKeys: (revocation.keys ?? []).map(parsePlainKey),
    maxLifetimeSeconds,
    toleranceSeconds,
    observe,
    log,
  })
  const { whenStale, maxStaleness: maxStalenessMs } = revocation
  const feed = createFeed({ store, list, clock, toleranceSeconds, maxStalenessMs, observe, log })
  const { entries } = store
  if (revocation.check === 'local') {
    const shared = { clock, monotonic, maxStalenessMs, whenStale, observe, log }
    const revocations = createLocalRevocations({ store, list, feed, ...shared })
    return { revocations, entries }
  }
  const timeoutMs = revocation.timeout
  const revocations = createRedisLookup({
    store,
    copy: { feed, list, maxStalenessMs },
    clock,
    monotonic,
    whenStale,
    maxLifetimeSeconds,
    toleranceSeconds,
    timeoutMs,
    observe,
    log,
  })
  return { revocations, entries }
}
