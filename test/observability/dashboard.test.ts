// The dashboard: it asks only for metrics that the gate has, and a real Prometheus that scraped real gates under traffic of
// every kind answers each of its queries. The alerts run in the same Prometheus.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dashboard } from '../../scripts/documents/dashboard.ts'
import { dashboardRows } from '../../scripts/documents/dashboard-panels.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'
import { hasProgram, readAlerts, unknownMetrics } from '../support/observability.ts'
import { type ObservedFleet, startObservedFleet } from '../support/observed-fleet.ts'

// A scrape that comes too late on a busy machine leaves a gap of one moment.
const POLL = { timeout: 15_000 }

const queries = dashboardRows.flatMap(({ panels }) =>
  panels.flatMap(({ title, targets }) =>
    targets.map(({ query, legend }) => [`${title}: ${legend || 'value'}`, query] as const),
  ),
)
const panels = dashboardRows.flatMap((row) => row.panels)

test.each(queries)('"%s" asks only for metrics that the gate has', (_, query) => {
  expect(unknownMetrics(query)).toEqual([])
  expect(query).toMatch(/sidegate_|Sidegate/)
})

test('every metric of the gate is on the dashboard or in an alert', () => {
  const asked = [...queries.map(([, query]) => query), ...readAlerts().map(({ expr }) => expr)].join('\n')
  const ours = createMetrics()
    .registry.getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => name.startsWith('sidegate_'))
  // Shown by the decisions, by their label `decision`.
  expect(ours.filter((name) => !asked.includes(name))).toEqual(['sidegate_shadow_refusals_total'])
})

test('no two panels have the same title, and each says what it shows', () => {
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  for (const { title, description } of panels)
    expect([title, description]).toEqual([title, expect.stringMatching(/\.$/)])
})

test('panels have an id each, stay in the width of the page and do not cover each other', () => {
  const { panels: placed } = JSON.parse(dashboard()) as {
    panels: readonly { id: number; gridPos: { x: number; y: number; w: number; h: number } }[]
  }
  expect(new Set(placed.map(({ id }) => id)).size).toBe(placed.length)
  const taken = new Set<string>()
  for (const { id, gridPos } of placed)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect([id, x < 24, taken.has(`${x} ${y}`)]).toEqual([id, true, false])
        taken.add(`${x} ${y}`)
      }
})

describe.skipIf(!hasProgram('prometheus'))('a real Prometheus (skipped where it is not installed)', () => {
  let fleet: ObservedFleet
  beforeAll(async () => {
    fleet = await startObservedFleet()
    for (let count = 0; count < 4; count++) await fleet.round()
  })
  afterAll(() => fleet?.stop())

  const filled = (query: string) =>
    query.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:namespace|pod)\b/g, '.*')

  // The first: its answer is whole only while the traffic of before is in the window of the query.
  test('what happened is told by reason, and what was chosen narrows it down', async () => {
    const query = panels.find(({ title }) => title === 'Refusals and errors by reason')?.targets[0]?.query ?? ''
    const reasonsOf = async (pod: string) =>
      (await fleet.prometheus.query(filled(query.replaceAll('$pod', pod))))
        .map(({ metric }) => metric.reason)
        .toSorted()
    const all = ['key_unknown', 'token_expired', 'token_missing', 'token_revoked', 'upstream_failed']
    await expect.poll(() => reasonsOf('orders-0'), POLL).toEqual(all)
    await expect.poll(() => reasonsOf('orders-[01]'), POLL).toEqual(all)
    expect(await reasonsOf('another')).toEqual([])
  })

  test.each(queries)('"%s" has an answer', async (_, query) => {
    const answers = async () =>
      (await fleet.prometheus.query(filled(query))).filter(({ value }) => Number.isFinite(value)).length
    await expect.poll(answers, POLL).toBeGreaterThan(0)
  })

  test.each([
    ['Gates', 4],
    ['In shadow mode', 1],
    // Two of them have none.
    ['List', 0],
    ['Degraded', 0],
  ])('the panel "%s" shows %d', async (title, shown) => {
    const query = panels.find((panel) => panel.title === title)?.targets[0]?.query ?? ''
    const values = async () => (await fleet.prometheus.query(filled(query))).map(({ value }) => value)
    await expect.poll(values, POLL).toEqual([shown])
  })

  test('every alert is evaluated without an error', async () => {
    const { groups } = (await fleet.prometheus.api('rules')) as {
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.map(({ name }) => name).toSorted()).toEqual(
      readAlerts()
        .map(({ alert }) => alert)
        .toSorted(),
    )
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
  })

  test.each([
    ['SidegateNotEnforcing', ['orders-1']],
    ['SidegateListNotSynced', ['orders-2']],
    ['SidegateRedisDown', ['orders-2']],
    ['SidegateListStale', []],
    ['SidegateDegradedDecisions', []],
    ['SidegateKeysStale', []],
    ['SidegateReloadFailed', []],
    ['SidegateInternalError', []],
  ])('the alert %s is under way for %j', async (alert, pods) => {
    const podsOf = async () =>
      (await fleet.prometheus.query(`ALERTS{alertname="${alert}"}`)).map(({ metric }) => metric.pod)
    await expect.poll(podsOf, POLL).toEqual(pods)
  })
})
