// Which list does a revocation command speak to? The one of the settings, or the one at a Redis URL.

import type { Argv } from 'yargs'
import {
  exchangedSessionSeconds,
  issuerNames,
  longestLifetimeSeconds,
  longestSessionSeconds,
} from '../../assembly/revocations.ts'
import type { SettingsArguments } from '../../assembly/settings/read-settings.ts'
import { messageOf } from '../../model/error.ts'
import { silentLog, silentObserver } from '../../revocation/log/report.ts'
import { createRedisStore } from '../../revocation/log/store.ts'
import { createRedisLookup } from '../../revocation/redis-lookup.ts'
import type { Revocations } from '../../revocation/revocations.ts'
import { readSettingsAloud, withConfigFlag } from '../setting-flags.ts'
import { ANSWER_IS_NO, type Shell, UsageError } from '../shell.ts'

/** Without settings nobody knows the issuers: as long as the default of `maxLifetime`. */
const DEFAULT_LIFETIME_SECONDS = 24 * 3600

export interface TargetArguments extends SettingsArguments {
  readonly redis?: string | undefined
  readonly list?: string | undefined
}

export interface RevocationTarget {
  /** Connects; rejects where the list cannot be reached. */
  readonly connect: () => Promise<Revocations>
  readonly maxLifetimeSeconds: number
  /** The longest session, where gates sign successors; where only the URL of the list is given, nobody knows. */
  readonly maxSessionSeconds: number | 'unknown' | undefined
  /** The longest session where the identity provider issues the next tokens. */
  readonly exchangedSessionSeconds: number | undefined
  /** The configured issuers; nobody knows them where only the URL of the list is given. */
  readonly issuers: readonly string[] | undefined
  /** Where the list is, without credentials. */
  readonly place: string
}

export function withTargetFlags<T>(argv: Argv<T>) {
  return withConfigFlag(argv)
    .option('redis', { type: 'string', requiresArg: true, description: 'The Redis that holds the list, as a URL' })
    .option('list', { type: 'string', requiresArg: true, description: 'The name of the list; default: default' })
    .conflicts('config', ['redis'])
}

/** Finds the list, does the work and closes; a failure is told in one line. Answers the exit code of the work. */
export async function withRevocations(
  given: TargetArguments,
  shell: Shell,
  work: (target: RevocationTarget) => Promise<number>,
): Promise<number> {
  const place = await findTarget(given, shell)
  if (place === undefined) return ANSWER_IS_NO
  const { maxLifetimeSeconds, maxSessionSeconds, exchangedSessionSeconds, issuers, toleranceSeconds, ...target } = place
  try {
    const shared = {
      maxLifetimeSeconds: () => maxLifetimeSeconds,
      toleranceSeconds: () => toleranceSeconds,
      observe: silentObserver,
      log: silentLog,
    }
    const store = createRedisStore({ ...target, ...shared })
    const revocations = createRedisLookup({
      ...{ store, clock: shell.clock, monotonic: () => performance.now(), whenStale: 'deny' },
      ...shared,
    })
    try {
      const connect = async () => {
        await store.open()
        return revocations
      }
      return await work({
        ...{ connect, maxLifetimeSeconds, maxSessionSeconds, exchangedSessionSeconds, issuers },
        place: `${store.description}, list "${target.list}"`,
      })
    } finally {
      await revocations.stop()
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    shell.complain(messageOf(error))
    return ANSWER_IS_NO
  }
}

/**
 * The clock of this machine may differ from that of Redis, which orders rules: "now" is the time of Redis, and what is counted from
 * now begins at the later of the two, so that an end may come too late but not too early.
 */
export async function clocksOf(revocations: Revocations, shell: Shell) {
  const logNowSeconds = (await revocations.timeMs()) / 1000
  return { logNowSeconds, nowSeconds: Math.max(logNowSeconds, shell.clock() / 1000) }
}

async function findTarget(given: TargetArguments, shell: Shell) {
  if (given.redis !== undefined) {
    const list = given.list ?? 'default'
    const maxLifetimeSeconds = DEFAULT_LIFETIME_SECONDS
    const unknown = { maxSessionSeconds: 'unknown', exchangedSessionSeconds: undefined, issuers: undefined } as const
    return { url: given.redis, list, maxLifetimeSeconds, toleranceSeconds: 60, ...unknown }
  }
  if (given.config === undefined) throw new UsageError('Give --config, or --redis with the URL of the list')
  const settings = await readSettingsAloud(given, shell)
  if (settings === undefined) return undefined
  const { config, materials } = settings
  const { redis, list, minReplicas, natMap } = config.revocation
  if (redis === undefined) {
    shell.complain('Cannot reach the list: "revocation.redis" is not set, so each gate keeps its own in memory;')
    shell.complain('set it, or write to one gate by POST /revocations on its admin port')
    return undefined
  }
  return {
    url: redis,
    list: given.list ?? list,
    password: materials.redisPassword,
    sentinelPassword: materials.sentinelPassword,
    authority: materials.redisCertificates,
    maxLifetimeSeconds: longestLifetimeSeconds(config),
    maxSessionSeconds: longestSessionSeconds(config),
    exchangedSessionSeconds: exchangedSessionSeconds(config),
    issuers: issuerNames(config),
    toleranceSeconds: Math.max(...config.issuers.map((issuer) => issuer.clockTolerance)) / 1000,
    minReplicas,
    natMap,
  }
}
