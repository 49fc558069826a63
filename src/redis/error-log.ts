// One line in the log for each kind of trouble with a Redis, however many connections meet it and however often, until one of
// them is ready again.
import type { Logger } from '../model/logger.ts'
import type { RedisErrorKind } from './report.ts'

export interface TroubleReport {
  note(kind: RedisErrorKind, detail: string): void
  /** Redis answers: the next trouble is a new one. */
  clear(): void
}

/** `redis` is the address, without credentials. */
export function createTroubleReport(log: Logger, redis: string): TroubleReport {
  let reported: RedisErrorKind | undefined
  return Object.freeze({
    note: (kind, detail) => {
      if (kind === reported) return
      reported = kind
      log.warn({ redis, kind, detail }, 'Redis cannot be reached')
    },
    clear: () => {
      reported = undefined
    },
  } satisfies TroubleReport)
}
