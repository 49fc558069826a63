// What a command may touch of the process, as an argument: commands themselves reach for nothing.
import type { Writable } from 'node:stream'
import type { Clock } from '../model/clock.ts'

export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Writes a line to standard output. */
  readonly print: (line: string) => void
  /** Writes a line to standard error. */
  readonly complain: (line: string) => void
  /** Standard output itself, for what is written without waiting for its reader. */
  readonly output: Writable
  readonly readInput: () => Promise<string>
  /** Resolves with the name of the first signal to stop; the second one ends the process at once. */
  readonly untilStopped: () => Promise<string>
  readonly isTerminal: boolean
}

/** Exit codes: the same for every command. */
export const DONE = 0
export const ANSWER_IS_NO = 1
export const WRONG_USAGE = 2

/** A mistake in how a command was called: its message is for the person who called it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** In place of a value: read it from standard input. */
export const FROM_INPUT = '-'

/** The value of an argument, or what comes in by standard input where it is `-`. */
export async function argumentOrInput<T extends string | undefined>(given: T, shell: Shell): Promise<T | string> {
  return given === FROM_INPUT ? (await shell.readInput()).trim() : given
}
