// What does docs/security.md say of the table of attacks? The counts of each chapter, written between two marks in a page
// that is otherwise written by hand.
import { type Attack, attackSections } from './attacks.ts'
import { countAttacks, countTests } from './coverage.ts'

const BEGIN = '<!-- Written by "npm run generate" from scripts/documents/attacks.ts, down to the next mark. -->'
const END = '<!-- Up to here. -->'

/** Puts the counts into the page. Throws where the marks are missing. */
export function withAttackCounts(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`Cannot find "${BEGIN}" and "${END}" in the page`)
  return `${page.slice(0, before)}${BEGIN}\n\n${table()}\n${page.slice(after)}`
}

function table(): string {
  const chapters = attackSections.map(({ title, attacks }) =>
    row(`[${title}](coverage.md#${anchorOf(title)})`, attacks),
  )
  const all = row(
    '**All**',
    attackSections.flatMap(({ attacks }) => attacks),
  )
  const titles = ['Chapter', 'Entries', 'held by a test', 'by a figure alone', 'does not apply', 'open', 'Tests named']
  const lines = [titles, titles.map((_, index) => (index === 0 ? '---' : '--:')), ...chapters, all]
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function row(name: string, attacks: readonly Attack[]): readonly string[] {
  const counts = countAttacks(attacks)
  const numbers = [counts.all, counts.Test, counts.Figure, counts['Does not apply'], counts.Open, countTests(attacks)]
  return [name, ...numbers.map(String)]
}

/** As GitHub makes it from a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
    .replaceAll(' ', '-')
}
