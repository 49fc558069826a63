// Does the newest entry of the log lie ahead of the clock of Redis? Redis gives every later entry the same millisecond then, in
// which no lift of another program counts. A gate goes on judging by it; people have to begin a new list.
import type { Logger } from '../../../model/logger.ts'
import type { RevocationObserver } from '../report.ts'

export interface LogAhead {
  /** The newest entry was written at `newestMs`, and it is `nowMs` at Redis. */
  look(newestMs: number, nowMs: number): void
  /** What an operator should know; undefined where nothing is wrong. */
  warning(): string | undefined
}

const MOST_AHEAD_SECONDS = 3600

export function createLogAhead(parts: {
  readonly redis: string
  readonly observe: RevocationObserver
  readonly log: Logger
}): LogAhead {
  let warning: string | undefined

  return Object.freeze({
    look: (newestMs, nowMs) => {
      const seconds = Math.max(0, (newestMs - nowMs) / 1000)
      parts.observe.logAhead(seconds)
      const before = warning
      warning =
        seconds <= MOST_AHEAD_SECONDS
          ? undefined
          : 'the newest entry of the revocation log lies more than an hour ahead of the clock of Redis: begin a new list'
      if (warning !== undefined && before === undefined) {
        parts.log.error(
          { redis: parts.redis, aheadSeconds: Math.round(seconds) },
          'The newest entry of the revocation log lies ahead of the clock of Redis: lifts by other programs may not count; begin a new list',
        )
      }
    },
    warning: () => warning,
  } satisfies LogAhead)
}
