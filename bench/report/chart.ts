// Bars beside their names, as an SVG that can be read on light and on dark pages. The thin line over a bar shows between which
// values the rounds lay.
import type { Spread } from '../figures.ts'

export interface Bar {
  readonly label: string
  readonly spread: Spread
  /** What stands behind the bar. */
  readonly text: string
  readonly isOurs?: boolean
}

export interface Chart {
  readonly title: string
  readonly note: string
  readonly bars: readonly Bar[]
}

const WIDTH = 760
const LEFT = 230
const RIGHT = 120
const TOP = 62
const ROW = 30
const THICKNESS = 16

const style = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .note { fill: #59636e; }
    .bar { fill: #8c959f; }
    .ours { fill: #0969da; }
    .spread { stroke: #1f2328; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .note { fill: #9198a1; }
      .bar { fill: #656c76; }
      .ours { fill: #4493f8; }
      .spread { stroke: #f0f6fc; }
    }`

/** The whole file. Values below nothing are drawn as nothing. */
export function barChart({ title, note, bars }: Chart): string {
  const height = TOP + bars.length * ROW + 10
  const most = Math.max(...bars.map(({ spread }) => spread.high))
  const at = (value: number) => Number(((Math.max(0, value) / most) * (WIDTH - LEFT - RIGHT)).toFixed(1))
  const rows = bars.map(({ label, spread, text, isOurs }, index) => {
    const top = TOP + index * ROW
    const middle = top + THICKNESS / 2
    const end = LEFT + at(spread.high)
    return `  <text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escapeText(label)}</text>
  <rect class="bar${isOurs ? ' ours' : ''}" x="${LEFT}" y="${top}" width="${at(spread.median)}" height="${THICKNESS}" rx="2"/>
  <line class="spread" x1="${LEFT + at(spread.low)}" x2="${end}" y1="${middle}" y2="${middle}"/>
  <text x="${end + 8}" y="${middle + 4}">${escapeText(text)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">
  <style>${style}
  </style>
  <text class="title" x="10" y="22">${escapeText(title)}</text>
  <text class="note" x="10" y="42">${escapeText(note)}</text>
${rows.join('\n')}
</svg>
`
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
