// One line for a request that was answered: who may read it learns what happened and why, but no token and no query. How
// many lines strangers can cause is bounded: what is left out is told once a second, by reason.
import type { Clock } from '../../model/clock.ts'
import { type Outcome, verdictOf } from '../../model/outcome.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { Log } from './log.ts'

const MAXIMUM_PATH = 256
const SECOND_MS = 1000

/** Which requests get a line. */
export type AccessPolicy = 'all' | 'refused' | 'none'

/** Why a line was left out: there were too many in this second, or who reads the log is too slow. */
export type LeftOutCause = 'rate' | 'reader'

export interface AccessLogParts {
  readonly log: Log
  readonly policy: AccessPolicy
  /** The most lines in a second for requests that were not simply admitted; 0: no bound. */
  readonly refusedPerSecond: number
  readonly monotonic: Clock
  /** Whether who reads the log is too slow. */
  readonly isBehind: () => boolean
  readonly onLeftOut: (cause: LeftOutCause) => void
}

export interface AccessLog {
  /** Writes the line, where this request gets one. */
  readonly write: (outcome: Outcome) => void
  /** Tells what was left out and not told yet. */
  readonly close: () => void
}

/** Makes the access log. `refused` means: every request that was not simply admitted. */
export function createAccessLog(parts: AccessLogParts): AccessLog {
  const { log, policy, refusedPerSecond, monotonic } = parts
  if (policy === 'none' || !log.isLevelEnabled('info')) return { write: () => {}, close: () => {} }

  let secondBeganMs = monotonic()
  let thisSecond = 0
  /** By reason, of which there are few. */
  const leftOut = new Map<string, number>()
  let telling: NodeJS.Timeout | undefined

  function isTooMany(): boolean {
    if (refusedPerSecond === 0) return false
    const now = monotonic()
    if (now - secondBeganMs >= SECOND_MS) {
      secondBeganMs = now
      thisSecond = 0
    }
    thisSecond++
    return thisSecond > refusedPerSecond
  }

  function leaveOut(reason: string, cause: LeftOutCause): void {
    leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1)
    parts.onLeftOut(cause)
    telling ??= setTimeout(tellOrWait, SECOND_MS).unref()
  }

  function tellOrWait(): void {
    telling = parts.isBehind() ? setTimeout(tellOrWait, SECOND_MS).unref() : undefined
    if (telling === undefined) tell()
  }

  function tell(): void {
    const lines = [...leftOut.values()].reduce((sum, count) => sum + count, 0)
    if (lines > 0) log.warn({ lines, reasons: Object.fromEntries(leftOut) }, 'Left out access lines')
    leftOut.clear()
  }

  return {
    write: (outcome) => {
      const { decision, fault } = outcome
      const refusal = isRefusal(decision) ? decision : decision.wouldRefuse
      const reason = fault ?? refusal?.reason
      if (policy === 'refused' && reason === undefined) return
      const verdict = verdictOf(outcome)
      if (parts.isBehind()) return leaveOut(reason ?? verdict, 'reader')
      if (reason !== undefined && isTooMany()) return leaveOut(reason, 'rate')
      const token = isRefusal(decision) ? undefined : decision.token
      log.info(
        {
          decision: verdict,
          reason,
          detail: refusal?.detail,
          status: outcome.status,
          method: outcome.method,
          path: outcome.path.slice(0, MAXIMUM_PATH),
          issuer: refusal?.issuer ?? token?.issuer,
          token: refusal?.tokenId ?? token?.id,
          peer: outcome.peer,
          clientAborted: outcome.clientAborted || undefined,
          durationMs: Math.round(outcome.durationMs * 1000) / 1000,
        },
        'request',
      )
    },
    close: () => {
      clearTimeout(telling)
      tell()
    },
  }
}
