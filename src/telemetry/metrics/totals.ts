// The metrics of several processes as those of one gate. A counter never goes down: what a process had counted when it was
// last asked stays in the sum after it has ended, else Prometheus would take its end for a burst.
import { AggregatorRegistry, type Registry } from 'prom-client'

/** One metric with its values, as it goes from process to process. */
interface Measurement {
  readonly name: string
  readonly type: unknown
}
export type Measurements = readonly Measurement[]

/** How the metrics of prom-client itself are put together, where its own way tells less: the worst loop, the first start. */
const TOGETHER: readonly (readonly [name: RegExp, aggregator: 'max' | 'min'])[] = [
  [/^nodejs_eventloop_lag_(?!min)/, 'max'],
  [/^process_start_time_seconds$/, 'min'],
]

export interface Totals {
  /** Takes what a process counts at this moment, instead of what it counted before. */
  readonly put: (worker: number, measurements: Measurements) => void
  /** Keeps what the process had counted, and forgets the state that it was in. */
  readonly leave: (worker: number) => void
  /** The text of the metrics of all, `more` included. */
  readonly text: (more: Measurements) => Promise<string>
}

/** What this registry counts at this moment, or those metrics alone whose names are wanted. */
export async function measurementsOf(
  registry: Registry,
  isWanted: (name: string) => boolean = () => true,
): Promise<Measurements> {
  const metrics = await registry.getMetricsAsJSON()
  return metrics
    .filter(({ name }) => isWanted(name))
    .map((metric) => {
      const [, aggregator = metric.aggregator] = TOGETHER.find(([name]) => name.test(metric.name)) ?? []
      return { ...metric, aggregator }
    })
}

/** Makes the sum, empty. */
export function createTotals(): Totals {
  const latest = new Map<number, Measurements>()
  let departed: Measurements = []
  return {
    put: (worker, measurements) => {
      latest.set(worker, measurements)
    },
    leave: (worker) => {
      const counted = (latest.get(worker) ?? []).filter(({ type }) => type === 'counter' || type === 'histogram')
      latest.delete(worker)
      departed = sum([departed, counted]).getMetricsAsArray()
    },
    text: (more) => sum([...latest.values(), more, departed]).metrics(),
  }
}

function sum(all: readonly Measurements[]): Registry {
  return AggregatorRegistry.aggregate(all.map((measurements) => [...measurements]))
}
