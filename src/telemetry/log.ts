// The log: one JSON object a line, or a readable form on a terminal. Lines are made of named fields only; no token, no
// header and no secret is ever a field.
import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

export interface LogPolicy {
  readonly level: string
  readonly format: 'auto' | 'json' | 'pretty'
}

export interface LogDestination {
  readonly isTerminal: boolean
  /** A file descriptor, or a stream that takes lines. */
  readonly to: number | DestinationStream
}

/** Makes the log. Lines are written without waiting for the reader, so that a slow one does not slow requests down. */
export function createLog(policy: LogPolicy, destination: LogDestination): Log {
  const { to } = destination
  const isPretty = policy.format === 'pretty' || (policy.format === 'auto' && destination.isTerminal)
  const stream = isPretty
    ? pretty({ destination: to as number, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
    : typeof to === 'number'
      ? pino.destination({ dest: to, sync: false })
      : to
  const options = { level: policy.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino({ ...options, formatters: { level: (label) => ({ level: label }) } }, stream)
}
