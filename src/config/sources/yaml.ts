// What does a text in YAML say, and where does it say it? YAML 1.2 only, no merge keys, no tags of its own, aliases and
// size bounded, so that one text has one meaning and reading it costs little. Decides nothing about settings.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import { quote } from '../value-types/quote.ts'

/** The largest text that is read, in bytes: 1 MiB. */
const LARGEST_TEXT_BYTES = 1_048_576

/** One text has one meaning: YAML 1.2, and nothing that only some readers know. */
export const yamlOptions = {
  version: '1.2',
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
  // Not 'silent': a second document would then be passed over without a word.
  logLevel: 'error',
} as const

/** A text that was read. */
export interface YamlText {
  /** The value; undefined for an empty text. */
  readonly value: unknown
  /** What is wrong with the text itself. */
  readonly troubles: readonly YamlTrouble[]
  /** True where the text is not YAML at all: what else could be said about it would be guessing. */
  readonly isBroken: boolean
  /** Where the setting at the path stands, or the nearest part above it that is there. */
  readonly positionOf: (path: readonly PropertyKey[]) => YamlPosition
}

interface YamlPosition {
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
}

interface YamlTrouble extends YamlPosition {
  readonly message: string
}

/** Reads a text. Never throws; a text with troubles may still have a value, so that the rest of it can be checked. */
export function readYaml(text: string): YamlText {
  const bytes = Buffer.byteLength(text)
  if (bytes > LARGEST_TEXT_BYTES) {
    return unreadable(`Expected at most ${LARGEST_TEXT_BYTES} bytes, got ${bytes}`)
  }
  const lines = new LineCounter()
  const document: Document = parseDocument(text, { ...yamlOptions, lineCounter: lines })
  const at = (offset: number): YamlPosition => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const errors = [...document.errors, ...document.warnings]
  if (errors.some(({ message }) => /call stack|Stack overflow/.test(message)))
    return unreadable('Cannot read YAML: its parts are nested too deeply')
  const troubles: YamlTrouble[] = errors.slice(0, MOST_ERRORS).map((error) => ({
    ...at(error.pos[0]),
    message: explainYaml(error.code, error.message),
  }))
  troubles.push(...refusedParts(document, at))
  const isSyntaxSound = document.errors.every((error) => error.code === 'DUPLICATE_KEY')
  const read = isSyntaxSound ? documentValue(document) : undefined
  if (read === undefined && troubles.length === 0) troubles.push({ line: 1, column: 1, message: ENDLESS_ALIASES })
  return {
    value: read?.value,
    isBroken: read === undefined,
    troubles,
    positionOf: (path) => at(offsetOf(document, path)),
  }
}

/** One wrong bracket can make every line after it an error. */
const MOST_ERRORS = 20

const ENDLESS_ALIASES = 'Cannot read YAML: its aliases go in circles or stand for too much'

function unreadable(message: string): YamlText {
  const start = { line: 1, column: 1 }
  return { value: undefined, isBroken: true, troubles: [{ ...start, message }], positionOf: () => start }
}

/** The value of a document. The count of aliases is bounded, as a few lines can stand for gigabytes. */
function documentValue(document: Document): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) ?? undefined }
  } catch {
    return undefined
  }
}

/** What the syntax allows and this reader does not: another version, and names that JavaScript treats in its own way. */
function refusedParts(document: Document, at: (offset: number) => YamlPosition): YamlTrouble[] {
  const troubles: YamlTrouble[] = []
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
    troubles.push({ ...at(0), message: `Cannot read YAML ${document.directives.yaml.version}: only 1.2 is known` })
  }
  const anchors = new Set<string>()
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const message = `Cannot read YAML: no anchor ${quote(node.source)} stands before its alias`
        if (!anchors.has(node.source)) troubles.push({ ...at(startOf(node)), message })
      } else if (node.anchor !== undefined) anchors.add(node.anchor)
    },
    Pair(_, pair) {
      const name = isScalar(pair.key) ? pair.key.value : undefined
      const offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0
      if (name === '__proto__') troubles.push({ ...at(offset), message: 'Refused name "__proto__"' })
      if (name === '<<') troubles.push({ ...at(offset), message: 'Refused merge key "<<": YAML 1.2 has none' })
    },
  })
  return troubles
}

function explainYaml(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'Repeated setting: each may be given once'
  if (code === 'MULTIPLE_DOCS') return 'Cannot read YAML: there is more than one document'
  if (code === 'TAG_RESOLVE_FAILED')
    return `Cannot read YAML: tags such as ${quote(/![^\s,]*/.exec(message)?.[0] ?? '!')} are not known`
  return `Cannot read YAML: ${firstClause(message)}`
}

function firstClause(message: string): string {
  const line = message.split('\n')[0] ?? message
  return line.length > 160 ? `${line.slice(0, 160)}…` : line.replace(/\.$/, '')
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    const found = stepInto(node, step)
    if (found === undefined) return offset
    offset = found.offset
    node = found.node
  }
  return offset
}

function stepInto(node: unknown, step: PropertyKey): { offset: number; node: unknown } | undefined {
  if (isMap(node)) {
    // Header names are read in lower case: their spelling in the file may differ from the one in the path.
    const pair = pairNamed(node, (name) => name === step) ?? pairNamed(node, (name) => name.toLowerCase() === step)
    return pair === undefined ? undefined : { offset: startOf(pair.key), node: pair.value }
  }
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step]
    return item === undefined ? undefined : { offset: startOf(item), node: item }
  }
  return undefined
}

function pairNamed(map: YAMLMap, isWanted: (name: string) => boolean): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && typeof key.value === 'string' && isWanted(key.value))
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}
