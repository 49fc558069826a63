// How a command gets its settings: from the file, the variables and the flags, with every problem told at once.
import type { Argv } from 'yargs'
import { type Materials, readMaterials } from '../assembly/materials.ts'
import { proxyWarnings } from '../assembly/proxy-choice.ts'
import { keepUntilRestart } from '../assembly/restart-settings.ts'
import { type ReadFile, readSettingFile, SettingFileError } from '../config/files.ts'
import { namedRows } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/options.ts'
import { formatPath, formatProblem, formatProblems, type Problem } from '../config/problems.ts'
import { findContradictions } from '../config/rules.ts'
import type { Log } from '../telemetry/log.ts'
import { placeProblems, unreadableFiles } from './named-files.ts'
import type { Shell } from './shell.ts'

export interface Settings {
  readonly config: Config
  readonly materials: Materials
  readonly warnings: readonly Problem[]
  /** The settings that keep the value of the start until the next one. */
  readonly waiting: readonly string[]
  /** The bytes of every file that was read, the settings file included. */
  readonly files: Files
}

/** Bytes of files, by the path that the settings name. */
export type Files = ReadonlyMap<string, Uint8Array>

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

export interface ReadOptions {
  /** Where files come from; absent: the disk. */
  readonly readFile?: ReadFile
  /** The settings that the gate started with, where it runs: what only a start reads is kept from them. */
  readonly running?: Config | undefined
}

/** Reads the settings and the files that they name. Throws for nothing that a person could write. */
export async function readSettings(
  given: SettingsArguments,
  shell: Pick<Shell, 'environment' | 'clock'>,
  { readFile: read = readSettingFile, running }: ReadOptions = {},
): Promise<SettingsResult> {
  const files = new Map<string, Buffer>()
  const readAndKeep: ReadFile = async (path) => {
    const bytes = await read(path)
    files.set(path, bytes)
    return bytes
  }
  const file = await readSettingsFile(given.config, readAndKeep)
  if (file !== undefined && 'problem' in file) return { problems: [file.problem], warnings: [] }
  const flags = Object.fromEntries(namedRows.map((row) => [row.flag, given[row.flag]]))
  const sources = { file, environment: shell.environment, flags }
  const loaded = loadConfig(sources)
  const { warnings } = loaded
  if ('problems' in loaded)
    return { problems: [...loaded.problems, ...(await unreadableFiles(sources, read))], warnings }
  const { config, waiting } =
    running === undefined ? { config: loaded.config, waiting: [] } : keepUntilRestart(running, loaded.config)
  if (waiting.length > 0) {
    const problems = mixtureProblems(config, waiting)
    if (problems.length > 0) return { problems, warnings }
  }
  const made = await readMaterials(config, shell.clock, readAndKeep)
  if ('problems' in made) return { problems: placeProblems(made.problems, sources), warnings, config }
  return {
    config,
    materials: made.materials,
    warnings: [
      ...warnings,
      ...placeProblems(made.warnings, sources),
      ...proxyWarnings(config.outbound.proxy, shell.environment),
    ],
    waiting,
    files,
  }
}

/** New settings that are right by themselves may contradict those that wait: then nothing is taken over. */
function mixtureProblems(config: Config, waiting: readonly string[]): readonly Problem[] {
  return findContradictions(config)
    .filter(({ severity }) => severity !== 'warning')
    .map(({ path, message }) => ({
      where: formatPath(path),
      message,
      hint: `restart the gate: until then ${waiting.map((name) => `"${name}"`).join(', ')} keep the value of the start`,
    }))
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

async function readSettingsFile(path: string | undefined, read: ReadFile): Promise<FileResult> {
  if (path === undefined) return undefined
  try {
    return { path, text: (await read(path)).toString('utf8') }
  } catch (error) {
    if (!(error instanceof SettingFileError)) throw error
    return { problem: { where: '--config', message: error.message } }
  }
}
