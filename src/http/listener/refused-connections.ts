// Are clients kept out before they can ask? Counts each connection that is refused, and logs at most one line a minute, as
// a flood of connections must not become a flood of lines. It names no client.
import type { ErrorLogger } from '../../model/logger.ts'
import type { RefusedConnection } from './listener.ts'

const REPEAT_MS = 60_000

const meanings: Readonly<Record<Exclude<RefusedConnection, 'handshake_failed'>, string>> = {
  maximum: 'Refused a connection: there are as many as "limits.maxConnections" allows',
  handshakes: 'Dropped the oldest TLS handshake: a quarter of "limits.maxConnections" is under way',
}

interface RefusedReportParts {
  readonly onRefusedConnection?: ((cause: RefusedConnection) => void) | undefined
  readonly log: ErrorLogger
  readonly monotonicMs: () => number
}

/** Makes the function that hears of each. */
export function createRefusedReport(parts: RefusedReportParts): (cause: RefusedConnection) => void {
  let loggedMs = Number.NEGATIVE_INFINITY
  let refused = 0
  return (cause) => {
    parts.onRefusedConnection?.(cause)
    // Port scanners and probes that speak no TLS: the metric counts them, and nothing is full
    if (cause === 'handshake_failed') return
    refused += 1
    const nowMs = parts.monotonicMs()
    if (nowMs - loggedMs < REPEAT_MS) return
    loggedMs = nowMs
    parts.log.error({ cause, refused }, meanings[cause])
    refused = 0
  }
}
