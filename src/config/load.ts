// Which settings are in force? Flag beats variable beats file beats default, one setting at a time. Every problem of all
// of them is found in one run. Reads no file and no process state: texts, variables and flags come in as arguments.

import { findContradictions } from './checks/checks.ts'
import { draftOf } from './checks/draft.ts'
import { type Config, settingsSchema } from './options.ts'
import { type Finding, findingsOf, type Problem } from './problems.ts'
import { fileTroubles, placed, type SettingsFile } from './sources/source-locations.ts'
import { type Given, readGiven, unknownVariables } from './sources/variables-and-flags.ts'
import { readYaml } from './sources/yaml.ts'
import { isGroup } from './value-types/value-types.ts'

/** Where settings come from. */
export interface SettingsSources {
  /** The file: its name for the messages, and its text. */
  readonly file?: { readonly path: string; readonly text: string } | undefined
  /** The variables of the process; only the names in the table are read. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Flags by name, without the dashes: `{ 'revocation-max-staleness': '30s' }`; undefined where a flag is absent. */
  readonly flags: Readonly<Record<string, unknown>>
}

/** The settings, frozen through and through, or everything that is wrong with them. Warnings hinder no start. */
export type LoadResult =
  | { readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] }

/** What was written, before anything of it is judged. */
interface WrittenSources {
  readonly file: SettingsFile | undefined
  readonly given: readonly Given[]
  /** What of the variables and flags cannot be read. */
  readonly unread: readonly Problem[]
  /** Everything together, in whatever shape. */
  readonly raw: unknown
}

/** Reads the texts. Never throws for anything that a person could write. */
export function readSources(sources: SettingsSources): WrittenSources {
  const file = sources.file === undefined ? undefined : { path: sources.file.path, yaml: readYaml(sources.file.text) }
  const { given, problems: unread } = readGiven(sources.environment, sources.flags)
  return { file, given, unread, raw: merge(file?.yaml.value, given) }
}

/** Reads the settings. Never throws for anything that a person could write. */
export function loadConfig(sources: SettingsSources): LoadResult {
  const { file, given, unread, raw } = readSources(sources)
  const { config, findings } = check(raw)
  const isWarning = ({ severity }: Finding) => severity === 'warning'
  const wrong = findings.filter((finding) => !isWarning(finding))
  const warnings = [...unknownVariables(sources.environment), ...placed(findings.filter(isWarning), given, file)]
  const problems = [...(file === undefined ? [] : fileTroubles(file)), ...unread, ...placed(wrong, given, file)]
  if (problems.length > 0 || config === undefined) return { problems, warnings }
  return { config: deepFreeze(config), warnings }
}

/** The file's settings with what variables and flags put in their place. */
function merge(fromFile: unknown, given: readonly Given[]): unknown {
  const raw: unknown = fromFile === undefined ? {} : structuredClone(fromFile)
  for (const { row, value } of given) {
    let group = raw
    for (const name of row.path.slice(0, -1)) {
      if (isGroup(group) && !Object.hasOwn(group, name)) group[name] = {}
      group = isGroup(group) ? group[name] : undefined
    }
    const last = row.path.at(-1)
    if (isGroup(group) && last !== undefined) group[last] = value
  }
  return raw
}

function check(raw: unknown): { config?: Config; findings: Finding[] } {
  const contradictions: Finding[] = []
  const schema = settingsSchema.superRefine(
    (value, context) => {
      contradictions.push(...findContradictions(draftOf(value, context.issues)))
    },
    { when: (payload) => isGroup(payload.value) },
  )
  const parsed = schema.safeParse(raw, { reportInput: true })
  if (!parsed.success) return { findings: distinct([...parsed.error.issues.flatMap(findingsOf), ...contradictions]) }
  return { config: parsed.data, findings: contradictions }
}

/** A number can break two of its bounds at once; that is one problem. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify([finding.path, finding.message]), finding])).values()]
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}
