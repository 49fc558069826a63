// Which tests hold which entries of the catalogue of attacks? Read from the sources of the tests: a comment
// `// holds: <id>, <id>` stands above a test, or above the row of a table from which a test is made. The first text after it is
// what the page calls the test: its name, or what its row is about. Places to be filled in are shown as dots.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const TESTS = join(import.meta.dirname, '..', '..', 'test')
const TAGS = /^[ \t]*\/\/ holds: .+\n(?:[ \t]*\/\/ holds: .+\n)*/gm
/** A text in any quotes, or the bare name of a row at the beginning of a line. */
const FIRST_TEXT = /'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\]|\\.)+)`|^[ \t]*(\w+):/m

/** A test that holds an entry. */
export interface HoldingTest {
  readonly id: string
  /** Its file, from `test/` on. */
  readonly file: string
  readonly name: string
}

/** Every test that names an entry, in the order of the files. */
export function holdingTests(): readonly HoldingTest[] {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'))
  return files
    .toSorted()
    .flatMap((file) => readTags(readFileSync(join(TESTS, file), 'utf8')).map((tag) => ({ ...tag, file })))
}

/** The tags of one source. Throws where one has no text after it, and so names nothing. */
export function readTags(source: string): readonly { readonly id: string; readonly name: string }[] {
  return [...source.matchAll(TAGS)].flatMap(({ 0: tags, index }) => {
    const match = FIRST_TEXT.exec(source.slice(index + tags.length))
    if (match === null) throw new Error(`Cannot find the test that "${tags.trim()}" stands above`)
    const [, single, double, template, bare] = match
    const name = withDots(single ?? double ?? template ?? bare ?? '')
    return [...tags.matchAll(/[\w-]+(?=,|$)/gm)].map(([id]) => ({ id, name }))
  })
}

function withDots(text: string): string {
  return text.replaceAll(/%[sij]|\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').replaceAll(/\\(.)/g, '$1')
}
