import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { generatedFiles } from '../../scripts/generated-files.ts'
import { jsonSchema } from '../../src/config/schema.ts'
import { namedRows, settingRows } from '../../src/config/sources/flags.ts'
import { configOf } from '../support/settings.ts'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')

test.each(generatedFiles)('$path is what "npm run generate" writes', ({ path, content }) => {
  expect(readFileSync(join(root, path), 'utf8')).toBe(content())
})

test('the example of the page loads, and means what it says', () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  const config = configOf(example)
  expect(config.issuers[0]?.tokenTypes).toEqual(['at+jwt', 'JWT'])
  expect(config.refresh?.key).toEqual({ privateKeyFile: '/etc/sidegate/signing.pem', algorithm: 'ES256', keyId: 'k1' })
  // Every group of the table is shown in it.
  const given: unknown = parseDocument(example).toJS()
  expect(Object.keys(given as object)).toEqual(
    settingRows.filter((row) => row.path.length === 1).map((row) => row.name),
  )
})

test('the page names every setting, its variable, its flag and its sentence', () => {
  const isOnPage = (text: string | undefined) => page.includes(`\`${text}\``)
  for (const row of settingRows) {
    expect(isOnPage(row.path.at(-1)) || isOnPage(row.name), row.name).toBe(true)
    expect(row.description, row.name).not.toBe('')
    expect(page.includes(row.description), row.name).toBe(true)
  }
  for (const row of namedRows) {
    expect(isOnPage(row.environment), row.name).toBe(true)
    expect(isOnPage(`--${row.flag}`), row.name).toBe(true)
  }
})

describe('the JSON Schema', () => {
  const schema = jsonSchema()

  test('has a draft and a title, and closes every group', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Settings of Sidegate',
      additionalProperties: false,
      required: ['issuers'],
    })
    const open: string[] = []
    const walk = (part: unknown, path: string): void => {
      if (typeof part !== 'object' || part === null) return
      if ('properties' in part && !('additionalProperties' in part && part.additionalProperties === false))
        open.push(path)
      for (const [name, child] of Object.entries(part)) walk(child, `${path}/${name}`)
    }
    walk(schema, '')
    expect(open).toEqual([])
  })

  test('has every setting with its sentence and its default', () => {
    for (const row of settingRows) {
      let part: Record<string, unknown> = schema
      for (const name of row.path)
        part = (name === '[]' ? part.items : (part.properties as Record<string, unknown>)[name]) as Record<
          string,
          unknown
        >
      expect(part.description, row.name).toBe(row.description)
      if (!row.isGroup) expect(part.default, row.name).toEqual(row.default)
    }
  })

  test('shows nothing of how the messages are made', () => {
    expect(JSON.stringify(schema)).not.toMatch(/"(expects|kind|suggest|parse)"/)
  })
})
