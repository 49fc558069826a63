// Who may ask the identity provider, and when? A failure concerns the person whose token it was: only where different people
// fail is the provider spared by all. One person who asks in a loop must never cost others their next token.
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../model/clock.ts'
import { type BackOff, backOffAfter, noBackOff } from './back-off.ts'

/** A provider that hangs must not collect requests of ours without end, and one person must not have them all. */
const MAXIMUM_FLIGHTS = 64
const MAXIMUM_FLIGHTS_PER_SUBJECT = 4
const REMEMBERED_SUBJECTS = 10_000
/** How long who has not failed may try alone, at most. */
const HEAD_START_MS = 15_000
/** When the provider is well again, who waits for longer than this need not. */
const SETTLING_MS = 5_000

/** What was known when an exchange began: what failed together counts once. */
export interface Asking {
  readonly subject: string
  readonly own: BackOff
  readonly shared: BackOff
}

export interface ProviderBackOff {
  /** Begins an exchange for this person, or answers nothing where none may begin now. `known` is the back-off of the token. */
  begin(subject: string, known: BackOff): Asking | undefined
  /** Ends it, however it went. */
  end(asking: Asking): void
  /** The provider works, for this person at least. */
  worked(asking: Asking): void
  failed(asking: Asking, retryAfterMs: number): void
}

export function createProviderBackOff(monotonic: Clock): ProviderBackOff {
  const subjects = new LRUCache<string, BackOff>({ max: REMEMBERED_SUBJECTS })
  const underWay = new Map<string, number>()
  let flights = 0
  /** For everybody; without failures while nobody fails, or one person alone. */
  let shared = noBackOff
  let lastToFail: string | undefined
  /** When the provider was last well again. */
  let wellSinceMs = Number.NEGATIVE_INFINITY

  function isOver(backOff: BackOff, nowMs: number): boolean {
    if (nowMs < backOff.earliestMs) return false
    return nowMs >= backOff.untilMs || (backOff.sinceMs <= wellSinceMs && nowMs >= wellSinceMs + SETTLING_MS)
  }

  /** While the provider is spared, one at a time may try. Who has not failed comes first, and who tried last comes last. */
  function mayTry(subject: string, own: BackOff, nowMs: number): boolean {
    if (shared.failures === 0) return true
    if (flights > 0) return false
    const headStartMs = Math.min(shared.untilMs - shared.sinceMs, HEAD_START_MS)
    const startsLater = own.failures === 0 ? 0 : subject === lastToFail ? 2 : 1
    return nowMs >= shared.untilMs + startsLater * headStartMs
  }

  return {
    begin: (subject, known) => {
      const nowMs = monotonic()
      const own = subjects.get(subject) ?? noBackOff
      const ownFlights = underWay.get(subject) ?? 0
      if (flights >= MAXIMUM_FLIGHTS || ownFlights >= MAXIMUM_FLIGHTS_PER_SUBJECT) return undefined
      if (!isOver(known, nowMs) || !isOver(own, nowMs) || !mayTry(subject, own, nowMs)) return undefined
      flights += 1
      underWay.set(subject, ownFlights + 1)
      return { subject, own, shared }
    },
    end: ({ subject }) => {
      flights -= 1
      const left = (underWay.get(subject) ?? 1) - 1
      if (left === 0) underWay.delete(subject)
      else underWay.set(subject, left)
    },
    worked: ({ subject }) => {
      if (shared.failures > 0) wellSinceMs = monotonic()
      shared = noBackOff
      lastToFail = undefined
      subjects.delete(subject)
    },
    failed: ({ subject, own, shared: before }, retryAfterMs) => {
      const nowMs = monotonic()
      if ((subjects.get(subject) ?? noBackOff) === own) subjects.set(subject, backOffAfter(own, nowMs, retryAfterMs))
      const isAnother = lastToFail !== undefined && lastToFail !== subject
      if (shared === before && (shared.failures > 0 || isAnother)) shared = backOffAfter(shared, nowMs, retryAfterMs)
      lastToFail = subject
    },
  }
}
