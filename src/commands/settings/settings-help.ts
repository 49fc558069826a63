// `--help settings`, and `--help revocation` for a part of them: every setting with its flag, its kind and its default. They stand
// apart from the help of a command, where a hundred of them would bury its own options.
import { type NamedRow, namedRows } from '../../config/sources/flags.ts'

/** The part of the settings that is asked about: `''` for all; undefined where something else is asked. */
export function askedSettings(given: readonly string[]): string | undefined {
  const at = given.indexOf('--help')
  const topic = at === -1 ? undefined : given[at + 1]
  if (topic === undefined) return undefined
  if (topic === 'settings') return ''
  const name = topic.replace(/^--/, '')
  return namedRows.some(({ flag }) => isWithin(flag, name)) ? name : undefined
}

/** The lines of the help on these settings, no wider than `width`. */
export function settingsHelp(part: string, width: number): readonly string[] {
  const rows = namedRows.filter(({ flag }) => part === '' || isWithin(flag, part))
  return [
    'Settings: flag, kind, default. Each is a variable too: --revocation-list is SIDEGATE_REVOCATION_LIST;',
    'in the file it is "list" in the group "revocation". docs/configuration.md has all of them with an example.',
    '',
    ...rows.flatMap((row) => [...wrapped(headOf(row), width, '  '), ...wrapped(row.description, width, '      ')]),
  ]
}

const isWithin = (flag: string, part: string) => flag === part || flag.startsWith(`${part}-`)

function headOf({ flag, kind, path, required, default: standard }: NamedRow): string {
  const shown = typeof standard === 'string' ? standard : JSON.stringify(standard)
  const end =
    standard === undefined
      ? required
        ? `, required${path.length > 1 ? ` with ${path[0]}` : ''}`
        : ''
      : `, default ${shown}`
  return `--${flag} <${kind}>${end}`
}

function wrapped(text: string, width: number, indent: string): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + word.length + 1 > width) {
      lines.push(indent + line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, indent + line]
}
