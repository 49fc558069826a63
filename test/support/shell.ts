// The command line in this process: with a clock and an input of the test's own, and everything that was printed.
import { Writable } from 'node:stream'
import { runCommandLine } from '../../src/commands/command-line.ts'
import type { Shell } from '../../src/commands/shell.ts'

export interface ShellOptions {
  readonly environment?: Record<string, string>
  readonly clock?: () => number
  /** What comes in by standard input. */
  readonly input?: string
  /** Resolves when the command is told to stop. */
  readonly stopped?: Promise<string>
  /** Called for each printed line. */
  readonly onPrint?: (line: string) => void
}

export interface Ran {
  readonly exitCode: number
  /** What went to standard output, as lines. */
  readonly printed: readonly string[]
  /** What went to standard error, as lines. */
  readonly complained: readonly string[]
  /** All of it. */
  readonly text: string
}

/** Runs `sidegate` with these arguments. */
export async function sidegate(given: readonly string[], options: ShellOptions = {}): Promise<Ran> {
  const { shell, printed, complained } = createTestShell(options)
  const exitCode = await runCommandLine(given, shell)
  return { exitCode, printed, complained, text: [...printed, ...complained].join('\n') }
}

/** A shell that records. */
export function createTestShell(options: ShellOptions = {}): {
  readonly shell: Shell
  readonly printed: string[]
  readonly complained: string[]
} {
  const printed: string[] = []
  const complained: string[] = []
  const shell: Shell = {
    environment: options.environment ?? {},
    clock: options.clock ?? Date.now,
    print: (line) => {
      printed.push(...line.split('\n'))
      options.onPrint?.(line)
    },
    complain: (line) => complained.push(...line.split('\n')),
    output: new Writable({ write: (_chunk, _encoding, done) => done() }),
    readInput: async () => options.input ?? '',
    untilStopped: () => options.stopped ?? new Promise(() => {}),
    isTerminal: false,
  }
  return { shell, printed, complained }
}

/** The signature of a token: what no command may ever print. */
export function signatureOf(token: string): string {
  const [, , signature = ''] = token.split('.')
  if (signature === '') throw new Error('The token has no signature')
  return signature
}
