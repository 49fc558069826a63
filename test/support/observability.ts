// The alerts and the dashboard as they are shipped, the programs of Prometheus, and the metrics that a query names.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'

const FILES = join(import.meta.dirname, '..', '..', 'helm', 'sidegate', 'files')
export const ALERTS_FILE = join(FILES, 'alerts.yaml')

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export function readAlerts(): readonly AlertRule[] {
  const { groups } = parse(readFileSync(ALERTS_FILE, 'utf8')) as { groups: readonly { rules: readonly AlertRule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

/** Whether this program of Prometheus is on this machine. */
export function hasProgram(name: 'prometheus' | 'promtool'): boolean {
  return spawnSync(name, ['--version']).status === 0
}

/** The metrics that a query names and the gate does not have; parts of histograms count as the histogram. */
export function unknownMetrics(query: string): readonly string[] {
  const known = new Set(
    createMetrics()
      .registry.getMetricsAsArray()
      .map(({ name }) => name),
  )
  const named = query.match(/\b(?:sidegate|nodejs|process)_\w+/g) ?? []
  return named.filter((name) => !known.has(name) && !known.has(name.replace(/_(?:bucket|sum|count)$/, '')))
}
