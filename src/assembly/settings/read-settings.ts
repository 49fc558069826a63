// Reads the settings from the file, the variables and the flags, and the files that they name. Reports every problem at once.

import { findContradictions } from '../../config/checks/checks.ts'
import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/options.ts'
import { formatPath, type Problem } from '../../config/problems.ts'
import { type ReadFile, readSettingFile, SettingFileError } from '../../config/sources/files.ts'
import { namedRows } from '../../config/sources/flags.ts'
import { placeProblems, unreadableFiles } from '../../config/sources/named-files.ts'
import { quote } from '../../config/value-types/quote.ts'
import type { Clock } from '../../model/clock.ts'
import type { Log } from '../../telemetry/logs/log.ts'
import { proxyWarnings } from '../proxy-choice.ts'
import { type Materials, readMaterials } from './file-contents.ts'
import { keepUntilRestart } from './restart-settings.ts'

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

/** What settings depend on beside files and flags. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
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
  shell: Surroundings,
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

/** Logs what is doubtful about settings that are in force. */
export function logWarnings(log: Pick<Log, 'warn'>, warnings: readonly Problem[]): void {
  for (const { where, message, hint } of warnings)
    log.warn({ setting: where }, hint === undefined ? message : `${message}, ${hint}`)
}

type FileResult = { readonly path: string; readonly text: string } | { readonly problem: Problem } | undefined

async function readSettingsFile(path: string | undefined, read: ReadFile): Promise<FileResult> {
  if (path === undefined) return undefined
  try {
    return { path, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await read(path)) }
  } catch (error) {
    if (error instanceof SettingFileError) return { problem: { where: '--config', message: error.message } }
    if (!(error instanceof TypeError)) throw error
    const message = `Cannot read ${quote(path)}: it is not UTF-8`
    return { problem: { where: '--config', message, hint: 'save it as UTF-8' } }
  }
}
