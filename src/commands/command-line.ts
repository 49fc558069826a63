// Which command was typed, and with what? Reads arguments only, never the environment: a prefix there would collide with
// what Kubernetes sets for Services. Wrong usage answers 2 and one clear line.
import { closestMatch } from 'leven'
import yargs from 'yargs'
import { version } from '../runtime/version.ts'
import { shieldDashes, unshieldDashes } from './dashes.ts'
import { demo, demoOptions } from './demo.ts'
import { explain, explainOptions } from './explain/explain.ts'
import { health, healthOptions } from './health/health.ts'
import { generateKeys, generateOptions } from './keys/generate.ts'
import { rotateKeys, rotateOptions } from './keys/rotate.ts'
import { doctor, doctorOptions } from './manifests/doctor.ts'
import { inject, injectOptions } from './manifests/inject.ts'
import { injector, injectorOptions } from './manifests/injector.ts'
import { importOptions, importRevocations, listOptions, listRevocations } from './revocations/revocations.ts'
import { lift, liftOptions, revoke, revokeOptions } from './revocations/revoke.ts'
import { run, runOptions } from './run/run.ts'
import { check, checkOptions } from './settings/check.ts'
import { schema } from './settings/schema.ts'
import { askedSettings, settingsHelp } from './settings/settings-help.ts'
import { DONE, type Shell, UsageError, WRONG_USAGE, withVisibleText } from './shell.ts'
import { inspect, mint, mintOptions } from './token/token.ts'
import { looksLikeToken, refuseRepeated, usageMessage } from './usage.ts'

/** Runs the command that was typed. Answers its exit code. */
export async function runCommandLine(given: readonly string[], plainShell: Shell): Promise<number> {
  const shell = withVisibleText(plainShell)
  const asked = askedSettings(given)
  if (asked !== undefined) {
    for (const line of settingsHelp(asked, Math.min(WIDTH, yargs().terminalWidth() || WIDTH))) shell.print(line)
    return DONE
  }
  let exitCode = DONE
  const does = <A>(
    command: (arguments_: A, shell: Shell) => Promise<number> | number,
    lists = ['audience', 'claim'],
  ) => {
    return async (arguments_: A) => {
      refuseRepeated(arguments_ as object, lists)
      exitCode = await command(unshieldDashes(arguments_), shell)
    }
  }
  const parser = yargs(shieldDashes(given))
    .scriptName('sidegate')
    .usage('$0 <command>\n\nA gate for one app: verifies tokens, refuses revoked ones, hands out the next one in time.')
    .version(version)
    .command(['run', '$0'], 'Run the gate', runOptions, does(run))
    .command('health', 'Ask the running gate whether it lives, or is ready', healthOptions, does(health))
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
    .command('keys', 'Make keys, and change them', (argv) =>
      argv
        .command('generate', 'Make a key pair', generateOptions, does(generateKeys))
        .command(
          'rotate',
          'Make the next key of the refresh, and take out the one before',
          rotateOptions,
          does(rotateKeys),
        )
        .demandCommand(1, 'Give one of: generate, rotate'),
    )
    .command('inject', 'Put the gate into manifests of Kubernetes', injectOptions, does(inject))
    .command(
      'doctor',
      'Find ways to bypass the gate, and other problems, in manifests',
      doctorOptions,
      does(doctor, ['file']),
    )
    .command(
      'injector',
      'Run the webhook that puts the gate into the pods of a cluster',
      injectorOptions,
      does(injector),
    )
    .command('schema', 'Print the JSON Schema of the settings', {}, () => {
      exitCode = schema(shell)
    })
    .completion(COMPLETION, 'Print a script for completion in the shell')
    .option('allow-unpatched-runtime', {
      type: 'boolean',
      description: 'Run on a Node without the fix of CVE-2026-58044',
    })
    .parserConfiguration({ 'parse-numbers': false, 'dot-notation': false })
    // Else the language of the messages comes from the environment, and only of those that are not ours.
    .detectLocale(false)
    .strict()
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error?: Error) => {
      if (error !== undefined && error.name !== YARGS_ERROR) throw error
      const said = message ?? error?.message ?? 'The command cannot be read'
      throw new UsageError(usageMessage(said, { given, flags: knownFlags() }))
    })
    .wrap(Math.min(WIDTH, yargs().terminalWidth()))

  // The flags of the command that was typed: yargs keeps them in one place, which its types leave out.
  function knownFlags(): readonly string[] {
    return Object.keys((parser as unknown as { getOptions(): { key: object } }).getOptions().key)
  }

  try {
    refuseUnknownCommand(given[0])
    if (given[0] === COMPLETION) {
      // yargs prints the script and then goes on, to call its own command an unknown argument.
      parser.showCompletionScript()
      return DONE
    }
    await parser.parseAsync()
    return exitCode
  } catch (error) {
    if (!(error instanceof Error) || !isUsage(error)) throw error
    shell.complain(error.message)
    shell.complain('Run with --help for usage')
    return WRONG_USAGE
  }
}

/** No line of the help is wider. */
const WIDTH = 110

const COMPLETION = 'completion'
const COMMANDS = [
  'run',
  'health',
  'demo',
  'check',
  'explain',
  'revoke',
  'revocations',
  'token',
  'keys',
  'inject',
  'doctor',
  'injector',
  'schema',
  COMPLETION,
]

/** yargs calls a mistyped command an unknown argument of the default command, and names no near one. */
function refuseUnknownCommand(first: string | undefined): void {
  if (first === undefined || first.startsWith('-') || COMMANDS.includes(first)) return
  const near = closestMatch(first, COMMANDS, { maxDistance: 2 })
  const hint = near === undefined ? `known are: ${COMMANDS.join(', ')}` : `did you mean "${near}"`
  const shown = looksLikeToken(first) ? '(a token)' : JSON.stringify(first.slice(0, 64))
  throw new UsageError(`Unknown command ${shown}, ${hint}`)
}

/** yargs throws errors of its own kind. */
const YARGS_ERROR = 'YError'

function isUsage(error: Error): boolean {
  return error instanceof UsageError || error.name === YARGS_ERROR
}
