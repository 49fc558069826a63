// What has to be done now and then beside judging tokens? Trimming the log, asking whether Redis keeps what it is given, and
// saying when the copy grew too old. Every change of state is one line.

import type { Clock } from '../model/clock.ts'
import type { Logger } from '../model/logger.ts'
import type { Safety } from '../redis/eviction-check.ts'
import { redisMessageOf } from '../redis/report.ts'
import type { RevocationObserver } from './log/report.ts'
import type { RedisStore } from './log/store.ts'

export interface Chores {
  start(): void
  afterWrite(): void
  /** What an operator should know about this Redis; empty where nothing is wrong. */
  warnings(): readonly string[]
  stop(): void
}

export interface ChoreParts {
  /** Whether this is a gate, which holds a copy of the log, and no command line. */
  readonly isFollowing: boolean
  readonly store: RedisStore
  readonly clock: Clock
  readonly observe: RevocationObserver
  readonly log: Logger
}

const TRIM_EVERY_MS = 60_000
const RENEW_EVERY_MS = 600_000
const SAFETY_EVERY_MS = 60_000

/** Makes the chores of one store. */
export function createChores(parts: ChoreParts): Chores {
  const { clock, log, observe, store } = parts
  let timer: NodeJS.Timeout | undefined
  let renewal: NodeJS.Timeout | undefined
  let trimmedMs = 0
  let warnings: readonly string[] = []

  async function look(): Promise<void> {
    const safety = await store.safety()
    if (safety.mayEvict !== undefined) observe.evictionUnsafe(safety.mayEvict)
    const found = warningsOf(safety, warnings)
    for (const warning of found) if (!warnings.includes(warning)) log.warn({ redis: store.description }, warning)
    if (warnings.length > 0 && found.length === 0) log.info({ redis: store.description }, 'Redis is set up safely')
    warnings = found
  }

  // A replica takes no writes, and refuses one so that the client connects anew: again and again, if each connection wrote.
  async function renew(): Promise<void> {
    if (warnings.includes(REPLICA)) return
    await store.renewLifetimes().catch((error: unknown) => {
      log.warn({ detail: redisMessageOf(error) }, 'Cannot tell other gates how long tokens live here')
    })
  }

  store.onUp(async () => {
    await look()
    if (parts.isFollowing) await renew()
  })

  return Object.freeze({
    start: () => {
      timer = setInterval(() => {
        if (store.isUp()) look()
      }, SAFETY_EVERY_MS).unref()
      if (!parts.isFollowing) return
      renewal = setInterval(() => {
        if (store.isUp()) renew()
      }, RENEW_EVERY_MS).unref()
    },
    afterWrite: () => {
      if (Math.abs(clock() - trimmedMs) < TRIM_EVERY_MS) return
      trimmedMs = clock()
      store.trim().catch((error: unknown) => {
        log.warn({ detail: redisMessageOf(error) }, 'Cannot trim the revocation log')
      })
    },
    warnings: () => warnings,
    stop: () => {
      clearInterval(timer)
      clearInterval(renewal)
    },
  } satisfies Chores)
}

const REPLICA = 'Redis is a replica: no revocation can be written to it'
const forgetful =
  'Redis keeps nothing on disk: a restart loses every rule that no gate holds; turn on AOF (appendonly yes)'
const TOO_OLD = 'Redis is older than 7.0: no revocation can be written to it'
const EVICTING = 'Redis may evict revocation rules'

// What is not known this time stays as it was: an answer that failed is no all-clear.
function warningsOf(safety: Safety, before: readonly string[]): readonly string[] {
  const judge = (isWrong: boolean | undefined, warning: string, sign = warning): readonly string[] => {
    if (isWrong === undefined) return before.filter((text) => text.startsWith(sign))
    return isWrong ? [warning] : []
  }
  const policy = safety.evictionPolicy ?? ''
  return [
    ...judge(safety.mayEvict, `${EVICTING} (maxmemory-policy ${policy}): set it to noeviction`, EVICTING),
    ...judge(safety.isPersistent === undefined ? undefined : !safety.isPersistent, forgetful),
    ...judge(safety.isReplica, REPLICA),
    ...judge(safety.isTooOld, TOO_OLD),
  ]
}
