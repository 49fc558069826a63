// What was measured, as tables in Markdown. No figure is written here by hand.
import { type Comparison, type Measured, ratio } from '../compare/comparison.ts'
import type { Kind } from '../compare/wrk.ts'
import type { Costs } from '../costs/costs.ts'
import { formatSpread, type Spread, spreadOf } from '../figures.ts'

const NONE = '–'

/** Requests, memory and added latency of every gate. */
export function comparisonTables({ measuredAt, machine, rules, direct, gates }: Comparison): string {
  const p50 = spreadOf(direct.map((waits) => waits.p50))
  const p99 = spreadOf(direct.map((waits) => waits.p99))
  return [
    `Measured on ${measuredAt.slice(0, 10)}: ${machine}. The list held ${rules.toLocaleString('en')} rules.`,
    '### What was compared',
    table(
      ['gate', 'version', 'what it checks'],
      gates.map(({ title, version, checks }) => [title, version, checks]),
    ),
    '### GET, an answer of 200 bytes',
    throughputTable(gates, 'get'),
    '### The same, both under load at the same time on one core',
    table(
      ['gate', 'Sidegate against it'],
      gates
        .filter(({ together }) => together.length > 0)
        .map(({ title, together }) => [title, `${formatSpread(spreadOf(together))} ×`]),
    ),
    '### POST of 10 kB',
    throughputTable(gates, 'post'),
    '### Download of 1 MiB',
    throughputTable(gates, 'download'),
    '### Added latency at 500 requests a second',
    `Without a gate: median ${formatSpread(p50, 3)} ms, 99th percentile ${formatSpread(p99, 3)} ms.`,
    table(
      ['gate', 'median, ms more', '99th percentile, ms more'],
      gates
        .filter(({ added }) => added.length > 0)
        .map(({ title, added }) => [
          title,
          formatSpread(spreadOf(added.map((waits) => waits.p50)), 3),
          formatSpread(spreadOf(added.map((waits) => waits.p99)), 3),
        ]),
    ),
    '### Resident memory',
    table(
      ['gate', 'idle, MiB', 'under load at most, MiB'],
      gates.map(({ title, idleMiB, runs }) => {
        const loaded = [...runs.get, ...runs.post, ...runs.download].map(({ residentMiB }) => residentMiB)
        return [title, idleMiB.toFixed(0), Math.max(...loaded).toFixed(0)]
      }),
    ),
  ].join('\n\n')
}

function throughputTable(gates: readonly Measured[], kind: Kind): string {
  const rows = gates.map(({ title, runs, beside }) => {
    const busy = spreadOf(runs[kind].map((run) => run.busy)).median
    const times = ratio({ runs, beside }, kind)
    return [
      title,
      formatSpread(spreadOf(runs[kind].map(({ requestsPerCore }) => requestsPerCore)), 0),
      times === undefined ? NONE : `${formatSpread(times)} ×`,
      spreadOf(runs[kind].map(({ requestsPerSecond }) => requestsPerSecond)).median.toFixed(0),
      `${(busy * 100).toFixed(0)} %`,
    ]
  })
  return table(
    ['gate', 'requests for each second of its core', 'Sidegate against it', 'a second', 'of its core used'],
    rows,
  )
}

/** Decisions, first sights, memory and starts. */
export function costTables({ measuredAt, machine, ...costs }: Costs): string {
  const { tokenMemory, connectionMemory, ruleBytes, fullRead, workers } = costs
  const kibibytes = (bytes: number) => `${(bytes / 2 ** 10).toFixed(1)} KiB`
  return [
    `Measured on ${measuredAt.slice(0, 10)}: ${machine}.`,
    '### A decision on a remembered token',
    table(
      ['rules', 'routes', 'issuers', 'median, ns', '99th percentile, ns', 'against the first row'],
      costs.decisions.map(({ rules, routes, issuers, medianNs, p99Ns, times }) => [
        ...[rules, routes, issuers].map((count) => count.toLocaleString('en')),
        ...[formatSpread(medianNs, 0), formatSpread(p99Ns, 0), `${formatSpread(times)} ×`],
      ]),
    ),
    '### A token seen for the first time',
    table(
      ['algorithm', 'processor, µs', 'against the bare verification by `node:crypto`'],
      costs.firstSight.map(({ algorithm, microseconds, times }) => [
        algorithm,
        formatSpread(microseconds, 0),
        `${formatSpread(times)} ×`,
      ]),
    ),
    '### Memory',
    table(
      ['for each', 'takes'],
      [
        [`remembered token of ${tokenMemory.characters} characters`, kibibytes(tokenMemory.bytes)],
        [
          'open connection without a request',
          `${kibibytes(connectionMemory.residentBytes)}, ${kibibytes(connectionMemory.heapBytes)} of it on the heap`,
        ],
        ['rule of a million', `${ruleBytes} bytes`],
      ],
    ),
    '### Start',
    table(
      ['program', 'rules to read', 'ready after, ms', 'idle, MiB'],
      costs.starts.map(({ what, rules, readyMs, idleMiB }) => [
        what,
        rules === 0 ? 'no Redis' : rules.toLocaleString('en'),
        formatSpread(spreadOf(readyMs), 0),
        formatSpread(spreadOf(idleMiB), 0),
      ]),
    ),
    `A full read of ${fullRead.rules.toLocaleString('en')} rules from Redis took ${fullRead.seconds} s.`,
    '### Workers',
    table(
      ['workers', 'requests a second', 'against one'],
      ([workers.one, workers.two] as const).map((perSecond, index) => [
        String(index + 1),
        formatSpread(spreadOf(perSecond), 0),
        `${formatSpread(spreadOf(perSecond.map((count, round) => count / (workers.one[round] ?? Number.NaN))))} ×`,
      ]),
    ),
  ].join('\n\n')
}

/** Ratios by name: what today is compared to. */
export function ratiosOf(gates: readonly Measured[], costs: Pick<Costs, 'decisions' | 'firstSight'>) {
  const against = gates.flatMap((gate) => {
    const times = ratio(gate, 'get')
    const inTurn = times === undefined ? [] : [[`requests per core against ${gate.id}`, times] as const]
    if (gate.together.length === 0) return inTurn
    return [...inTurn, [`the same at the same time, against ${gate.id}`, spreadOf(gate.together)] as const]
  })
  const million = costs.decisions.find(({ rules }) => rules > 10_000)
  const first = costs.firstSight.find(({ algorithm }) => algorithm === 'ES256')
  const others: readonly (readonly [string, Spread | undefined])[] = [
    ['decision with a million rules against none', million?.times],
    ['first sight of ES256 against node:crypto', first?.times],
  ]
  return Object.fromEntries([...against, ...others.filter(([, spread]) => spread !== undefined)]) as Record<
    string,
    Spread
  >
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
