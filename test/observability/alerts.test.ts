// The alerts, judged by promtool: each fires where it should, stays quiet where it should not, says which pod it is about
// and leads to a section that exists.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALERTS_FILE, type AlertRule, hasProgram, readAlerts, unknownMetrics } from '../support/observability.ts'
import { type AlertStory, alertStories } from './alert-stories.ts'

const alerts = readAlerts()
const operations = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8')
const POD = { job: 'sidegate', instance: '10.0.0.7:9090', namespace: 'shop', pod: 'orders-0' }

test('every alert has a story, and there is none besides', () => {
  expect(Object.keys(alertStories)).toEqual(alerts.map(({ alert }) => alert))
})

describe.each(alerts.map((rule) => [rule.alert, rule] as const))('%s', (_, rule) => {
  test('says how bad it is, which pod it is about, what to do and where to read on', () => {
    expect(['critical', 'warning']).toContain(rule.labels.severity)
    expect(rule.for).toMatch(/^\d+[smh]$/)
    expect(rule.annotations.summary).toContain('{{ $labels.namespace }}/{{ $labels.pod }}: ')
    expect(rule.annotations.description?.length).toBeGreaterThan(80)
    expect(Object.keys(rule.annotations)).toEqual(['summary', 'description', 'runbook_url'])
  })

  test('leads to a section of its own that says what it means, what users feel and what to do', () => {
    const section = sectionOf(anchorOf(rule))
    expect(section).toContain(`\`${rule.alert}\``)
    for (const part of ['**Means**', '**Users feel**', '**Look at**', '**Mend**'])
      expect(section, anchorOf(rule)).toContain(part)
  })

  test('asks only for metrics that the gate has', () => {
    expect(unknownMetrics(rule.expr)).toEqual([])
  })
})

test('the table of alerts in the page of operations is that of the rules', () => {
  const rows = operations.split('\n').filter((line) => /^\| `Sidegate\w+`/.test(line))
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()))
  expect(cells.map(([, alert, severity, link]) => [alert, severity, /\(#(.+)\)/.exec(link ?? '')?.[1]])).toEqual(
    alerts.map((rule) => [`\`${rule.alert}\``, rule.labels.severity, anchorOf(rule)]),
  )
})

describe.skipIf(!hasProgram('promtool'))('promtool (skipped where it is not installed)', () => {
  test('takes the file for rules', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', ALERTS_FILE], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`${alerts.length} rules found`)
  })

  test('each alert fires where it should, and tells its value and its pod in words', { timeout: 120_000 }, () => {
    const stories = alerts.map((rule) => storyTest(rule, storyOf(rule).fires, true))
    expect(testRules(stories)).toBe('')
  })

  test('each alert stays quiet where all is well or another thing is wrong', { timeout: 120_000 }, () => {
    const stories = alerts.flatMap((rule) => storyOf(rule).stays.map((series) => storyTest(rule, series, false)))
    expect(testRules(stories)).toBe('')
  })
})

function storyOf({ alert }: AlertRule): AlertStory {
  const story = alertStories[alert]
  if (story === undefined) throw new Error(`Cannot find a story of "${alert}"`)
  return story
}

/** One case as promtool reads it. */
function storyTest(rule: AlertRule, series: Readonly<Record<string, string>>, isFiring: boolean): object {
  const { at = '30m', labels = {}, value = '' } = storyOf(rule)
  const all = { ...POD, ...labels }
  const fired = {
    exp_labels: { ...all, ...rule.labels },
    exp_annotations: Object.fromEntries(
      Object.entries(rule.annotations).map(([name, text]) => [name, rendered(text, all, value)]),
    ),
  }
  return {
    name: rule.alert,
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: ofPod(name), values })),
    alert_rule_test: [{ alertname: rule.alert, eval_time: at, exp_alerts: isFiring ? [fired] : [] }],
  }
}

function ofPod(series: string): string {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? []
  const pod = Object.entries(POD).map(([label, value]) => `${label}="${value}"`)
  return `${name}{${[...(labels === '' ? [] : [labels]), ...pod].join(',')}}`
}

/** The text of an annotation as the alert should tell it: nothing but labels and the value may be in its braces. */
function rendered(template: string, labels: Readonly<Record<string, string>>, value: string): string {
  return template
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')
    .replaceAll(/\{\{ \$value \| \w+ \}\}/g, value)
}

/** What promtool complains about; nothing where every case holds. */
function testRules(tests: readonly object[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-alerts-'))
  try {
    const file = join(folder, 'tests.yaml')
    writeFileSync(file, JSON.stringify({ rule_files: [ALERTS_FILE], evaluation_interval: '30s', tests }))
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })
    return status === 0 ? '' : `${stdout}${stderr}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function anchorOf({ annotations }: AlertRule): string {
  return annotations.runbook_url?.split('#')[1] ?? ''
}

/** The section of the page with this anchor, as GitHub makes it from the heading; empty where there is none. */
function sectionOf(anchor: string): string {
  const sections = operations.split(/^(?=##+ )/m)
  return (
    sections.find(
      (section) => (section.split('\n')[0] ?? '').replace(/^#+ /, '').toLowerCase().replaceAll(' ', '-') === anchor,
    ) ?? ''
  )
}
