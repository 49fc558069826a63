// Is the local copy young enough to judge by? Keeps the limit, words the answer for /readyz, and says each change once.

import type { Clock } from '../model/clock.ts'
import type { Logger } from '../model/logger.ts'
import type { Feed } from './log/reading/feed.ts'

/** What to do when the list is not up to date. */
export type WhenStale = 'deny' | 'allow'

export interface Freshness {
  /** How old the copy is in milliseconds; infinite before it was first complete. */
  ageMs(): number
  isFresh(): boolean
  /** How old the copy is, why it is not newer, and what that means for tokens. */
  describe(): string
  start(): void
  stop(): void
}

export interface FreshnessParts {
  readonly feed: Feed
  readonly clock: Clock
  /** Milliseconds that only move forward. */
  readonly monotonic: Clock
  readonly maxStalenessMs: number
  readonly whenStale: WhenStale
  readonly log: Logger
}

const WATCH_EVERY_MS = 500

export function createFreshness(parts: FreshnessParts): Freshness {
  const { clock, feed, log, maxStalenessMs, monotonic } = parts
  const consequence =
    parts.whenStale === 'deny'
      ? 'tokens are refused with 503 until it is current again'
      : 'tokens are judged by what is known'
  let timer: NodeJS.Timeout | undefined
  let wasFresh: boolean | undefined
  let heardMs = 0
  // The same moment by the monotonic clock, as far as could be told when it was first looked at: soon after.
  let heardMonotonicMs = 0

  // The larger of two ages. A clock that is set back while Redis is away would make an old copy young again, and the
  // monotonic one stands still while the machine sleeps.
  function ageMs(): number {
    const latestMs = feed.lastHeardMs()
    if (latestMs === 0) return Number.POSITIVE_INFINITY
    // A clock that was set back is as unsure as one that ran on.
    const byClockMs = Math.abs(clock() - latestMs)
    const nowMs = monotonic()
    if (latestMs !== heardMs) {
      heardMs = latestMs
      heardMonotonicMs = nowMs - byClockMs
    }
    return Math.max(byClockMs, nowMs - heardMonotonicMs)
  }

  const isFresh = () => feed.isWhole() && ageMs() <= maxStalenessMs
  const ageText = () => `${(ageMs() / 1000).toFixed(1)} s old`
  const because = () => (feed.trouble() === undefined ? '' : `: ${feed.trouble()}`)

  function describe(): string {
    if (!feed.hasReadInFull()) return `revocation list not read in full yet${because()}`
    if (ageMs() === Number.POSITIVE_INFINITY)
      return `revocation list read in full, never known to be current; ${consequence}${because()}`
    if (isFresh()) return `revocation list read in full, ${ageText()}${because()}`
    if (!feed.isWhole()) return `revocation list cannot hold every rule; ${consequence}`
    return `revocation list is ${ageText()}, ${maxStalenessMs / 1000} s are allowed; ${consequence}${because()}`
  }

  function watch(): void {
    if (!feed.hasReadInFull()) return
    const isNow = isFresh()
    if (isNow === wasFresh) return
    if (!isNow) log.error({ detail: describe() }, 'Revocation list is too old')
    else if (wasFresh === false) log.info({ detail: describe() }, 'Revocation list is fresh again')
    wasFresh = isNow
  }

  return Object.freeze({
    ageMs,
    isFresh,
    describe,
    start: () => {
      timer = setInterval(watch, Math.min(WATCH_EVERY_MS, Math.max(20, maxStalenessMs / 2))).unref()
    },
    stop: () => clearInterval(timer),
  } satisfies Freshness)
}
