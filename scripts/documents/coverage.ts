// What does docs/coverage.md say? Built from the catalogue of attacks and from the tests that name its entries.
import { type Attack, type AttackSection, attackSections } from './attacks.ts'
import { type HoldingTest, holdingTests } from './holding-tests.ts'

const kinds = ['Figure', 'Does not apply', 'Outside', 'Open'] as const
type Kind = (typeof kinds)[number]

const testsOf: ReadonlyMap<string, readonly HoldingTest[]> = Map.groupBy(holdingTests(), ({ id }) => id)

/** Throws where the words are of no known kind, so that a slip of the pen is no evidence. */
function kindOf(note: string): Kind {
  const kind = kinds.find((one) => note.startsWith(`${one}: `))
  if (kind === undefined) throw new Error(`Cannot read the note "${note}": it is of no known kind`)
  return kind
}

/** How many attacks have at least a test, else a figure, else a reason why they do not apply; and how many are partly open. */
export function countAttacks(
  attacks: readonly Attack[] = attackSections.flatMap((section) => section.attacks),
): Readonly<Record<'all' | 'Test' | Kind, number>> {
  const counts = { all: 0, Test: 0, Figure: 0, 'Does not apply': 0, Outside: 0, Open: 0 }
  for (const [id, , ...notes] of attacks) {
    const found = new Set<'Test' | Kind>(notes.map(kindOf))
    if (testsOf.has(id)) found.add('Test')
    const first = (['Test', 'Figure', 'Does not apply', 'Outside'] as const).find((kind) => found.has(kind))
    counts.all++
    if (first !== undefined) counts[first]++
    if (found.has('Open')) counts.Open++
  }
  return counts
}

/** How many different tests hold these attacks. */
export function countTests(attacks: readonly Attack[]): number {
  return new Set(attacks.flatMap(([id]) => (testsOf.get(id) ?? []).map(({ file, name }) => `${file} › ${name}`))).size
}

function introduction(): string {
  const counts = countAttacks()
  return `# Attacks and faults, and what holds them

<!-- Written by "npm run generate" from scripts/documents/attacks.ts and the tests that name its entries. Changes here are lost. -->

Public test suites, advisories and lists of faults, sorted by what they are about. Of ${counts.all} entries ${counts.Test} are held
by at least one test, ${counts['Does not apply']} do not apply; ${counts.Open} say that something is still open. A test is named by its file below
\`test/\` and its name, or by what its row of a table is about. The rules behind them are in [security.md](security.md).

- **Figure**: what was counted, or the program below \`bench/\` that measures it.
- **Does not apply**: and why.
- **Outside**: a public suite that is not part of this repository; what stands beside it is what we hold ourselves.
- **Open**: not tried or not built yet.

Tests of public data read it where it is on the machine, and are skipped with a message where it is not. Those of nginx run
where nginx is installed. The tests below \`test/fuzz\` make up their input from a fixed seed; \`npm run fuzz\` goes on for
minutes with a fresh one (\`FUZZ_MINUTES\`, each test for so long; \`FUZZ_SEED\` repeats a run).
`
}

/** The text of docs/coverage.md. */
export function coveragePage(): string {
  return [introduction(), ...attackSections.map(section)].join('\n')
}

function section({ title, attacks }: AttackSection): string {
  const rows = attacks.map(([id, what, ...notes]) => {
    const tests = (testsOf.get(id) ?? []).map(({ file, name }) => `\`${file}\`: ${name}`)
    return [what, [...tests, ...notes.map((note) => note.replace(kindOf(note), '**$&**'))].join('<br>')]
  })
  const lines = [['Attack or fault', 'What holds it'], ['---', '---'], ...rows]
  return `## ${title}\n\n${lines.map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`).join('')}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('__proto__', '\\_\\_proto\\_\\_')
}
