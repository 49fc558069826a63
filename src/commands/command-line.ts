// Which command was typed, and with what? Reads arguments only, never the environment: a prefix there would collide with
// what Kubernetes sets for Services. Wrong usage answers 2 and one clear line.
import { closestMatch } from 'leven'
import yargs from 'yargs'
import { version } from '../version.ts'
import { check, checkOptions } from './check.ts'
import { demo, demoOptions } from './demo.ts'
import { explain, explainOptions } from './explain.ts'
import { generateKeys, generateOptions } from './keys.ts'
import { importOptions, importRevocations, listOptions, listRevocations } from './revocations.ts'
import { lift, liftOptions, revoke, revokeOptions } from './revoke.ts'
import { run, runOptions } from './run.ts'
import { schema } from './schema.ts'
import { DONE, type Shell, UsageError, WRONG_USAGE } from './shell.ts'
import { inspect, mint, mintOptions } from './token.ts'

/** Runs the command that was typed. Answers its exit code. */
export async function runCommandLine(given: readonly string[], shell: Shell): Promise<number> {
  let exitCode = DONE
  const does = <A>(command: (arguments_: A, shell: Shell) => Promise<number> | number) => {
    return async (arguments_: A) => {
      exitCode = await command(arguments_, shell)
    }
  }
  const parser = yargs([...given])
    .scriptName('sidegate')
    .usage('$0 <command>\n\nA gate for one app: verifies tokens, refuses revoked ones, hands out the next one in time.')
    .version(version)
    .command(['run', '$0'], 'Run the gate', runOptions, does(run))
    .command('demo', 'Show the whole product on this machine, with no set-up', demoOptions, does(demo))
    .command('check', 'Validate the settings without starting', checkOptions, does(check))
    .command('explain <token>', 'Explain the decision on a request with this token', explainOptions, does(explain))
    .command('revoke', 'Take tokens back, for the whole fleet', revokeOptions, does(revoke))
    .command('revocations', 'Look at the revocation list, and change it', (argv) =>
      argv
        .command('list', 'Print the rules in force', listOptions, does(listRevocations))
        .command('lift <kind> <value>', 'End a rule', liftOptions, does(lift))
        .command('import <file>', 'Write many rules', importOptions, does(importRevocations))
        .demandCommand(1, 'Give one of: list, lift, import'),
    )
    .command('token', 'Make tokens for development, and look into tokens', (argv) =>
      argv
        .command('mint', 'Print a signed token', mintOptions, does(mint))
        .command(
          'inspect <token>',
          'Print what a token says, without verifying it',
          (inner) =>
            inner
              .positional('token', { type: 'string', demandOption: true, description: 'The token, or - to read it' })
              .option('json', { type: 'boolean', default: false, description: 'Print JSON' }),
          does(inspect),
        )
        .demandCommand(1, 'Give one of: mint, inspect'),
    )
    .command('keys', 'Make keys', (argv) =>
      argv
        .command('generate', 'Make a key pair', generateOptions, does(generateKeys))
        .demandCommand(1, 'Give: generate'),
    )
    .command('schema', 'Print the JSON Schema of the settings', {}, () => {
      exitCode = schema(shell)
    })
    .completion('completion', 'Print a script for completion in the shell')
    .option('allow-unpatched-runtime', {
      type: 'boolean',
      description: 'Run on a Node without the fix of CVE-2026-58044',
    })
    .parserConfiguration({ 'duplicate-arguments-array': false, 'parse-numbers': false, 'dot-notation': false })
    .strict()
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error?: Error) => {
      throw error ?? new UsageError(message ?? 'The command cannot be read')
    })
    .wrap(Math.min(110, yargs().terminalWidth()))

  try {
    refuseUnknownCommand(given[0])
    await parser.parseAsync()
    return exitCode
  } catch (error) {
    if (!(error instanceof Error) || !isUsage(error)) throw error
    shell.complain(error.message)
    shell.complain('Use --help to see what can be given')
    return WRONG_USAGE
  }
}

const COMMANDS = ['run', 'demo', 'check', 'explain', 'revoke', 'revocations', 'token', 'keys', 'schema', 'completion']

/** yargs calls a mistyped command an unknown argument of the default command, and names no near one. */
function refuseUnknownCommand(first: string | undefined): void {
  if (first === undefined || first.startsWith('-') || COMMANDS.includes(first)) return
  const near = closestMatch(first, COMMANDS, { maxDistance: 3 })
  const hint = near === undefined ? `known are: ${COMMANDS.join(', ')}` : `did you mean "${near}"`
  throw new UsageError(`Unknown command ${JSON.stringify(first.slice(0, 64))}, ${hint}`)
}

/** yargs throws errors of its own kind, named YError. */
function isUsage(error: Error): boolean {
  return error instanceof UsageError || error.name === 'YError'
}
