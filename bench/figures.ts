// How figures are summed up and shown, the same for every measurement.

export interface Summary {
  readonly median: number
  readonly p99: number
  readonly max: number
  readonly count: number
}

/** The middle, the 99th percentile and the largest of some measurements. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN, count: sorted.length }
}

/** Prints rows of summaries in milliseconds under a title. */
export function printFigures(title: string, rows: readonly (readonly [name: string, summary: Summary])[]): void {
  console.log(`\n${title}`)
  for (const [name, { median, p99, max }] of rows) {
    const figures = [`p50 ${median.toFixed(2)} ms`, `p99 ${p99.toFixed(2)} ms`, `max ${max.toFixed(2)} ms`]
    console.log(`  ${name.padEnd(34)}${figures.join('   ')}`)
  }
}

/** The middle of some rounds, and between which they lie. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length / 2
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
  return { median, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN }
}

/** `3.41 (3.35–3.50)`, with so many digits after the point. */
export function formatSpread({ median, low, high }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
}
