// What does docs/security.md say of the names of request headers? The lists of src/model/header-names.ts, written between two
// marks in a page that is otherwise written by hand.
import { attestedGroups, type HeaderNameGroup, protectedGroups, untrustedGroups } from '../../src/model/header-names.ts'

const BEGIN = '<!-- Written by "npm run generate" from src/model/header-names.ts, down to the next mark. -->'
const END = '<!-- Up to here. -->'

/** Puts the lists into the page. Throws where the marks are missing. */
export function withHeaderNames(page: string): string {
  const before = page.indexOf(BEGIN)
  const after = page.indexOf(END, before)
  if (before < 0 || after < before) throw new Error(`Cannot find "${BEGIN}" and "${END}" in the page`)
  return `${page.slice(0, before)}${BEGIN}\n\n${lists()}\n${page.slice(after)}`
}

function lists(): string {
  return [
    ...list('Protected', protectedGroups),
    ...list('Dropped by default, except from `forward.trustedProxies`', attestedGroups),
    ...list('Dropped by default', untrustedGroups),
  ].join('\n')
}

function list(title: string, groups: readonly HeaderNameGroup[]): readonly string[] {
  const entries = groups.map((group) => `- ${group.title}: ${group.names.map((name) => `\`${name}\``).join(', ')}`)
  return [`**${title}**`, '', ...entries, '']
}
