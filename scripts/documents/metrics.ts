// What does docs/metrics.md say? Built from the metrics as they are registered, so that it cannot drift from the program.
import { injectorMetrics } from '../../src/kubernetes/injector/metrics.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'

const introduction = `# Metrics

<!-- Written by "npm run generate" from src/telemetry/metrics/metrics.ts. Changes here are lost. -->

\`/metrics\` on the admin port answers in the Prometheus text format, or in OpenMetrics 1.0 where the \`Accept\` header asks
for it. Labels come from closed sets: no client can grow the number of series, and no subject, token id, path or key id is
in any of them. Ages are not exported: times are, so that \`time() - …\` tells an age even where the gate is stuck.

- \`decision\` is \`permit\`, \`public\` (the route needs no token), \`shadow\` (would have been refused), \`refuse\` or
  \`error\` (admitted, but the app or the gate failed).
- \`reason\` is a word of [reasons.md](reasons.md), \`issuer\` an issuer of the settings; \`none\` where there is none.
- \`code\` is the status that was answered; \`499\` counts clients that left before the answer.

`

const libraryNote = `
Besides these there are the \`process_*\` and \`nodejs_*\` metrics of prom-client, among them
\`nodejs_eventloop_lag_seconds\` and \`process_resident_memory_bytes\`.
`

const injectorNote = `
## The injector

Of \`sidegate injector\`, at \`/metrics\` on its HTTPS port.

`

/** A metric as prom-client keeps it; its types do not tell of the labels. */
interface Registered {
  readonly name: string
  readonly help: string
  readonly type: unknown
  readonly labelNames: readonly string[]
}

/** The text of docs/metrics.md. */
export function metricsPage(): string {
  const registered = createMetrics().registry.getMetricsAsArray() as unknown as readonly Registered[]
  const rows = registered.filter(({ name }) => name.startsWith('sidegate_')).map(row)
  return introduction + table(rows) + libraryNote + injectorNote + table(Object.values(injectorMetrics).map(row))
}

function table(rows: readonly (readonly string[])[]): string {
  const titles = ['Metric', 'Type', 'Labels', 'Meaning']
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function row({ name, type, labelNames, help }: Registered): readonly string[] {
  return [`\`${name}\``, String(type), labelNames.map((label) => `\`${label}\``).join(', '), help]
}
