// What would an upgrade change for these settings, which were written for an older version? Answers each change with its place and
// what keeps the old behaviour. Judges no value: settings that are wrong are found by the loader.

import { readSources, type SettingsSources } from '../load.ts'
import { formatPath, type Problem } from '../problems.ts'
import { namedRows } from '../sources/flags.ts'
import { placed } from '../sources/source-locations.ts'
import type { SettingPath, UpgradeChange, WrittenSettings } from './change.ts'
import { upgradeChanges } from './changes.ts'

/** A change that these settings leave to the default. */
export interface UpgradeFinding extends Omit<Problem, 'hint'> {
  readonly id: string
  /** What to write, or to do. */
  readonly keep: string
}

export interface GateUnderUpgrade extends Omit<WrittenSettings, 'settings'> {
  readonly sources: SettingsSources
  /** Variables with a value that is not known: they say something about their setting. */
  readonly hidden: readonly string[]
}

/** Every change of the table, in its order. */
export function findUpgradeChanges({ sources, hidden, ...known }: GateUnderUpgrade): readonly UpgradeFinding[] {
  const { file, given, raw } = readSources(sources)
  if (file?.yaml.isBroken) return []
  const unknown = namedRows.filter(({ environment }) => hidden.includes(environment))
  return upgradeChanges.flatMap((change) =>
    [...change.find({ settings: raw, ...known })]
      .filter((path) => !unknown.some((row) => row.path.every((name, index) => path[index] === name)))
      .flatMap((path) =>
        placed([{ path, message: change.changed }], given, file).map(({ where, message }) => ({
          id: change.id,
          where,
          message,
          keep: keepOf(change, path),
        })),
      ),
  )
}

function keepOf({ keep, note }: UpgradeChange, path: SettingPath): string {
  const advice = note === undefined ? [] : [note.slice(0, 1).toUpperCase() + note.slice(1)]
  if (keep === undefined) return advice.join('')
  const setting = `To keep what was, set ${formatPath(path)}: ${keep}`
  return note === undefined ? setting : `${setting} (${note})`
}
