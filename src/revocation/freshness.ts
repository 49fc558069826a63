// Is the local copy young enough to judge by? Keeps the limit, words the answer for /readyz, and says each change once.
import type { Clock } from '../model/clock.ts'
import type { Feed } from './feed.ts'
import type { RevocationLog } from './report.ts'
import type { WhenStale } from './revocations.ts'

export interface Freshness {
  /** How old the copy is in milliseconds; infinite before it was first complete. */
  ageMsAt(nowMs: number): number
  isFreshAt(nowMs: number): boolean
  /** How old the copy is, why it is not newer, and what that means for tokens. */
  describe(): string
  start(): void
  stop(): void
}

export interface FreshnessParts {
  readonly feed: Feed
  readonly clock: Clock
  readonly maxStalenessMs: number
  readonly whenStale: WhenStale
  readonly log: RevocationLog
}

const WATCH_EVERY_MS = 500

export function createFreshness(parts: FreshnessParts): Freshness {
  const { clock, feed, log, maxStalenessMs } = parts
  const consequence =
    parts.whenStale === 'deny'
      ? 'tokens are refused with 503 until it is current again'
      : 'tokens are judged by what is known'
  let timer: NodeJS.Timeout | undefined
  let wasFresh: boolean | undefined

  function ageMsAt(nowMs: number): number {
    const heardMs = feed.lastHeardMs()
    // A clock that was set back is as unsure as one that ran on.
    return heardMs === 0 ? Number.POSITIVE_INFINITY : Math.abs(nowMs - heardMs)
  }

  const isFreshAt = (nowMs: number) => ageMsAt(nowMs) <= maxStalenessMs
  const ageText = () => `${(ageMsAt(clock()) / 1000).toFixed(1)} s old`
  const because = () => (feed.trouble() === undefined ? '' : `: ${feed.trouble()}`)

  function describe(): string {
    if (!feed.hasReadInFull()) return `revocation list not read in full yet${because()}`
    if (isFreshAt(clock())) return `revocation list read in full, ${ageText()}${because()}`
    return `revocation list is ${ageText()}, ${maxStalenessMs / 1000} s are allowed; ${consequence}${because()}`
  }

  function watch(): void {
    if (!feed.hasReadInFull()) return
    const isFresh = isFreshAt(clock())
    if (isFresh === wasFresh) return
    if (!isFresh) log.error({ detail: describe() }, 'Revocation list is too old')
    else if (wasFresh === false) log.info({ detail: describe() }, 'Revocation list is young enough again')
    wasFresh = isFresh
  }

  return Object.freeze({
    ageMsAt,
    isFreshAt,
    describe,
    start: () => {
      timer = setInterval(watch, Math.min(WATCH_EVERY_MS, Math.max(20, maxStalenessMs / 2))).unref()
    },
    stop: () => clearInterval(timer),
  } satisfies Freshness)
}
