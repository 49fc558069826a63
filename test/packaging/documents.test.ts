import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { metricsPage } from '../../scripts/documents/metrics.ts'
import { reasonsPage } from '../../scripts/documents/reasons.ts'
import { jsonSchema } from '../../src/config/schema.ts'
import { injectorMetrics } from '../../src/kubernetes/injector/metrics.ts'
import { reasons, refusalSpec } from '../../src/model/refusal.ts'
import { leastRights } from '../../src/revocation/log/redis-rights.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'
import { configOf } from '../support/settings.ts'

const root = join(import.meta.dirname, '..', '..')
const pages = [
  root,
  join(root, 'docs'),
  join(root, 'docs', 'decisions'),
  join(root, 'deploy'),
  join(root, 'helm', 'sidegate'),
]
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

test('the least rights at Redis are printed as they are tested', () => {
  const page = readFileSync(join(root, 'docs', 'revocation.md'), 'utf8')
  const printed = page.split('\n').filter((line) => line.startsWith('ACL SETUSER'))
  expect(printed).toEqual([leastRights])
})

describe.each(pages)('%s', (path, text) => {
  test('links only to what is there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '')
    const missing = links.filter((target) => !existsSync(join(root, dirname(path), target)))
    expect(missing).toEqual([])
  })

  test('links only to sections that are there', () => {
    for (const [, target = '', section = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)) {
      const page = target === '' ? text : readFileSync(join(root, dirname(path), target), 'utf8')
      expect(sectionsOf(page), `${target}#${section}`).toContain(section)
    }
  })

  test('shows settings that load', () => {
    for (const [, block = ''] of text.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      if (/^issuers:/m.test(block)) configOf(block)
    }
  })

  test('names only settings that exist', () => {
    const settings = new Set(settingsOf(jsonSchema()))
    const named = [
      ...text.matchAll(/`((?:tls|admin|issuers\[\]|tokens|routes\[\]|revocation|forward|limits|log)\.\w[\w.]*)`/g),
    ]
    expect(named.map(([, name = '']) => name).filter((name) => !settings.has(name))).toEqual([])
  })

  test('names only metrics and reasons that exist', () => {
    const { registry } = createMetrics()
    const ofInjector = Object.values(injectorMetrics).map(({ name }) => name)
    const names = new Set([...registry.getMetricsAsArray().map(({ name }) => name), ...ofInjector])
    for (const [name] of text.matchAll(/\bsidegate_[a-z_]+\b/g))
      expect(names, name).toContain(name.replace(/_(?:bucket|sum|count)$/, ''))
    for (const [, reason] of text.matchAll(/urn:sidegate:refusal:([a-z_]+)/g)) expect(reasons).toContain(reason)
  })
})

/** The settings of a JSON Schema, such as `revocation.redis` and `issuers[].audiences`. */
function settingsOf(schema: object, at = ''): readonly string[] {
  const {
    properties = {},
    items,
    anyOf = [],
  } = schema as {
    properties?: Record<string, object>
    items?: object
    anyOf?: readonly object[]
  }
  return [
    at,
    ...Object.entries(properties).flatMap(([name, part]) => settingsOf(part, at === '' ? name : `${at}.${name}`)),
    ...(items === undefined ? [] : settingsOf(items, `${at}[]`)),
    ...anyOf.flatMap((part) => settingsOf(part, at)),
  ]
}

/** The names by which a page's headings and anchors can be linked to, as GitHub makes them. */
function sectionsOf(page: string): readonly string[] {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return [...headings, ...[...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)]
}
