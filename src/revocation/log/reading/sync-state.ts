// When was the local copy last known to be current, and what stands in the way now? Tells every change of state once: one
// line, one metric. Must never count an answer as current that may have lain in a buffer.

import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'
import type { RevocationObserver } from '../report.ts'

export interface Contact {
  /** An answer said that nothing is newer than what we have: asked at `sentMs`, and due `dueMs` later at the latest. */
  hear(sentMs: number, dueMs: number): void
  /** It cannot be said any more that the copy is current. */
  lose(why: string, message: string): void
  isLive(): boolean
  /** Milliseconds of the clock; 0 before the first time. */
  heardMs(): number
  /** Why the copy is not current, where it is not. */
  trouble(): string | undefined
}

export interface ContactParts {
  readonly clock: Clock
  readonly observe: RevocationObserver
  readonly log: Logger
  readonly redis: string
  readonly countRules: () => number
}

// An answer that took longer than this beyond the wait may have lain in a buffer: it says what was true when it was asked.
const PROMPT_MS = 500

export function createContact(parts: ContactParts): Contact {
  const { clock, log, observe, redis } = parts
  let isLive = false
  let isTold = false
  let heardMs = 0
  let trouble: string | undefined

  return Object.freeze({
    hear: (sentMs, dueMs) => {
      const answeredMs = clock()
      heardMs = answeredMs - sentMs <= dueMs + PROMPT_MS ? answeredMs : sentMs
      observe.heard(heardMs)
      trouble = undefined
      isTold = false
      if (isLive) return
      isLive = true
      observe.synced(true)
      log.info({ redis, rules: parts.countRules() }, 'Revocation list is in sync')
    },
    lose: (why, message) => {
      trouble = why
      if (isLive) observe.synced(false)
      isLive = false
      if (isTold) return
      isTold = true
      log.warn(
        { redis, rules: parts.countRules(), detail: why },
        heardMs === 0 ? 'Cannot read the revocation list yet' : message,
      )
    },
    isLive: () => isLive,
    heardMs: () => heardMs,
    trouble: () => trouble,
  } satisfies Contact)
}
