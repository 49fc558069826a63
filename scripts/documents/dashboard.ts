// The dashboard as a file for Grafana 10 and later, from the table of its panels: where each stands, how it is drawn, and the
// choices of data source, namespace and pod.
import { dashboardRows, type Panel, type Row } from './dashboard-panels.ts'

/** Grafana counts the width of a page in these. */
const COLUMNS = 24
const MOST_SMALL_IN_A_LINE = 8
const MOST_IN_A_LINE = 4
const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' }
/** Of Grafana 10; later ones read it and bring it up to date themselves. */
const SCHEMA_VERSION = 38

/** The text of helm/sidegate/files/dashboard.json. */
export function dashboard(): string {
  return `${JSON.stringify(
    {
      uid: 'sidegate',
      title: 'Sidegate',
      description: 'What the gates decide, how fresh their revocation lists are, and what they cost.',
      tags: ['sidegate'],
      schemaVersion: SCHEMA_VERSION,
      version: 1,
      editable: true,
      graphTooltip: 1,
      refresh: '30s',
      time: { from: 'now-1h', to: 'now' },
      timezone: 'browser',
      templating: { list: variables() },
      annotations: { list: [] },
      links: [],
      panels: placed(dashboardRows),
    },
    null,
    2,
  )}\n`
}

function variables(): readonly object[] {
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0 },
    choice('namespace', 'Namespace', 'label_values(sidegate_build_info, namespace)'),
    choice('pod', 'Pod', 'label_values(sidegate_build_info{namespace=~"$namespace"}, pod)'),
  ]
}

/** Several can be chosen; all of them also takes what has no such label. */
function choice(name: string, label: string, query: string): object {
  return {
    ...{ name, label, type: 'query', datasource: DATA_SOURCE, query: { query, refId: name }, definition: query },
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '.*', hide: 0 },
    current: { selected: true, text: ['All'], value: ['$__all'] },
  }
}

/** Rows one below the other, and their panels in lines of equal widths. */
function placed(rows: readonly Row[]): readonly object[] {
  const panels: object[] = []
  let y = 0
  for (const { title, panels: ofRow } of rows) {
    const id = () => panels.length + 1
    panels.push({ id: id(), type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 }, panels: [] })
    y += 1
    const isSmall = ofRow.every(({ kind }) => kind === 'stat')
    const h = isSmall ? 4 : 8
    const perLine = linesOf(ofRow.length, isSmall ? MOST_SMALL_IN_A_LINE : MOST_IN_A_LINE)
    for (const [index, panel] of ofRow.entries()) {
      const w = COLUMNS / perLine
      const gridPos = { x: (index % perLine) * w, y: y + Math.floor(index / perLine) * h, w, h }
      panels.push({ id: id(), ...panelOf(panel), gridPos })
    }
    y += Math.ceil(ofRow.length / perLine) * h
  }
  return panels
}

/** How many stand in a line: as few lines as there can be, as even as can be, and a part of the width. */
function linesOf(count: number, most: number): number {
  const even = Math.ceil(count / Math.ceil(count / most))
  return [1, 2, 3, 4, 6, 8].find((width) => width >= even) ?? most
}

function panelOf({ title, description, kind, unit, targets, warnAt, words, isStacked }: Panel): object {
  return {
    ...{ type: kind, title, description, datasource: DATA_SOURCE },
    targets: targets.map(({ query, legend }, index) => ({
      ...{ refId: String.fromCharCode('A'.charCodeAt(0) + index), datasource: DATA_SOURCE, expr: query },
      ...(kind === 'timeseries' ? { legendFormat: legend, range: true } : { instant: true, range: false }),
      ...(kind === 'table' && { format: 'table' }),
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(kind === 'timeseries' && { min: 0, custom: { fillOpacity: 10, ...(isStacked && STACKED) } }),
        ...(kind === 'stat' && { thresholds: { mode: 'absolute', steps: stepsOf(warnAt) } }),
        ...(words !== undefined && { mappings: [{ type: 'value', options: mappingOf(words) }] }),
      },
      overrides: [],
    },
    options: optionsOf(kind),
    ...(kind === 'table' && { transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }] }),
  }
}

const STACKED = { stacking: { mode: 'normal', group: 'A' } }

function optionsOf(kind: Panel['kind']): object {
  if (kind === 'table') return { showHeader: true }
  if (kind === 'timeseries')
    return {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    }
  return {
    colorMode: 'background',
    graphMode: 'none',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  }
}

function stepsOf(warnAt: Panel['warnAt']): readonly object[] {
  const green = { color: 'green', value: null }
  if (warnAt === undefined) return [green]
  const [orange, red] = warnAt
  return [green, ...(orange < red ? [{ color: 'orange', value: orange }] : []), { color: 'red', value: red }]
}

/** 1 is well, everything else is not. */
function mappingOf(words: Readonly<Record<number, string>>): object {
  return Object.fromEntries(
    Object.entries(words).map(([value, text], index) => [
      value,
      { text, color: value === '1' ? 'green' : 'red', index },
    ]),
  )
}
