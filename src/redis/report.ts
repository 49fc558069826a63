// What the Redis room reports: numbers for the metrics, lines for the log, and the class of an error. Must never carry a
// password.

/** What happens on the connections to Redis, as it is counted. Every label is from a closed set. */
export interface RedisObserver {
  redisUp(isUp: boolean): void
  redisReconnecting(): void
  redisFailed(kind: RedisErrorKind): void
  /** Whether Redis may evict rules; undefined where it does not say. */
  evictionUnsafe(isUnsafe: boolean | undefined): void
}

export const redisErrorKinds = ['timeout', 'connection', 'access', 'memory', 'read_only', 'reply'] as const

export type RedisErrorKind = (typeof redisErrorKinds)[number]

// What ioredis says of Sentinels holds a random time, in which a command line does not try again.
const intention = / Retrying from scratch after [\d.]+ms\./

/** The message of whatever was thrown; where a whole Cluster failed, of the node that failed last. */
export function redisMessageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  const node: unknown = 'lastNodeError' in error ? error.lastNodeError : undefined
  return node instanceof Error ? `${error.message} ${node.message}` : error.message.replace(intention, '')
}

/** The class of a failure of Redis, by the words that Redis and its client use. */
export function redisErrorKindOf(error: unknown): RedisErrorKind {
  const message = error instanceof Error ? redisMessageOf(error) : ''
  if (/timed out|timeout|ETIMEDOUT/i.test(message)) return 'timeout'
  if (/\b(?:NOAUTH|WRONGPASS|NOPERM)\b|invalid username-password|invalid password/i.test(message)) return 'access'
  if (/^(?:OOM|MISCONF)/.test(message)) return 'memory'
  if (/^READONLY/.test(message)) return 'read_only'
  if (/^(?:[A-Z]{3,}) /.test(message) && !/^E[A-Z]+ /.test(message)) return 'reply'
  if (/^(?:ERR|EXECABORT) /.test(message) || /^Protocol error|Cannot read|Please report this/.test(message))
    return 'reply'
  return 'connection'
}
