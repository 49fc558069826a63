// What revocation reports: numbers for the metrics, lines for the log; types and the silent versions. Must never carry a token,
// a claim value or a Redis password.
import type { Logger } from '../../model/logger.ts'
import type { RedisObserver } from '../../redis/report.ts'

/** What happens in the feed and on the connections, as it is counted. Every label is from a closed set. */
export interface RevocationObserver extends RedisObserver {
  /** A run of the feed ended. */
  read(type: ReadType, result: 'ok' | 'error'): void
  /** A rule came into force here, this long after Redis took it. */
  propagated(seconds: number): void
  /** Rules were written back to a log that had lost them. */
  healed(rules: number): void
  /** Entries of the log could not be read as a rule and were skipped. */
  skipped(entries: number): void
  /** Entries of the log did not count, as a later copy of their rule is known. */
  overruled(entries: number): void
  /** How many entries of the log only a newer version understands; they are kept as they are. */
  notUnderstood(entries: number): void
  /** How far the newest entry of the log lies ahead of the clock of Redis. */
  logAhead(seconds: number): void
  /** The local copy was known to be current at this time. */
  heard(atMs: number): void
  synced(isSynced: boolean): void
}

export type ReadType = 'full' | 'follow' | 'heal'

const nothing = (): void => {}

/** Counts nothing: for commands that end at once. */
export const silentObserver: RevocationObserver = Object.freeze({
  read: nothing,
  propagated: nothing,
  healed: nothing,
  skipped: nothing,
  overruled: nothing,
  notUnderstood: nothing,
  logAhead: nothing,
  heard: nothing,
  synced: nothing,
  redisUp: nothing,
  redisReconnecting: nothing,
  redisFailed: nothing,
  evictionUnsafe: nothing,
})

/** Logs nothing. */
export const silentLog: Logger = Object.freeze({ info: nothing, warn: nothing, error: nothing })
