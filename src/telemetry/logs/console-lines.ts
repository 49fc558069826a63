// What libraries write to the console (ioredis warns of a password that Redis does not need) as lines of the log, which has to be
// JSON from its first line to its last. It must never write to the console itself.
import { format } from 'node:util'
import type { Log } from './log.ts'

/** Replaces the writing functions of the console. Answers the function that puts them back. */
export function logConsole(target: Pick<Console, 'warn' | 'error' | 'log' | 'info'>, log: Log): () => void {
  const { warn, error, log: plain, info } = target
  const line =
    (level: 'warn' | 'error') =>
    (...words: unknown[]) =>
      log[level]({ detail: format(...words).replaceAll(/\p{Cc}+/gu, ' ') }, 'A library reports')
  Object.assign(target, { warn: line('warn'), log: line('warn'), info: line('warn'), error: line('error') })
  return () => Object.assign(target, { warn, error, log: plain, info })
}
