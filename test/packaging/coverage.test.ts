// Is the table of attacks true: does each test that it names exist?
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { attackSections } from '../../scripts/documents/attacks.ts'
import { countAttacks, readEvidence } from '../../scripts/documents/coverage.ts'
import { reasons } from '../../src/model/refusal.ts'

const root = join(import.meta.dirname, '..', '..')
const sources = new Map<string, string>()

function sourceOf(file: string): string {
  const known = sources.get(file)
  if (known !== undefined) return known
  const path = join(root, file)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  sources.set(file, text)
  return text
}

/** Every text in the source that could be the name of a test, with its places to fill in as groups. */
function* names(source: string): Generator<RegExp> {
  for (const [, single, double, template] of source.matchAll(
    /'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\]|\\.)+)`/g,
  )) {
    const text = (single ?? double ?? template ?? '').replaceAll(/\\(.)/g, '$1')
    const parts = text.split(/\$\{[^}]*(?:\{[^}]*\}[^}]*)*\}|%[sij]/)
    yield new RegExp(`^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.+)')}$`, 's')
  }
}

/** A name is in the source as it is, or fits a template of it whose places are filled with words of the same file. */
function isNamed(source: string, name: string): boolean {
  const plain = source.replaceAll("\\'", "'")
  if (['"', "'", '`'].some((quote) => plain.includes(`${quote}${name}${quote}`))) return true
  for (const pattern of names(source)) {
    const match = pattern.exec(name)
    const fillings = match?.slice(1).map((filling) => filling.replaceAll(/^"|"$/g, ''))
    if (fillings?.every((filling) => isFilling(plain, filling))) return true
  }
  return false
}

/** Words of the same file, numbers, and the reasons, which tests take from their table. */
function isFilling(source: string, filling: string): boolean {
  return source.includes(filling) || /^\d+$/.test(filling) || reasons.some((reason) => reason === filling)
}

test('every test that the table of attacks names is there', () => {
  const missing: string[] = []
  for (const [, ...evidence] of attackSections.flatMap(({ attacks }) => attacks))
    for (const one of evidence) {
      const read = readEvidence(one)
      if (read.kind === 'Test' && !isNamed(sourceOf(read.file), read.name)) missing.push(`${read.file} › ${read.name}`)
    }
  expect(missing).toEqual([])
})

test('every attack has its evidence, and hardly any is open', () => {
  for (const [what, ...evidence] of attackSections.flatMap(({ attacks }) => attacks))
    expect(evidence.length, what).toBeGreaterThan(0)
  const { all, Open } = countAttacks()
  expect(Open).toBeLessThanOrEqual(all / 40)
})

test('a name that no test has is noticed', () => {
  const source = sourceOf('test/token/verify.test.ts')
  expect(isNamed(source, 'refuses alg none as algorithm_not_allowed')).toBe(true)
  expect(isNamed(source, 'refuses the weather as algorithm_not_allowed')).toBe(false)
  expect(isNamed(source, 'refuses alg none')).toBe(false)
})
