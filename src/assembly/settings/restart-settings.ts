// Which changed settings does a running gate not take over? They keep the value of the start, and are named. The list comes from
// the table of settings: a gate whose settings say one thing and whose parts do another would be believed.
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config/options.ts'
import { settingRows } from '../../config/sources/flags.ts'
import { isGroup } from '../../config/value-types/value-types.ts'

export interface KeptSettings {
  /** The new settings, with the values of the start where only a start reads them. */
  readonly config: Config
  /** The names of the settings that wait for the next start. */
  readonly waiting: readonly string[]
}

/** The rows that hold a value of their own: a group is kept by its parts, a list as a whole. */
const kept = settingRows.filter(
  ({ path, isGroup, onChange }) =>
    !path.includes('[]') && (onChange === 'presence' || (onChange === 'restart' && !isGroup)),
)

/** Keeps what only a start reads, and takes over the rest. Changes neither of the two. */
export function keepUntilRestart(running: Config, next: Config): KeptSettings {
  const waiting: string[] = []
  let config: unknown = next
  for (const { path, name, onChange } of kept) {
    const [before, after] = [valueAt(running, path), valueAt(config, path)]
    const isSame =
      onChange === 'presence' ? (before === undefined) === (after === undefined) : isDeepStrictEqual(before, after)
    if (isSame) continue
    waiting.push(name)
    config = withValueAt(config, path, before)
  }
  return { config: config as Config, waiting }
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((part, name) => (isGroup(part) ? part[name] : undefined), root)
}

/** A copy of the groups on the way; undefined takes the setting away. */
function withValueAt(root: unknown, path: readonly string[], value: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (!isGroup(root)) return root
  const { [name]: before, ...others } = root
  const after = withValueAt(before, rest, value)
  return after === undefined ? others : { ...others, [name]: after }
}
