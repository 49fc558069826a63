// The dashboard as a page that a browser can draw: each panel in its place, with what Prometheus answered to its queries. It
// is not Grafana, and the page says so.
import type { Panel } from '../../scripts/documents/dashboard-panels.ts'

export interface Line {
  readonly name: string
  /** Times in seconds, ascending. */
  readonly points: readonly (readonly [time: number, value: number])[]
}

export interface DrawnPanel {
  readonly panel: Pick<Panel, 'title' | 'kind' | 'unit' | 'warnAt' | 'words'>
  /** In units of the dashboard: 24 are the width of the page. */
  readonly place: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly lines: readonly Line[]
}

export interface DrawnRow {
  readonly title: string
  readonly y: number
}

const UNIT_WIDTH = 64
const UNIT_HEIGHT = 26
const COLORS = ['#73bf69', '#f2cc0c', '#5794f2', '#ff780a', '#f2495c', '#b877d9', '#8ab8ff', '#96d98d', '#ffa6b0']
const NOTE =
  'Drawn from the answers of a Prometheus to the queries of the dashboard, after two minutes of small traffic to four gates; not by Grafana.'

/** The page; its width is 24 units. */
export function pictureOf(rows: readonly DrawnRow[], panels: readonly DrawnPanel[]): string {
  const bottom = Math.max(...panels.map(({ place }) => place.y + place.h)) * UNIT_HEIGHT
  const titles = rows.map(({ title, y }) => `<h2 style="top:${y * UNIT_HEIGHT}px">${escaped(title)}</h2>`)
  return `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #111217; color: #ccccdc; font: 11px sans-serif; width: ${24 * UNIT_WIDTH}px; height: ${bottom + 30}px; position: relative }
section { position: absolute; background: #181b1f; border: 1px solid #2c3235; box-sizing: border-box; overflow: hidden }
h2 { position: absolute; left: 6px; margin: 5px 0; font-size: 14px } h3 { margin: 5px 8px; font-size: 12px }
b { display: block; text-align: center; font-size: 24px } p { margin: 0 8px; line-height: 14px; height: 28px; overflow: hidden }
i { font-style: normal; margin-right: 8px } footer { position: absolute; bottom: 8px; left: 8px }
table { margin: 4px 8px; border-spacing: 12px 4px; text-align: left }
</style>${titles.join('')}${panels.map(drawn).join('')}<footer>${NOTE}</footer>`
}

function drawn({ panel, place, lines }: DrawnPanel): string {
  const [width, height] = [place.w * UNIT_WIDTH - 6, place.h * UNIT_HEIGHT - 6]
  const style = `left:${place.x * UNIT_WIDTH + 3}px;top:${place.y * UNIT_HEIGHT + 3}px;width:${width}px;height:${height}px`
  const head = `<h3>${escaped(panel.title)}</h3>`
  if (panel.kind === 'stat') {
    const value = lines[0]?.points.at(-1)?.[1]
    return `<section style="${style};background:${colorOf(panel, value)};color:#fff">${head}<b>${told(panel, value)}</b></section>`
  }
  if (panel.kind === 'table') {
    const cells = lines.map(({ name, points }) => `<tr><td>${escaped(name)}<td>${points.at(-1)?.[1] ?? ''}`)
    return `<section style="${style}">${head}<table>${cells.join('')}</table></section>`
  }
  return `<section style="${style}">${head}${chart(panel, lines, width, height - 62)}<p>${legend(lines)}</p></section>`
}

function chart(panel: DrawnPanel['panel'], lines: readonly Line[], width: number, height: number): string {
  const points = lines.flatMap((line) => line.points).filter(([, value]) => Number.isFinite(value))
  const [from, to] = [Math.min(...points.map(([time]) => time)), Math.max(...points.map(([time]) => time))]
  const most = Math.max(...points.map(([, value]) => value)) || 1
  const left = 56
  const x = (time: number) => left + ((time - from) / (to - from || 1)) * (width - left - 10)
  const y = (value: number) => 6 + (1 - value / most) * (height - 12)
  const grid = [0, 0.5, 1].map(
    (share) =>
      `<line x1="${left}" x2="${width - 10}" y1="${y(share * most)}" y2="${y(share * most)}" stroke="#2c3235"/>` +
      `<text x="${left - 6}" y="${y(share * most) + 4}" fill="#8e8e9e" font-size="10" text-anchor="end">${told(panel, share * most)}</text>`,
  )
  const paths = lines.map((line, index) => {
    const known = line.points.filter(([, value]) => Number.isFinite(value))
    const path = known.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
    return `<polyline points="${path}" fill="none" stroke="${colorAt(index)}" stroke-width="1.5"/>`
  })
  return `<svg width="${width}" height="${height}">${grid.join('')}${paths.join('')}</svg>`
}

function legend(lines: readonly Line[]): string {
  return lines
    .map(({ name }, index) => `<i><span style="color:${colorAt(index)}">▬</span> ${escaped(name)}</i>`)
    .join('')
}

function colorAt(index: number): string {
  return COLORS[index % COLORS.length] ?? '#ccccdc'
}

function colorOf({ warnAt, words }: DrawnPanel['panel'], value: number | undefined): string {
  if (value === undefined) return '#2c3235'
  if (words !== undefined) return value === 1 ? '#37872d' : '#c4162a'
  if (warnAt === undefined || value < warnAt[0]) return '#37872d'
  return value < warnAt[1] ? '#e0752d' : '#c4162a'
}

function told({ unit, words }: DrawnPanel['panel'], value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return 'No data'
  if (words?.[value] !== undefined) return words[value]
  if (unit === 'percentunit') return `${(value * 100).toPrecision(3)}%`
  if (unit === 'bytes') return `${(value / 1024 / 1024).toPrecision(3)} MiB`
  const suffix = unit === 'reqps' ? ' req/s' : unit === 'ops' ? ' /s' : ''
  if (unit !== 's') return `${Number(value.toPrecision(3))}${suffix}`
  if (value === 0 || value >= 1) return `${Number(value.toPrecision(3))} s`
  return value < 0.001 ? `${Number((value * 1e6).toPrecision(3))} µs` : `${Number((value * 1e3).toPrecision(3))} ms`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
