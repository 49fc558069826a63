// Counters and histograms of our own: a registry of prom-client writes them as it writes its own.
import { Counter, Histogram, type Metric, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createCounter, createHistogram, type Series } from '../../../src/telemetry/metrics/series.ts'

const BOUNDS = [0.00005, 0.5, 1, 2.5]
const labelNames = ['method', 'code'] as const
const description = { name: 'things', help: 'Things', labelNames }

async function textOf(series: Series): Promise<string> {
  const registry = new Registry()
  registry.registerMetric(series as unknown as Metric)
  return await registry.metrics()
}

/** In any order: prom-client has an order of its own for the labels of a line. */
const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`))
    .sort()

const GET = { method: 'GET', code: '200' }
const POST = { method: 'POST', code: '200' }

describe('a counter', () => {
  it('is written as one of prom-client is', async () => {
    const [ours, theirs] = [createCounter(description), new Counter({ ...description, registers: [] })]
    for (const counter of [ours, theirs]) {
      counter.inc(POST, 0)
      counter.inc(GET)
      counter.inc({ code: '200', method: 'GET' }, 2)
    }
    const registry = new Registry()
    registry.registerMetric(theirs)
    expect(linesOf(await textOf(ours))).toEqual(linesOf(await registry.metrics()))
    expect(await textOf(ours)).toContain('things{method="GET",code="200"} 3')
  })

  it('keeps series apart whose labels only read alike when put together', async () => {
    const counter = createCounter(description)
    counter.inc({ method: 'a', code: 'bc' })
    counter.inc({ method: 'ab', code: 'c' })
    expect((await counter.get()).values.map(({ value }) => value)).toEqual([1, 1])
  })

  it('has no part in what becomes of the labels that it was given', async () => {
    const counter = createCounter(description)
    const labels = { ...GET }
    counter.inc(labels)
    labels.code = '500'
    expect((await counter.get()).values).toEqual([{ labels: GET, value: 1 }])
  })
})

describe('a histogram', () => {
  it('is written as one of prom-client is, a value on a bound belongs below it', async () => {
    const ours = createHistogram(description, BOUNDS)
    const theirs = new Histogram({ ...description, buckets: BOUNDS, registers: [] })
    for (const histogram of [ours, theirs])
      for (const value of [0, 0.00001, 0.5, 0.500001, 1, 2.5, 3, 1e9]) {
        histogram.observe(GET, value)
        histogram.observe(POST, value / 4)
      }
    const registry = new Registry()
    registry.registerMetric(theirs)
    expect(linesOf(await textOf(ours))).toEqual(linesOf(await registry.metrics()))
  })
})
