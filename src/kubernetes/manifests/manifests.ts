// What objects does a text hold, and how is the text with other objects in their place? One or several YAML documents, or
// JSON. Comments, order and layout of what does not change stay as they are; manifests.ts and its edits are the second door
// to yaml, as manifests have to be written back and settings never are.
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, LineCounter, type ParsedNode, parseAllDocuments, stringify } from 'yaml'
import { editsOf, type Layout, layoutOf, written } from './edits.ts'
import { isTree, listAt, type Tree } from './nested-values.ts'

const LARGEST_TEXT_BYTES = 16 * 1024 * 1024

/** An object of a text. */
export interface ManifestObject {
  readonly value: Tree
  /** The line at which it begins, from 1. */
  readonly line: number
}

export interface ManifestTrouble {
  readonly line: number
  readonly column: number
  readonly message: string
}

export interface Manifests {
  /** In the order of the text; the items of a List in its place. Empty where there are troubles. */
  readonly objects: readonly ManifestObject[]
  readonly troubles: readonly ManifestTrouble[]
  /** The text with these objects, as many as there are, in place of its own. */
  readonly withObjects: (objects: readonly Tree[]) => RewrittenText
}

export interface RewrittenText {
  readonly text: string
  /** The lines of documents whose comments and layout could not be kept. */
  readonly reformatted: readonly number[]
}

/** Reads a text. Never throws. */
export function readManifests(text: string): Manifests {
  if (Buffer.byteLength(text) > LARGEST_TEXT_BYTES) return unreadable(`Expected at most ${LARGEST_TEXT_BYTES} bytes`)
  const lines = new LineCounter()
  const documents = parse(text, lines)
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const troubles = documents.flatMap(({ errors }) =>
    errors.map(({ pos: [offset], message }) => ({ ...at(offset), message: explain(message, text) })),
  )
  if (troubles.length > 0) return { ...unreadable(''), troubles }
  const values = documents.map(readValue)
  if (values.includes(ENDLESS)) return unreadable('Cannot read YAML: its aliases go in circles or stand for too much')
  const places = documents.flatMap((document, index) => placesIn(values[index], document, index, at))
  return {
    objects: places.map(({ value, line }) => ({ value, line })),
    troubles: [],
    withObjects: (objects) => rewrite(text, documents, values, changedValues(values, places, objects), at),
  }
}

function unreadable(message: string): Manifests {
  return {
    objects: [],
    troubles: [{ line: 1, column: 1, message }],
    withObjects: () => {
      throw new TypeError('A text with troubles has no objects')
    },
  }
}

function parse(text: string, lineCounter?: LineCounter): readonly Document.Parsed[] {
  const parsed = parseAllDocuments(text, {
    // As kubectl reads: "yes" is true and 0644 a number, anchors and merge keys are allowed.
    version: '1.1',
    merge: true,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !isTime(tag)),
    prettyErrors: false,
    logLevel: 'error',
    ...(lineCounter === undefined ? {} : { lineCounter }),
  })
  return 'empty' in parsed ? [] : parsed
}

/** 22:22 and 2026-01-01 are texts to kubectl. */
function isTime(tag: { readonly tag: string; readonly format?: string }): boolean {
  return tag.format === 'TIME' || tag.tag === 'tag:yaml.org,2002:timestamp'
}

const ENDLESS = Symbol('endless')

/** The value of a document. The count of aliases is bounded, as a few lines can stand for gigabytes. */
function readValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 1000 }) as unknown
  } catch {
    return ENDLESS
  }
}

function explain(message: string, text: string): string {
  const [clause = message] = message.split('\n')
  const hint = text.includes('{{') ? '; a template has to be rendered first, as by "helm template"' : ''
  return `Cannot read YAML: ${clause.slice(0, 160)}${hint}`
}

interface Place extends ManifestObject {
  readonly document: number
  /** The place in the items of a List. */
  readonly item: number | undefined
}

type At = (offset: number) => { readonly line: number; readonly column: number }

function placesIn(value: unknown, document: Document.Parsed, index: number, at: At): readonly Place[] {
  if (!isTree(value)) return []
  const lineOf = (node: unknown) => at((node as ParsedNode | null)?.range[0] ?? 0).line
  const isList = typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items)
  if (!isList) return [{ value, line: lineOf(document.contents), document: index, item: undefined }]
  const items = isMap(document.contents) ? document.contents.get('items', true) : undefined
  return listAt(value, 'items').flatMap((item, position) =>
    isTree(item) ? [{ value: item, line: lineOf(nodeAt(items, position)), document: index, item: position }] : [],
  )
}

function nodeAt(list: unknown, position: number): unknown {
  return (list as { items?: readonly unknown[] } | undefined)?.items?.[position]
}

function changedValues(
  values: readonly unknown[],
  places: readonly Place[],
  objects: readonly Tree[],
): readonly unknown[] {
  const changed = [...values]
  for (const [index, { document, item, value }] of places.entries()) {
    const object = objects[index] ?? value
    if (isDeepStrictEqual(object, value)) continue
    const whole = changed[document]
    if (item === undefined || !isTree(whole)) changed[document] = object
    else changed[document] = { ...whole, items: listAt(whole, 'items').with(item, object) }
  }
  return changed
}

function rewrite(
  text: string,
  documents: readonly Document.Parsed[],
  before: readonly unknown[],
  after: readonly unknown[],
  at: At,
): RewrittenText {
  const layout = layoutOf(text)
  const reformatted: number[] = []
  let rewritten = text
  // From the last to the first, so that the places of those before stay where they are.
  for (const [index, document] of [...documents.entries()].toReversed()) {
    if (isDeepStrictEqual(before[index], after[index])) continue
    const { contents } = document
    if (contents === null) continue
    const edited = inPlace(rewritten, contents, before[index], after[index], layout)
    if (edited !== undefined && isDeepStrictEqual(parse(edited).map(readValue)[index], after[index])) rewritten = edited
    else {
      reformatted.unshift(at(contents.range[0]).line)
      rewritten =
        rewritten.slice(0, contents.range[0]) + whole(after[index], layout) + rewritten.slice(contents.range[2])
    }
  }
  return { text: rewritten, reformatted }
}

function inPlace(
  text: string,
  contents: ParsedNode,
  before: unknown,
  after: unknown,
  layout: Layout,
): string | undefined {
  // JSON: there is no layout but indentation.
  if (isMap(contents) && contents.flow) {
    const indented = text.slice(contents.range[0], contents.range[1]).includes('\n')
    const json = JSON.stringify(after, null, indented ? 2 : undefined)
    return text.slice(0, contents.range[0]) + json + text.slice(contents.range[1])
  }
  const edits = editsOf(text, contents, before, after, layout)
  return edits
    ?.toSorted((one, other) => other.from - one.from)
    .reduce((edited, { from, to, text: inserted }) => edited.slice(0, from) + inserted + edited.slice(to), text)
}

function whole(value: unknown, { isSequenceIndented }: Layout): string {
  return stringify(value, { ...written, indentSeq: isSequenceIndented })
}
