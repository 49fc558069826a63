// The log: one JSON object a line, or a readable form on a terminal. Lines are made of named fields only; no token, no
// header and no secret is ever a field.
import { type DestinationStream, type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { visibleLine } from '../../model/visible-text.ts'

export type Log = Logger

export interface LogPolicy {
  readonly level: string
  readonly format: 'auto' | 'json' | 'pretty'
}

export interface LogDestination {
  readonly isTerminal: boolean
  /** What takes the lines. */
  readonly to: DestinationStream
}

/** Makes the log. */
export function createLog(policy: LogPolicy, { isTerminal, to }: LogDestination): Log {
  const isPretty = policy.format === 'pretty' || (policy.format === 'auto' && isTerminal)
  const options = { level: policy.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino({ ...options, formatters: { level: (label) => ({ level: label }) } }, isPretty ? readable(to) : to)
}

function readable(to: DestinationStream): DestinationStream {
  const format = prettyFactory({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
  // What clients and other servers sent is in the lines; a terminal would act on it
  return { write: (line) => to.write(visibleLine(format(line))) }
}
