// Which places of a YAML text have to be another text, so that it says something else? The fewest that can be told: a value,
// an entry, an item. Answers nothing where it cannot be done so (anchors, odd layouts); whoever applies the edits reads the
// result again before it is believed.
import { isDeepStrictEqual } from 'node:util'
import { isMap, isScalar, isSeq, type ParsedNode, stringify, type YAMLMap, type YAMLSeq } from 'yaml'
import { isTree, type Tree } from './nested-values.ts'

/** The text between two offsets is replaced by another. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** How the author lays out YAML. */
export interface Layout {
  /** Lists stand further to the right than the name that they belong to. */
  readonly isSequenceIndented: boolean
  readonly lineEnd: '\n' | '\r\n'
}

/** The layout that a text has; where it shows none, as kubectl prints it. */
export function layoutOf(text: string): Layout {
  const indented = /^( *)[\w"'./-]+:[ ]*(?:#.*)?\r?\n(?:\s*#.*\r?\n)*\1 +- /m.test(text)
  return { isSequenceIndented: indented, lineEnd: text.includes('\r\n') ? '\r\n' : '\n' }
}

/** The edits that make a node say `after` in place of `before`, which it says now. */
export function editsOf(
  text: string,
  node: ParsedNode,
  before: unknown,
  after: unknown,
  layout: Layout,
): readonly Edit[] | undefined {
  const source: Source = { text, layout }
  return nodeEdits(source, node, before, after)
}

interface Source {
  readonly text: string
  readonly layout: Layout
}

type Edits = readonly Edit[] | undefined

function nodeEdits(source: Source, node: unknown, before: unknown, after: unknown): Edits {
  if (isDeepStrictEqual(before, after)) return []
  if (isMap(node) && !node.flow && isTree(before) && isTree(after)) return mapEdits(source, node, before, after)
  if (isSeq(node) && !node.flow && Array.isArray(before) && Array.isArray(after))
    return sequenceEdits(source, node, before as unknown[], after as unknown[])
  return replacement(node, after)
}

/** A scalar, or a map or list in braces, in the place of another: on one line, which every place can take. */
function replacement(node: unknown, after: unknown): Edits {
  const range = (node as ParsedNode | null)?.range
  const isInline = isScalar(node) || ((isMap(node) || isSeq(node)) && node.flow)
  if (!range || !isInline || range[0] === range[1]) return undefined
  return [{ from: range[0], to: range[1], text: stringify(after, inlineStyle).trimEnd() }]
}

/** What YAML 1.1 would read in another way is put in quotes: kubectl reads it so. */
export const written = { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false } as const
const inlineStyle = { ...written, collectionStyle: 'flow' } as const

function mapEdits(source: Source, map: YAMLMap, before: Tree, after: Tree): Edits {
  const edits: (readonly Edit[] | undefined)[] = []
  const pairs = new Map(map.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : '', pair]))
  let previous: string | undefined
  for (const [name, value] of Object.entries(after)) {
    const pair = pairs.get(name)
    if (pair === undefined) edits.push(insertPair(source, map, previous, { [name]: value }))
    else {
      const inside = nodeEdits(source, pair.value, before[name], value)
      edits.push(inside ?? replacePair(source, map, name, value))
      previous = name
    }
  }
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) edits.push(removePair(source, map, name))
  return joined(edits)
}

function joined(edits: readonly Edits[]): Edits {
  return edits.every((edit) => edit !== undefined) ? edits.flat() : undefined
}

/** New entries come after the one that is before them; several after one are put there in their order. */
function insertPair(source: Source, map: YAMLMap, previous: string | undefined, entry: Tree): Edits {
  const first = keyStart(map, 0)
  if (first === undefined) return undefined
  const column = columnOf(source.text, first)
  if (previous === undefined) {
    const text = blockOf(source, entry, column)
    return [{ from: first, to: first, text: `${text}${source.layout.lineEnd}${' '.repeat(column)}` }]
  }
  const index = map.items.findIndex(({ key }) => isScalar(key) && key.value === previous)
  const end = lineEndAfter(source.text, lastOffset(map.items[index]))
  return [insertLines(source, end, `${' '.repeat(column)}${blockOf(source, entry, column)}`)]
}

function replacePair(source: Source, map: YAMLMap, name: string, value: unknown): Edits {
  const index = map.items.findIndex(({ key }) => isScalar(key) && key.value === name)
  const from = keyStart(map, index)
  if (from === undefined) return undefined
  const to = lineEndAfter(source.text, lastOffset(map.items[index]))
  const { lineEnd } = source.layout
  return [{ from, to, text: `${blockOf(source, { [name]: value }, columnOf(source.text, from))}${lineEnd}` }]
}

function removePair(source: Source, map: YAMLMap, name: string): Edits {
  const index = map.items.findIndex(({ key }) => isScalar(key) && key.value === name)
  const from = keyStart(map, index)
  if (from === undefined) return undefined
  const next = keyStart(map, index + 1)
  // The first entry may share its line with the dash of a list: what is behind it moves up.
  if (next !== undefined) return [{ from, to: next, text: '' }]
  return [{ from: lineStart(source.text, from), to: lineEndAfter(source.text, lastOffset(map.items[index])), text: '' }]
}

/** Items that have names are told apart by them, others by their place. */
function sequenceEdits(source: Source, list: YAMLSeq, before: readonly unknown[], after: readonly unknown[]): Edits {
  const isNamed = hasNames(before) && hasNames(after)
  if (!isNamed && before.length !== after.length) return undefined
  const nodeOf = (value: unknown, index: number): number =>
    isNamed ? before.findIndex((item) => nameIn(item) === nameIn(value)) : index
  const edits: Edits[] = []
  let previous: number | undefined
  for (const [index, value] of after.entries()) {
    const place = nodeOf(value, index)
    if (place < 0) edits.push(insertItem(source, list, previous, value))
    else {
      // Items that change places are told as a whole.
      if (previous !== undefined && place <= previous) return undefined
      edits.push(nodeEdits(source, list.items[place], before[place], value))
      previous = place
    }
  }
  const gone = isNamed ? before.filter((item) => !after.some((other) => nameIn(other) === nameIn(item))) : []
  // An empty list would have to be written in another way.
  if (gone.length > 0 && gone.length === before.length) return undefined
  for (const item of gone) edits.push(removeItem(source, list, before.indexOf(item)))
  return joined(edits)
}

function hasNames(items: readonly unknown[]): boolean {
  const names = items.map(nameIn)
  return names.every((name) => name !== undefined) && new Set(names).size === names.length
}

function nameIn(item: unknown): string | undefined {
  return isTree(item) && typeof item.name === 'string' ? item.name : undefined
}

function insertItem(source: Source, list: YAMLSeq, previous: number | undefined, value: unknown): Edits {
  const start = rangeOf(list)?.[0]
  if (start === undefined) return undefined
  const column = columnOf(source.text, start)
  const item = `- ${blockOf(source, value, column + 2)}`
  if (previous === undefined)
    return [{ from: start, to: start, text: `${item}${source.layout.lineEnd}${' '.repeat(column)}` }]
  const end = lineEndAfter(source.text, lastOffset(list.items[previous]))
  return [insertLines(source, end, `${' '.repeat(column)}${item}`)]
}

function removeItem(source: Source, list: YAMLSeq, index: number): Edits {
  const from = dashOf(source.text, list, index)
  if (from === undefined) return undefined
  const next = dashOf(source.text, list, index + 1)
  if (next !== undefined) return [{ from, to: next, text: '' }]
  return [
    { from: lineStart(source.text, from), to: lineEndAfter(source.text, lastOffset(list.items[index])), text: '' },
  ]
}

/** The dash before an item: the last one in the column of the list. */
function dashOf(text: string, list: YAMLSeq, index: number): number | undefined {
  const start = rangeOf(list)?.[0]
  const item = rangeOf(list.items[index])?.[0]
  if (start === undefined || item === undefined) return undefined
  if (index === 0) return start
  const column = columnOf(text, start)
  for (let line = lineStart(text, item); line > start; line = lineStart(text, line - 1))
    if (text.slice(line, line + column).trim() === '' && text[line + column] === '-') return line + column
  return undefined
}

/** The value as lines, all but the first indented, without the end of the last. */
function blockOf({ layout }: Source, value: unknown, column: number): string {
  const text = stringify(value, { ...written, indentSeq: layout.isSequenceIndented })
  return text
    .trimEnd()
    .split('\n')
    .map((line, index) => (index === 0 || line === '' ? line : ' '.repeat(column) + line))
    .join(layout.lineEnd)
}

function insertLines({ text, layout }: Source, at: number, lines: string): Edit {
  const isAfterLineEnd = at === 0 || text[at - 1] === '\n'
  return { from: at, to: at, text: isAfterLineEnd ? lines + layout.lineEnd : layout.lineEnd + lines }
}

function keyStart(map: YAMLMap, index: number): number | undefined {
  return rangeOf(map.items[index]?.key)?.[0]
}

function rangeOf(node: unknown): readonly number[] | undefined {
  return (node as ParsedNode | null | undefined)?.range ?? undefined
}

/** Where the content of a node or an entry ends: behind its last scalar, or its last brace. */
function lastOffset(part: unknown): number {
  if (isMap(part) && !part.flow && part.items.length > 0) return lastOffset(part.items.at(-1))
  if (isSeq(part) && !part.flow && part.items.length > 0) return lastOffset(part.items.at(-1))
  const range = rangeOf(part)
  if (range !== undefined) return range[1] ?? 0
  const { key, value } = part as { key: unknown; value: unknown }
  return Math.max(rangeOf(key)?.[1] ?? 0, value === null ? 0 : lastOffset(value))
}

/** Behind the end of the line in which the offset is; a block scalar ends behind its own last line. */
function lineEndAfter(text: string, offset: number): number {
  if (text[offset - 1] === '\n') return offset
  const end = text.indexOf('\n', offset)
  return end === -1 ? text.length : end + 1
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset)
}
