import { execFileSync } from 'node:child_process'
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

describe('the figures of README.md are those that were measured', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const performance = readFileSync(join(root, 'docs', 'performance.md'), 'utf8')
  const reach = readFileSync(join(root, 'docs', 'scaling.md'), 'utf8')
  const section = (title: string) => performance.split(`### ${title}`)[1]?.split('\n### ')[0] ?? ''
  const rowOf = (text: string, name: string) => cellsOf(text).find(([first]) => first === name) ?? []
  const figureOf = (cell = '') => cell.split(' ')[0]
  const costs = cellsOf(readme.split('## What it costs')[1]?.split('\n## ')[0] ?? '').filter(([, verifies]) =>
    /^(?:once|each|no\b)/.test(verifies ?? ''),
  )

  test('there are rows to compare', () => expect(costs.length).toBeGreaterThan(4))

  test.each(costs)('%s', (name = '', _verifies, _revocation, requests, median, p99, idle) => {
    const [, measuredRequests] = rowOf(section('GET, an answer of 200 bytes'), name)
    const [, measuredMedian, measuredP99] = rowOf(section('Added latency at 500 requests a second'), name)
    const [, measuredIdle] = rowOf(section('Resident memory'), name)
    const inMs = (cell: string | undefined) => (cell === undefined ? '–' : `${figureOf(cell)} ms`)
    expect([requests, median, p99, idle]).toEqual([
      figureOf(measuredRequests),
      inMs(measuredMedian),
      inMs(measuredP99),
      `${figureOf(measuredIdle)} MiB`,
    ])
  })

  test('propagation and the memory under load', () => {
    const [gates, p50, p99, longest] = rowOf(reach.split('## How long a revocation takes')[1] ?? '', '50')
    const [, , loaded] = rowOf(section('Resident memory'), 'Sidegate')
    const prose = readme.replaceAll(/\s+/g, ' ')
    expect(prose).toContain(`With ${gates} gates on one Redis`)
    expect(prose).toContain(`after ${p50} (median), ${p99} (p99) and ${longest} (longest of 1,000)`)
    expect(prose).toContain(`up to ${loaded} MiB`)
  })
})

const printedCommands = pages.flatMap(([path, text]) =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    commandsIn(block).map((command) => [path, command] as const),
  ),
)

test('the pages print commands', () => expect(printedCommands.length).toBeGreaterThan(10))

test.each(printedCommands)('%s prints a command that exists: %s', (_path, command) => {
  const words = command.split(/\s+/)
  if (words[0] === 'npm') {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
    expect(Object.keys(scripts)).toContain(words[2])
    return
  }
  const name = words.slice(1, words[1] && /^(?:token|keys|revocations)$/.test(words[1]) ? 3 : 2)
  const text = helpOf(name)
  expect(text).toContain(`sidegate ${name.join(' ')}`)
  for (const [flag] of command.matchAll(/(?<=\s)--?[a-z][a-z-]*/g))
    expect(text, flag).toMatch(new RegExp(`(?<![\\w-])${flag}(?![\\w-])`))
})

const helps = new Map<string, string>()

/** What `sidegate <name> --help` prints. */
function helpOf(name: readonly string[]): string {
  const known = helps.get(name.join(' '))
  if (known !== undefined) return known
  const cli = join(root, 'src', 'cli.ts')
  const text = execFileSync(process.execPath, [cli, ...name, '--help'], { env: {}, encoding: 'utf8' })
  helps.set(name.join(' '), text)
  return text
}

/** The commands of Sidegate and the scripts of npm in a block for a shell, without what is piped after them. */
function commandsIn(block: string): readonly string[] {
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => line.replace(/(?:^|\s)#.*$/, '').split(/\||&&/))
    .map((part) => part.trim().replace(/^(?:npx )?node src\/cli\.ts /, 'sidegate '))
    .filter((part) => /^(?:sidegate |npm run \w)/.test(part))
}

/** The rows of the tables in a text, each as its cells. */
function cellsOf(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^\| (.+) \|$/gm)].map(([, row = '']) => row.split(' | ').map((cell) => cell.trim()))
}

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
