// Characters that a terminal would act on, or that nobody sees, are spelled out; all others stay.
import { expect, test } from 'vitest'
import { visibleLine, visibleText } from '../../src/model/visible-text.ts'

test.each([
  ['\u202e', '\\u202e'],
  ['\u2066', '\\u2066'],
  ['\u200b', '\\u200b'],
  ['\u200f', '\\u200f'],
  ['\u061c', '\\u061c'],
  ['\ufeff', '\\ufeff'],
  ['\u00ad', '\\u00ad'],
  ['\u009b', '\\u009b'],
  ['\u001b[2J', '\\u001b[2J'],
  ['\r', '\\u000d'],
  ['\b', '\\u0008'],
  ['\u{e0041}', '\\udb40\\udc41'],
])('%j', (given, shown) => expect(visibleText(`a${given}b`)).toBe(`a${shown}b`))

test.each(['plain', 'two\nlines', 'é ß 中 ✓ 😀', '"quoted" \\ %'])('%j stays', (text) =>
  expect(visibleText(text)).toBe(text),
)

test('JSON keeps its meaning', () => {
  const value = { 'na\u202eme': ['\u2066', 1, null, { a: '\u0085' }] }
  expect(JSON.parse(visibleText(JSON.stringify(value)))).toEqual(value)
})

test('a line keeps its colours', () => {
  expect(visibleLine('\u001b[32mINFO\u001b[39m a\u202eb\u009b')).toBe('\u001b[32mINFO\u001b[39m a\\u202eb\\u009b')
})
