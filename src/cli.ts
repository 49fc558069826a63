#!/usr/bin/env node
// From argv to a command: the only reader of process.argv, the only caller of process.exit. The runtime is judged before
// anything else is loaded: the libraries of the gate do not even load on some of the versions that are refused.
import process from 'node:process'
import type { Shell } from './commands/shell.ts'
import { canLoad, isPatchedRuntime, tooOldMessage, unpatchedMessage } from './runtime/node-version.ts'

/** How long a process that was told to stop waits for the reader of its last lines. */
const LAST_LINES_MS = 1000

const OVERRIDE = '--allow-unpatched-runtime'

async function main(): Promise<number> {
  const given = process.argv.slice(2)
  if (!isPatchedRuntime(process.versions.node) && !given.includes(OVERRIDE)) {
    process.stderr.write(`${unpatchedMessage(process.versions.node)}\n`)
    return 2
  }
  if (!canLoad(process.versions.node)) {
    process.stderr.write(`${tooOldMessage(process.versions.node)}\n`)
    return 2
  }
  const typed = given.filter((argument) => argument !== OVERRIDE)
  const shell = createShell()
  const quick = (await import('./commands/health/report-health.ts')).quickHealth(typed, shell)
  if (quick !== undefined) return quick
  const { plainRun, run } = await import('./commands/run/run.ts')
  const plain = plainRun(typed)
  if (plain !== undefined) return run(plain, shell)
  const { runCommandLine } = await import('./commands/command-line.ts')
  return runCommandLine(typed, shell)
}

function createShell(): Shell {
  return {
    environment: process.env,
    clock: Date.now,
    print: (line) => {
      hasPrinted = true
      process.stdout.write(`${line}\n`)
    },
    complain: (line) => process.stderr.write(`${line}\n`),
    output: process.stdout,
    readInput: readStandardInput,
    untilStopped,
    isTerminal: process.stdout.isTTY === true,
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

let hasPrinted = false
let wasToldToStop = false

function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        wasToldToStop = true
        resolve(signal)
        process.once(signal, () => process.exit(1))
      })
    }
    // Who prints has nobody left to print to. A gate does not print: it goes on without the reader of its log.
    process.stdout.once('error', () => hasPrinted && resolve('EPIPE'))
  })
}

// A reader that leaves early, as "head -1" does, is no failure of the command.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// Output to a pipe is written later: leaving at once would cut it off. A reader that hangs must not hold up a stop.
process.exitCode = await main()
if (process.stdout.writableLength > 0 && !process.stdout.errored)
  await new Promise((resolve) => {
    // Called once all before it is written; 'drain' comes only after more than the stream likes to hold.
    process.stdout.write('', () => resolve(undefined))
    process.stdout.once('error', resolve)
    if (wasToldToStop) setTimeout(resolve, LAST_LINES_MS)
  })
process.exit()
