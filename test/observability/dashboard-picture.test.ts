// Draws docs/dashboard.png anew from real answers, where DASHBOARD_PICTURE names the file to write:
// DASHBOARD_PICTURE=docs/dashboard.png npx vitest run test/observability/dashboard-picture.test.ts
import { expect, test } from 'vitest'
import { dashboard } from '../../scripts/documents/dashboard.ts'
import { dashboardRows } from '../../scripts/documents/dashboard-panels.ts'
import { startBrowser } from '../support/browser.ts'
import { type DrawnPanel, type DrawnRow, type Line, pictureOf } from '../support/dashboard-picture.ts'
import { startObservedFleet } from '../support/observed-fleet.ts'
import type { Prometheus } from '../support/prometheus.ts'

const file = process.env.DASHBOARD_PICTURE
const ROUNDS = 80
const STEP_SECONDS = 2

interface Placed {
  readonly type: string
  readonly title: string
  readonly gridPos: DrawnPanel['place']
}

test.skipIf(file === undefined)(
  'a picture is drawn (skipped unless DASHBOARD_PICTURE names it)',
  { timeout: 400_000 },
  async () => {
    const fleet = await startObservedFleet()
    const browser = await startBrowser()
    try {
      const startSeconds = Date.now() / 1000
      for (let count = 0; count < ROUNDS; count++) {
        await fleet.round()
        await fleet.prometheus.scraped(1)
      }
      const { panels: placed } = JSON.parse(dashboard()) as { panels: readonly Placed[] }
      const panels: DrawnPanel[] = []
      for (const panel of dashboardRows.flatMap((row) => row.panels)) {
        const place = placed.find(({ title, type }) => title === panel.title && type !== 'row')?.gridPos
        if (place === undefined) throw new Error(`Cannot find the place of "${panel.title}"`)
        const lines: Line[] = []
        for (const { query, legend } of panel.targets)
          lines.push(...(await linesOf(fleet.prometheus, query, legend, startSeconds)))
        panels.push({ panel, place, lines })
      }
      const rows: readonly DrawnRow[] = placed
        .filter(({ type }) => type === 'row')
        .map(({ title, gridPos: { y } }) => ({ title, y }))
      const page = await browser.newPage({ viewport: { width: 24 * 64, height: 900 } })
      await page.setContent(pictureOf(rows, panels))
      await page.screenshot({ path: file ?? '', fullPage: true })
      expect(panels.every(({ lines }) => lines.length > 0)).toBe(true)
    } finally {
      await browser.close()
      await fleet.stop()
    }
  },
)

async function linesOf(prometheus: Prometheus, query: string, legend: string, start: number): Promise<readonly Line[]> {
  const parameters = new URLSearchParams({
    query: query.replaceAll('$__rate_interval', '20s').replaceAll(/\$(?:namespace|pod)\b/g, '.*'),
    start: String(start),
    end: String(Date.now() / 1000),
    step: String(STEP_SECONDS),
  })
  const { result } = (await prometheus.api(`query_range?${parameters}`)) as {
    result: readonly { metric: Record<string, string>; values: readonly [number, string][] }[]
  }
  return result.map(({ metric, values }) => ({
    name:
      legend === ''
        ? Object.values(metric).join(' ')
        : legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
    points: values.map(([time, value]) => [time, Number(value)] as const),
  }))
}
