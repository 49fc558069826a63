import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { metricsPage } from '../../scripts/documents/metrics.ts'
import { reasonsPage } from '../../scripts/documents/reasons.ts'
import { reasons, refusalSpec } from '../../src/model/refusal.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { configOf } from '../support/settings.ts'

const root = join(import.meta.dirname, '..', '..')
const pages = [root, join(root, 'docs'), join(root, 'docs', 'decisions'), join(root, 'deploy')]
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.md'))
  .map((path) => [relative(root, path), readFileSync(path, 'utf8')] as const)

test('every reason is in the table, with its status and its sentence', () => {
  const page = reasonsPage()
  for (const reason of reasons) {
    const { status, sentence } = refusalSpec(reason)
    expect(page).toMatch(new RegExp(`<a id="${reason}"></a>\`${reason}\` \\| ${status} \\| .*\\| ${sentence} \\|`))
  }
})

test('every metric is in the table, with its type and its labels', async () => {
  const page = metricsPage()
  const { registry } = createMetrics()
  for (const { name, type } of await registry.getMetricsAsJSON())
    if (name.startsWith('sidegate_')) expect(page).toContain(`| \`${name}\` | ${type} |`)
  expect(page).toContain('| `sidegate_requests_total` | counter | `method`, `code`, `decision` |')
})

describe.each(pages)('%s', (path, text) => {
  test('links only to what is there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '')
    const missing = links.filter((target) => !existsSync(join(root, dirname(path), target)))
    expect(missing).toEqual([])
  })

  test('shows settings that load', () => {
    for (const [, block = ''] of text.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      if (/^issuers:/m.test(block)) configOf(block)
    }
  })

  test('names only metrics and reasons that exist', () => {
    const { registry } = createMetrics()
    const names = new Set(registry.getMetricsAsArray().map(({ name }) => name))
    for (const [name] of text.matchAll(/\bsidegate_[a-z_]+\b/g))
      expect(names, name).toContain(name.replace(/_(?:bucket|sum|count)$/, ''))
    for (const [, reason] of text.matchAll(/urn:sidegate:refusal:([a-z_]+)/g)) expect(reasons).toContain(reason)
  })
})
