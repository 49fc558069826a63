// Where was a wrong value written? Gives each finding its place: a line of the file, a variable or a flag; and for what
// was written nowhere, the names by which it could be given.

import { type Finding, formatPath, type Problem } from '../problems.ts'
import { namedRows } from './flags.ts'
import type { Given } from './variables-and-flags.ts'
import type { YamlText } from './yaml.ts'

/** The settings file as it was read. */
export interface SettingsFile {
  readonly path: string
  readonly yaml: YamlText
}

interface Place {
  readonly where: string
  /** The problems of the file come first, in its order. */
  readonly order: number
}

const AFTER_THE_FILE = Number.MAX_SAFE_INTEGER

/** What is wrong with the text of the file, whatever it says. */
export function fileTroubles({ path, yaml }: SettingsFile): Problem[] {
  return yaml.troubles.map(({ line, column, message }) => ({ where: `${path}:${line}:${column}`, message }))
}

/** The problems that the findings are. A finding about a text that could not be read is left out: that one is told. */
export function placed(
  findings: readonly Finding[],
  given: readonly Given[],
  file: SettingsFile | undefined,
): Problem[] {
  return findings
    .flatMap((finding) => {
      const place = placeOf(finding, given, file)
      return place === undefined ? [] : [{ ...place, finding }]
    })
    .toSorted((a, b) => a.order - b.order)
    .map(({ where, finding: { message, hint } }) =>
      hint === undefined ? { where, message } : { where, message, hint },
    )
}

function placeOf(finding: Finding, given: readonly Given[], file: SettingsFile | undefined): Place | undefined {
  const { path } = finding
  const shown = finding.isUnknownName ? path.slice(0, -1) : path
  const source = given.find(({ row }) => startsWith(path, row.path))
  if (source !== undefined) {
    const below = shown.length > source.row.path.length ? ` ${formatPath(shown)}` : ''
    return source.isUnreadable ? undefined : { where: source.where + below, order: AFTER_THE_FILE }
  }
  if (file?.yaml.isBroken) return undefined
  if (file === undefined || !isInside(file.yaml.value, path)) {
    // A group that variables or flags alone have made has its place at the first of them.
    const maker = path.length === 0 ? undefined : given.find(({ row }) => startsWith(row.path, path))
    if (maker !== undefined) return { where: `${maker.where} ${formatPath(path)}`, order: AFTER_THE_FILE }
  }
  if (file === undefined) return { where: namesOf(path), order: 0 }
  const { line, column } = file.yaml.positionOf(path)
  const name = formatPath(shown)
  return { where: `${file.path}:${line}:${column}${name === '' ? '' : ` ${name}`}`, order: line * 10_000 + column }
}

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((name, index) => path[index] === name)
}

function isInside(root: unknown, path: readonly PropertyKey[]): boolean {
  let part = root
  for (const step of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, step)) return false
    part = (part as Record<PropertyKey, unknown>)[step]
  }
  return true
}

function namesOf(path: readonly PropertyKey[]): string {
  const row = namedRows.find((candidate) => candidate.path.length === path.length && startsWith(path, candidate.path))
  const name = formatPath(path)
  return row === undefined ? name : `${name} (${row.environment}, --${row.flag})`
}
