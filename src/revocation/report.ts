// What does this folder tell the outside: numbers to whoever counts, lines to whoever logs? Types and the silent versions;
// must never carry a token, a claim value or a Redis password.

/** What happens in the feed and on the connections, as it is counted. Every label is from a closed set. */
export interface RevocationObserver {
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
  redisUp(isUp: boolean): void
  redisReconnecting(): void
  redisFailed(kind: RedisErrorKind): void
  /** Whether Redis may evict rules; undefined where it does not tell. */
  evictionUnsafe(isUnsafe: boolean | undefined): void
}

export type ReadType = 'full' | 'follow' | 'heal'

export const redisErrorKinds = ['timeout', 'connection', 'access', 'memory', 'read_only', 'reply'] as const

export type RedisErrorKind = (typeof redisErrorKinds)[number]

/** The part of a pino logger that is used here. */
export interface RevocationLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

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
export const silentLog: RevocationLog = Object.freeze({ info: nothing, warn: nothing, error: nothing })

// What ioredis says of Sentinels holds a random time, in which a command line does not try again.
const intention = / Retrying from scratch after [\d.]+ms\./

/** The message of whatever was thrown; where a whole Cluster failed, of the node that failed last. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  const node: unknown = 'lastNodeError' in error ? error.lastNodeError : undefined
  return node instanceof Error ? `${error.message} ${node.message}` : error.message.replace(intention, '')
}

/** The class of a failure of Redis, by the words that Redis and its client use. */
export function redisErrorKindOf(error: unknown): RedisErrorKind {
  const message = error instanceof Error ? messageOf(error) : ''
  if (/timed out|timeout|ETIMEDOUT/i.test(message)) return 'timeout'
  if (/\b(?:NOAUTH|WRONGPASS|NOPERM)\b|invalid username-password|invalid password/i.test(message)) return 'access'
  if (/^(?:OOM|MISCONF)/.test(message)) return 'memory'
  if (/^READONLY/.test(message)) return 'read_only'
  if (/^(?:[A-Z]{3,}) /.test(message) && !/^E[A-Z]+ /.test(message)) return 'reply'
  if (/^(?:ERR|EXECABORT) /.test(message) || /^Protocol error|Cannot read|Please report this/.test(message))
    return 'reply'
  return 'connection'
}
