// Where measurements go: JSON with every round, charts, and the tables between the markers of the page. What stands outside the
// markers is written by people.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Comparison, ratio } from '../compare/comparison.ts'
import type { Costs } from '../costs/costs.ts'
import { spreadOf } from '../figures.ts'
import { type Bar, barChart, type Chart } from './chart.ts'
import { comparisonTables, costTables } from './tables.ts'

/** `folder` holds performance.md and the folder performance. */
export function writeComparison(folder: string, comparison: Comparison): void {
  const { gates } = comparison
  const requests = gates.map((gate, index): Bar => {
    const spread = index === 0 ? { median: 1, low: 1, high: 1 } : inverse(ratio(gate, 'get'))
    return { label: gate.title, spread, text: `${spread.median.toFixed(2)} ×`, isOurs: index === 0 }
  })
  const waits = (which: 'p50' | 'p99') =>
    gates
      .filter(({ added }) => added.length > 0)
      .map(({ title, added }, index): Bar => {
        const spread = spreadOf(added.map((one) => one[which]))
        return { label: title, spread, text: `${spread.median.toFixed(2)} ms`, isOurs: index === 0 }
      })
  const note = '500 requests a second, above the direct connection'
  write(folder, 'comparison', comparison, comparisonTables(comparison), {
    requests: {
      title: 'Requests for each second of one core, Sidegate is 1',
      note: 'GET, 200 bytes, 64 connections, 5,000 tokens in turn',
      bars: requests,
    },
    'latency-p50': { title: 'Added latency, median', note, bars: waits('p50') },
    'latency-p99': { title: 'Added latency, 99th percentile', note, bars: waits('p99') },
  })
}

/** The same for the costs. */
export function writeCosts(folder: string, costs: Costs): void {
  const bars = costs.decisions.map(({ rules, routes, issuers, medianNs }): Bar => {
    const more = [rules > 0 && `${rules.toLocaleString('en')} rules`, routes > 1 && `${routes} routes`]
    const label = [...more, issuers > 1 && `${issuers} issuers`].filter(Boolean).join(', ')
    const text = `${(medianNs.median / 1000).toFixed(2)} µs`
    return { label: label || 'no rule, one route, one issuer', spread: medianNs, text, isOurs: true }
  })
  write(folder, 'costs', costs, costTables(costs), {
    decision: { title: 'A decision on a remembered token', note: 'median, in one process', bars },
  })
}

function write(
  folder: string,
  name: string,
  figures: object,
  tables: string,
  charts: Readonly<Record<string, Chart>>,
): void {
  const parts = join(folder, 'performance')
  mkdirSync(parts, { recursive: true })
  writeFileSync(join(parts, `${name}.json`), `${JSON.stringify(figures, undefined, 2)}\n`)
  for (const [file, chart] of Object.entries(charts)) writeFileSync(join(parts, `${file}.svg`), barChart(chart))
  const page = join(folder, 'performance.md')
  const images = Object.entries(charts).map(([file, { title }]) => `![${title}](performance/${file}.svg)`)
  writeFileSync(page, between(readFileSync(page, 'utf8'), name, [...images, tables].join('\n\n')))
}

/** The page with other text between the two markers of this name. Throws where they are missing. */
function between(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- measured: ${name} -->`, `<!-- end: ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`Cannot write the page: it has no markers "${begin}" and "${end}"`)
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`
}

/** How much another gate does, where ours is 1. */
function inverse(times = { median: Number.NaN, low: Number.NaN, high: Number.NaN }) {
  return { median: 1 / times.median, low: 1 / times.high, high: 1 / times.low }
}
