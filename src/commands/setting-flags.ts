// The flags of a command that reads settings, and the problems that it prints for the person at the terminal.
import type { Argv } from 'yargs'
import { readSettings, type Settings, type SettingsArguments } from '../assembly/settings/read-settings.ts'
import { formatProblem, formatProblems } from '../config/problems.ts'
import { namedRows } from '../config/sources/flags.ts'
import type { Shell } from './shell.ts'

/** Adds `--config` and one flag for each setting; `--help settings` lists them. */
export function withSettingFlags<T>(argv: Argv<T>) {
  for (const row of namedRows)
    argv.option(row.flag, {
      type: 'string',
      requiresArg: true,
      hidden: true,
    })
  return withConfigFlag(argv).epilogue(
    'Each setting is a flag as well: sidegate --help settings, or --help revocation for some.',
  )
}

/** Adds `--config` alone, for commands that only look something up in the settings. */
export function withConfigFlag<T>(argv: Argv<T>) {
  return argv.option('config', {
    alias: 'c',
    type: 'string',
    requiresArg: true,
    description: 'The settings file (YAML)',
  })
}

/**
 * The settings, with problems and warnings written for the person at the terminal; nothing where there are problems. The
 * warnings about settings that are right can be left to the log (`logWarnings`).
 */
export async function readSettingsAloud(
  given: SettingsArguments,
  shell: Shell,
  { areWarningsLogged = false }: { readonly areWarningsLogged?: boolean } = {},
): Promise<Settings | undefined> {
  const result = await readSettings(given, shell)
  const isLeftToLog = areWarningsLogged && !('problems' in result)
  for (const warning of isLeftToLog ? [] : result.warnings) shell.complain(`warning: ${formatProblem(warning)}`)
  if (!('problems' in result)) return result
  for (const line of formatProblems(result.problems)) shell.complain(line)
  if (given.config === undefined)
    shell.complain('No settings file is given: name one with --config sidegate.yaml; "sidegate demo" needs none')
  return undefined
}
