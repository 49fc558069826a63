// From the settings of the log to the function that writes one line for a request, and counts the lines that had to be left out.
import type { Config } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import { createAccessLog } from '../telemetry/logs/access-log.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { LogOutput } from '../telemetry/logs/log-output.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'

export interface AccessLinesParts {
  readonly config: Config
  readonly metrics: Metrics
  readonly log: Log
  /** Where the log goes, where its reader may be slow. */
  readonly logOutput: LogOutput | undefined
  readonly monotonic: Clock
}

/** Makes the access log; what its reader misses, of whatever kind, is counted and told once the reader is back. */
export function buildAccessLog({ config, metrics, log, logOutput, monotonic }: AccessLinesParts) {
  for (const cause of ['rate', 'reader'] as const) metrics.logLinesLeftOut.inc({ cause }, 0)
  logOutput?.onLost((lines) => metrics.logLinesLeftOut.inc({ cause: 'reader' }, lines))
  logOutput?.onRecovered((lines) => log.warn({ lines }, 'Left out lines of the log, which could not be written'))
  return createAccessLog({
    ...{ log, monotonic, policy: config.log.access, refusedPerSecond: config.log.refusedPerSecond },
    isBehind: () => logOutput?.isBehind() === true,
    onLeftOut: (cause) => metrics.logLinesLeftOut.inc({ cause }),
  })
}
