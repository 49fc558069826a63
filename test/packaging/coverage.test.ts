// Is the catalogue of attacks true: does a test hold each entry, or a note say why none does?
import { expect, test } from 'vitest'
import { attackSections } from '../../scripts/documents/attacks.ts'
import { countAttacks } from '../../scripts/documents/coverage.ts'
import { holdingTests, readTags } from '../../scripts/documents/holding-tests.ts'

const attacks = attackSections.flatMap((section) => section.attacks)

test('every attack is held by a test, or says why none holds it, and hardly any is open', () => {
  const held = new Set(holdingTests().map(({ id }) => id))
  const unheld = attacks.filter(([id, , ...notes]) => !held.has(id) && notes.length === 0)
  expect(unheld).toEqual([])
  const { all, Open } = countAttacks()
  expect(Open).toBeLessThanOrEqual(all / 40)
})

test('every entry that a test names is in the catalogue, once', () => {
  const ids = attacks.map(([id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(holdingTests().filter(({ id }) => !ids.includes(id))).toEqual([])
})

test('a tag names the test or the row that it stands above', () => {
  const source = [
    '// holds: plain, second-one',
    "test('a test', () => {})",
    '  // holds: first-line',
    '  // holds: second-line',
    '  test.each(rows)(',
    '    "it\'s a %s", () => {})',
    '// holds: template',
    `it(\`a \${size} of \${name({ of: 1 })}\`, () => {})`,
    '  // holds: row',
    "  'a row': [1],",
    '  // holds: bare',
    "  TRACE: ['x'],",
  ].join('\n')
  expect(readTags(source).map(({ id, name }) => `${id}: ${name}`)).toEqual([
    'plain: a test',
    'second-one: a test',
    "first-line: it's a …",
    "second-line: it's a …",
    'template: a … of …',
    'row: a row',
    'bare: TRACE',
  ])
})

test('a tag above nothing is noticed', () => {
  expect(() => readTags('// holds: nothing\n})\n')).toThrow('nothing')
})
