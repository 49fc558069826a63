// Counters and histograms that every request adds to. They find a series label by label; those of prom-client build a text of
// all labels for it on each call, which was a twentieth of what a request costs. They are read by its registry as its own are.

type Labels<L extends string> = Readonly<Record<L, string>>

interface Description<L extends string> {
  readonly name: string
  readonly help: string
  /** At least one. */
  readonly labelNames: readonly L[]
}

interface Value {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly metricName?: string
}

/** A metric as a registry of prom-client reads it. */
export interface Series<L extends string = string> extends Description<L> {
  readonly type: 'counter' | 'histogram'
  readonly aggregator: 'sum'
  readonly get: () => Promise<Omit<Series<L>, 'get'> & { readonly values: readonly Value[] }>
}

export interface Counter<L extends string> extends Series<L> {
  /** Adds one, or `count`; with 0 the series is there from then on. */
  readonly inc: (labels: Labels<L>, count?: number) => void
  /** Whether these labels have been counted. */
  readonly has: (labels: Labels<L>) => boolean
  /** How many series there are. */
  readonly size: () => number
}

export interface Histogram<L extends string> extends Series<L> {
  readonly observe: (labels: Labels<L>, value: number) => void
}

/** Makes a counter. */
export function createCounter<L extends string>(description: Description<L>): Counter<L> {
  const cells = createCells(description.labelNames, () => ({ count: 0 }))
  const values = () => cells.all().map(({ labels, cell }) => ({ labels, value: cell.count }))
  return {
    ...readable('counter', description, values),
    inc: (labels, count = 1) => {
      cells.of(labels).count += count
    },
    has: cells.has,
    size: () => cells.all().length,
  }
}

/** Makes a histogram with these upper bounds, in rising order; beyond the last is +Inf. */
export function createHistogram<L extends string>(
  description: Description<L>,
  bounds: readonly number[],
): Histogram<L> {
  const { name } = description
  const cells = createCells(description.labelNames, () => ({
    buckets: new Array<number>(bounds.length + 1).fill(0),
    sum: 0,
  }))
  const values = () =>
    cells.all().flatMap(({ labels, cell }) => {
      let count = 0
      const buckets = cell.buckets.map((inBucket, index): Value => {
        count += inBucket
        return {
          metricName: `${name}_bucket`,
          labels: { le: String(bounds[index] ?? '+Inf'), ...labels },
          value: count,
        }
      })
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: cell.sum },
        { metricName: `${name}_count`, labels, value: count },
      ]
    })
  return {
    ...readable('histogram', description, values),
    observe: (labels, value) => {
      const cell = cells.of(labels)
      let index = 0
      while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1
      cell.buckets[index] = (cell.buckets[index] ?? 0) + 1
      cell.sum += value
    },
  }
}

function readable<L extends string>(
  type: Series['type'],
  { name, help, labelNames }: Description<L>,
  values: () => readonly Value[],
): Series<L> {
  const fixed = { name, help, labelNames, type, aggregator: 'sum' as const }
  return { ...fixed, get: async () => ({ ...fixed, values: values() }) }
}

interface Cells<L extends string, Cell> {
  /** What is kept for these labels; made where it is not there yet. */
  readonly of: (labels: Labels<L>) => Cell
  readonly has: (labels: Labels<L>) => boolean
  readonly all: () => readonly { readonly labels: Labels<L>; readonly cell: Cell }[]
}

interface Branch<L extends string, Cell> {
  readonly next: Map<string, Branch<L, Cell>>
  leaf: { readonly labels: Labels<L>; readonly cell: Cell } | undefined
}

/** A tree with a level for each label: its values are known strings, so that no text is built and none is hashed anew. */
function createCells<L extends string, Cell>(labelNames: readonly L[], make: () => Cell): Cells<L, Cell> {
  const root: Branch<L, Cell> = { next: new Map(), leaf: undefined }
  const leaves: { readonly labels: Labels<L>; readonly cell: Cell }[] = []

  function of(labels: Labels<L>): Cell {
    let branch = root
    for (const name of labelNames) {
      const value = labels[name]
      let next = branch.next.get(value)
      if (next === undefined) {
        next = { next: new Map(), leaf: undefined }
        branch.next.set(value, next)
      }
      branch = next
    }
    if (branch.leaf === undefined) {
      branch.leaf = { labels: { ...labels }, cell: make() }
      leaves.push(branch.leaf)
    }
    return branch.leaf.cell
  }

  function has(labels: Labels<L>): boolean {
    let branch: Branch<L, Cell> | undefined = root
    for (const name of labelNames) branch = branch?.next.get(labels[name])
    return branch?.leaf !== undefined
  }

  return { of, has, all: () => leaves }
}
