// What a command may touch of the process, as an argument: commands themselves reach for nothing.
import type { Writable } from 'node:stream'
import type { Clock } from '../model/clock.ts'
import { visibleText } from '../model/visible-text.ts'

export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Writes a line to standard output. What a terminal would act on is spelled out. */
  readonly print: (line: string) => void
  /** Writes a document to standard output as it stands; absent: as a line. */
  readonly printDocument?: (text: string) => void
  /** Writes a line to standard error. What a terminal would act on is spelled out. */
  readonly complain: (line: string) => void
  /** Standard output itself, for what is written without waiting for its reader. */
  readonly output: Writable
  readonly readInput: () => Promise<string>
  /** Resolves with the name of the first signal to stop; the second one ends the process at once. */
  readonly untilStopped: () => Promise<string>
  readonly isTerminal: boolean
}

/** The same shell for commands that print what others wrote: tokens, rules, manifests, answers of servers. */
export function withVisibleText(shell: Shell): Shell {
  return {
    ...shell,
    print: (line) => shell.print(visibleText(line)),
    printDocument: (text) => shell.print(text),
    complain: (line) => shell.complain(visibleText(line)),
  }
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
