// What does docs/coverage.md say? Built from the list of attacks alone: what each is and what holds it.
import { type Attack, type AttackSection, attackSections, type Evidence } from './attacks.ts'

const kinds = ['Figure', 'Does not apply', 'Outside', 'Open'] as const
type Kind = (typeof kinds)[number]

/** A piece of evidence, taken apart. */
export type ReadEvidence =
  | { readonly kind: 'Test'; readonly file: string; readonly name: string }
  | { readonly kind: Kind; readonly text: string }

/** Throws where the words are of no known kind, so that a slip of the pen is no evidence. */
export function readEvidence(evidence: Evidence): ReadEvidence {
  const [file = '', name] = evidence.split(' › ')
  if (name !== undefined) return { kind: 'Test', file: `test/${file}.test.ts`, name }
  const kind = kinds.find((one) => evidence.startsWith(`${one}: `))
  if (kind === undefined)
    throw new Error(`Cannot read the evidence "${evidence}": it is neither a test nor of a known kind`)
  return { kind, text: evidence.slice(kind.length + 2) }
}

/** How many attacks have at least a test, else a figure, else a reason why they do not apply; and how many are partly open. */
export function countAttacks(
  attacks: readonly Attack[] = attackSections.flatMap((section) => section.attacks),
): Readonly<Record<'all' | 'Test' | Kind, number>> {
  const counts = { all: 0, Test: 0, Figure: 0, 'Does not apply': 0, Outside: 0, Open: 0 }
  for (const [, ...evidence] of attacks) {
    const found = new Set(evidence.map((one) => readEvidence(one).kind))
    const first = (['Test', 'Figure', 'Does not apply', 'Outside'] as const).find((kind) => found.has(kind))
    counts.all++
    if (first !== undefined) counts[first]++
    if (found.has('Open')) counts.Open++
  }
  return counts
}

/** How many different tests these attacks name. */
export function countTests(attacks: readonly Attack[]): number {
  const evidence = attacks.flatMap(([, ...all]) => all)
  return new Set(evidence.filter((one) => readEvidence(one).kind === 'Test')).size
}

function introduction(): string {
  const counts = countAttacks()
  return `# Attacks and faults, and what holds them

<!-- Written by "npm run generate" from scripts/documents/attacks.ts. Changes here are lost. -->

Public test suites, advisories and lists of faults, sorted by what they are about. Of ${counts.all} entries ${counts.Test} are held
by at least one test, ${counts['Does not apply']} do not apply; ${counts.Open} say that something is still open. A test is named by its file below
\`test/\` and its name; that it exists is itself a test. The rules behind them are in [security.md](security.md).

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
  const rows = attacks.map(([what, ...evidence]) => [what, evidence.map(shown).join('<br>')])
  const lines = [['Attack or fault', 'What holds it'], ['---', '---'], ...rows]
  return `## ${title}\n\n${lines.map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`).join('')}`
}

function shown(evidence: Evidence): string {
  const one = readEvidence(evidence)
  return one.kind === 'Test' ? `\`${one.file.slice('test/'.length)}\`: ${one.name}` : `**${one.kind}**: ${one.text}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('__proto__', '\\_\\_proto\\_\\_')
}
