// The metrics of several processes as those of one gate.
import { expect, it } from 'vitest'
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics/metrics.ts'
import { createTotals, measurementsOf } from '../../../src/telemetry/metrics/totals.ts'
import { sumOf } from '../../support/gateway.ts'

const measure = async (change: (metrics: Metrics) => void) => {
  const metrics = createMetrics()
  change(metrics)
  // As it comes out of another process
  return structuredClone(await measurementsOf(metrics.registry))
}
const counting = (count: number) =>
  measure((metrics) => {
    metrics.requests.inc({ method: 'GET', code: '200', decision: 'permit' }, count)
    for (let i = 0; i < count; i++) metrics.requestDuration.observe({ decision: 'permit' }, 0.002)
    metrics.workers.set(1)
    metrics.revocationRules.set({ kind: 'token' }, 5)
    metrics.revocationLastHeard.set(1000 + count)
  })

it('counts and sizes are added, and of what each says the worst is told', async () => {
  const totals = createTotals()
  totals.put(1, await counting(3))
  totals.put(2, await counting(4))
  const text = await totals.text([])
  expect(sumOf(text, 'sidegate_requests_total', { decision: 'permit' })).toBe(7)
  expect(sumOf(text, 'sidegate_request_duration_seconds_bucket', { decision: 'permit', le: '0.005' })).toBe(7)
  expect(sumOf(text, 'sidegate_request_duration_seconds_bucket', { decision: 'permit', le: '0.001' })).toBe(0)
  expect(sumOf(text, 'sidegate_workers', {})).toBe(2)
  expect(sumOf(text, 'sidegate_revocation_rules', { kind: 'token' })).toBe(5)
  expect(sumOf(text, 'sidegate_revocation_last_heard_timestamp_seconds', {})).toBe(1003)
})

it('what an ended process had counted stays, what it held does not, and no counter goes down', async () => {
  const totals = createTotals()
  totals.put(1, await counting(3))
  totals.put(2, await counting(4))
  for (const worker of [2, 1]) totals.leave(worker)
  totals.put(3, await counting(1))
  const text = await totals.text([])
  expect(sumOf(text, 'sidegate_requests_total', { decision: 'permit' })).toBe(8)
  expect(sumOf(text, 'sidegate_request_duration_seconds_count', { decision: 'permit' })).toBe(8)
  expect(sumOf(text, 'sidegate_workers', {})).toBe(1)
  expect(sumOf(text, 'sidegate_revocation_last_heard_timestamp_seconds', {})).toBe(1001)
})

it('has the same series with the same types as one process has', async () => {
  const metrics = createMetrics()
  const totals = createTotals()
  totals.put(1, structuredClone(await measurementsOf(metrics.registry)))
  totals.put(2, structuredClone(await measurementsOf(metrics.registry)))
  const typesOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('# TYPE'))
      .sort()
  expect(typesOf(await totals.text([]))).toEqual(typesOf(await metrics.registry.metrics()))
})

it('takes of a process only what is wanted', async () => {
  const wanted = await measurementsOf(createMetrics().registry, (name) => name.startsWith('process_cpu_user'))
  expect(wanted.map(({ name }) => name)).toEqual(['process_cpu_user_seconds_total'])
})
