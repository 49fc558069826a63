// Which files do the settings name, where is each named, and can it be read? Asked also where the settings are wrong in
// other ways, so that one run tells everything. Puts no byte of a file into a message.

import type { SettingsSources } from '../load.ts'
import type { Finding, Problem } from '../problems.ts'
import { type ReadFile, readSettingFile, SettingFileError } from './files.ts'
import { settingRows } from './flags.ts'
import { placed, type SettingsFile } from './source-locations.ts'
import { type Given, readGiven } from './variables-and-flags.ts'
import { readYaml } from './yaml.ts'

interface Written {
  readonly given: readonly Given[]
  readonly file: SettingsFile | undefined
}

/** Gives problems whose `where` is the name of a setting the place at which that setting was written. */
export function placeProblems(problems: readonly Problem[], sources: SettingsSources): readonly Problem[] {
  const { given, file } = readWritten(sources)
  return problems.map((problem) => {
    const [found] = placed([{ ...problem, path: pathOf(problem.where) }], given, file)
    return found ?? problem
  })
}

/** A problem for each file that is named and cannot be read, whatever else is wrong with the settings. */
export async function unreadableFiles(
  sources: SettingsSources,
  readFile: ReadFile = readSettingFile,
): Promise<readonly Problem[]> {
  const { given, file } = readWritten(sources)
  const findings: Finding[] = []
  for (const { path, name } of namedFiles(given, file)) {
    try {
      await readFile(name)
    } catch (error) {
      if (!(error instanceof SettingFileError)) throw error
      findings.push({ path, message: error.message })
    }
  }
  return placed(findings, given, file)
}

function readWritten({ file, environment, flags }: SettingsSources): Written {
  const { given } = readGiven(environment, flags)
  return { given, file: file && { path: file.path, yaml: readYaml(file.text) } }
}

interface Part {
  readonly path: readonly PropertyKey[]
  readonly value: unknown
}

function namedFiles(given: readonly Given[], file: SettingsFile | undefined) {
  const rows = settingRows.filter(({ kind }) => kind === 'file')
  const isGiven = (path: readonly PropertyKey[]) =>
    given.some(({ row }) => row.path.every((name, index) => path[index] === name))
  const fromFile = rows.flatMap((row) => partsAt({ path: [], value: file?.yaml.value }, row.path))
  const fromGiven = given.flatMap(({ row: { path }, value }) =>
    rows
      .filter((row) => path.every((name, index) => row.path[index] === name))
      .flatMap((row) => partsAt({ path, value }, row.path.slice(path.length))),
  )
  return [...fromFile.filter(({ path }) => !isGiven(path)), ...fromGiven].flatMap(({ path, value }) =>
    typeof value === 'string' && couldBePath(value) ? [{ path, name: value }] : [],
  )
}

/** The parts of a value at a path in which `[]` stands for every item of a list. */
function partsAt(start: Part, path: readonly string[]): readonly Part[] {
  return path.reduce<readonly Part[]>((parts, step) => parts.flatMap((part) => stepInto(part, step)), [start])
}

function stepInto({ path, value }: Part, step: string): readonly Part[] {
  if (step === '[]')
    return Array.isArray(value) ? value.map((item: unknown, index) => ({ path: [...path, index], value: item })) : []
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return []
  return [{ path: [...path, step], value: (value as Record<string, unknown>)[step] }]
}

/** Else the settings have told already that it is the content of a file, or nothing. */
function couldBePath(text: string): boolean {
  return text.trim() !== '' && !/[\r\n\0]|^-----BEGIN|^\s*\{/.test(text)
}

/** `issuers[0].keys.jwksFile` as a path. */
function pathOf(setting: string): readonly PropertyKey[] {
  return setting.split(/[.[\]]+/).map((step) => (/^\d+$/.test(step) ? Number(step) : step))
}
