// The names of the source files are measured by questions to a reader who sees nothing else: each answer names a file that is there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(import.meta.dirname, 'questions.md'), 'utf8')

test('there are twenty-five questions, and each has an answer that is there', () => {
  const answers = [...page.matchAll(/\b(\d+) `(src\/[^`]+)`/g)]
  expect(answers.map(([, number]) => Number(number))).toEqual(Array.from({ length: 25 }, (_, index) => index + 1))
  expect(page.match(/^\d+\. …/gm)).toHaveLength(25)
  expect(answers.map(([, , path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([])
})
