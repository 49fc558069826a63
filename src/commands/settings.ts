// How a command gets its settings: from the file, the variables and the flags, with every problem told at once.
import type { Argv } from 'yargs'
import { type Materials, readMaterials } from '../assembly/materials.ts'
import { proxyWarnings } from '../assembly/proxy-choice.ts'
import { readSettingFile, SettingFileError } from '../config/files.ts'
import { namedRows } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/options.ts'
import { formatProblem, formatProblems, type Problem } from '../config/problems.ts'
import type { Log } from '../telemetry/log.ts'
import { placeProblems, unreadableFiles } from './named-files.ts'
import type { Shell } from './shell.ts'

export interface Settings {
  readonly config: Config
  readonly materials: Materials
  readonly warnings: readonly Problem[]
}

export type SettingsResult = Settings | WrongSettings

export interface WrongSettings {
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** What was read, where the settings are right and only the files that they name are not. */
  readonly config?: Config
}

/** The arguments that say where settings come from. */
export type SettingsArguments = Readonly<Record<string, unknown>> & { readonly config?: string | undefined }

/** Adds `--config` and one flag for each setting. */
export function withSettingFlags<T>(argv: Argv<T>) {
  for (const row of namedRows)
    argv.option(row.flag, {
      type: 'string',
      requiresArg: true,
      description: row.description,
      group: `Settings (each also as a variable: --revocation-list is SIDEGATE_REVOCATION_LIST):`,
    })
  return withConfigFlag(argv)
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

/** Reads the settings and the files that they name. Throws for nothing that a person could write. */
export async function readSettings(given: SettingsArguments, shell: Shell): Promise<SettingsResult> {
  const file = await readFile(given.config)
  if (file !== undefined && 'problem' in file) return { problems: [file.problem], warnings: [] }
  const flags = Object.fromEntries(namedRows.map((row) => [row.flag, given[row.flag]]))
  const sources = { file, environment: shell.environment, flags }
  const loaded = loadConfig(sources)
  const { warnings } = loaded
  if ('problems' in loaded) return { problems: [...loaded.problems, ...(await unreadableFiles(sources))], warnings }
  const read = await readMaterials(loaded.config, shell.clock)
  if ('problems' in read) return { problems: placeProblems(read.problems, sources), warnings, config: loaded.config }
  return {
    config: loaded.config,
    materials: read.materials,
    warnings: [
      ...warnings,
      ...placeProblems(read.warnings, sources),
      ...proxyWarnings(loaded.config.outbound.proxy, shell.environment),
    ],
  }
}

/**
 * The same, with problems and warnings written for the person at the terminal; nothing where there are problems. The
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
  return undefined
}

/** Logs what is doubtful about settings that are in force. */
export function logWarnings(log: Pick<Log, 'warn'>, warnings: readonly Problem[]): void {
  for (const { where, message, hint } of warnings)
    log.warn({ setting: where }, hint === undefined ? message : `${message}, ${hint}`)
}

type FileResult = { readonly path: string; readonly text: string } | { readonly problem: Problem } | undefined

async function readFile(path: string | undefined): Promise<FileResult> {
  if (path === undefined) return undefined
  try {
    return { path, text: (await readSettingFile(path)).toString('utf8') }
  } catch (error) {
    if (!(error instanceof SettingFileError)) throw error
    return { problem: { where: '--config', message: error.message } }
  }
}
