// How do the keys of the refresh change in a settings file that a person wrote? Comments and order stay, and what is not
// about the refresh stays byte for byte. Decides nothing about keys: which to add and which to take out comes in.
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type ToStringOptions,
  type YAMLMap,
} from 'yaml'
import { readYaml, yamlOptions } from './sources/yaml.ts'

/** A key as the settings name it. */
export type WrittenKey = Readonly<Record<string, string>>

/** A key to add, or the places of keys to take out of `refresh.keys`. */
export type KeyChange =
  | {
      readonly add: WrittenKey
      /** The key id of the one key before, where the settings leave it to the key itself. */
      readonly presentKeyId?: string | undefined
    }
  | { readonly drop: readonly number[] }

/**
 * The text with the change in it; `refresh.key` becomes `refresh.keys`. Undefined where the refresh is not written out
 * in this text, as with an alias. The text must be one that was read without troubles.
 */
export function changeKeys(text: string, change: KeyChange): string | undefined {
  const whole = parseDocument(text, yamlOptions)
  const pair = refreshOf(whole)
  if (pair === undefined || !apply(change, pair.value, whole)) return undefined
  const wanted: unknown = whole.toJS()
  const changed = changeSection(text, change) ?? ''
  return isDeepStrictEqual(readYaml(changed).value, wanted) ? changed : whole.toString(styleOf(whole))
}

/** A file that is JSON, which YAML takes as well, stays JSON. */
function styleOf({ contents }: Document): ToStringOptions {
  const quoted = isMap(contents) && contents.flow === true ? 'QUOTE_DOUBLE' : 'PLAIN'
  return { lineWidth: 0, defaultKeyType: quoted, defaultStringType: quoted }
}

/** The same, with only the lines of the refresh written anew; undefined where they cannot be read alone. */
function changeSection(text: string, change: KeyChange): string | undefined {
  const place = placeOfRefresh(text)
  if (place === undefined) return undefined
  const document = parseDocument(place.section, yamlOptions)
  const pair = refreshOf(document)
  if (document.errors.length > 0 || pair === undefined || !apply(change, pair.value, document)) return undefined
  const section = textOf(document, place.indent)
  if (section === undefined) return undefined
  return `${text.slice(0, place.start)}${section}${text.slice(place.start + place.section.length)}`
}

/** Undefined where the lines name an anchor that stands outside of them. */
function textOf(document: Document, indent: number): string | undefined {
  try {
    return document.toString({ lineWidth: 0, indent })
  } catch {
    return undefined
  }
}

interface Place {
  readonly start: number
  /** The lines of the refresh, without comments behind it that begin at the margin: those are about what follows. */
  readonly section: string
  readonly indent: number
}

function placeOfRefresh(text: string): Place | undefined {
  const pair = refreshOf(parseDocument(text, yamlOptions))
  const start = pair?.key.range?.[0]
  const end = pair?.value.range?.[2]
  if (pair === undefined || start === undefined || end === undefined) return undefined
  if (start > 0 && text[start - 1] !== '\n') return undefined
  const section = text.slice(start, end).replace(/(?<=\n)(?:[ \t]*\n|#[^\n]*(?:\n|$))+$/, '')
  if (!section.endsWith('\n') && start + section.length < text.length) return undefined
  const [first] = pair.value.items
  const offset = isScalar(first?.key) ? (first.key.range?.[0] ?? 0) : 0
  const column = offset - (text.lastIndexOf('\n', offset - 1) + 1)
  return { start, section, indent: !pair.value.flow && column > 0 && column <= 8 ? column : 2 }
}

function refreshOf({ contents }: Document) {
  const pair = isMap(contents) ? pairNamed(contents, 'refresh') : undefined
  return pair !== undefined && isScalar(pair.key) && isMap(pair.value)
    ? { key: pair.key, value: pair.value }
    : undefined
}

/** Changes the node of the refresh. Answers whether that was possible. */
function apply(change: KeyChange, refresh: YAMLMap, document: Document): boolean {
  const listed = pairNamed(refresh, 'keys')
  if ('drop' in change) {
    if (!isSeq(listed?.value)) return false
    listed.value.items = listed.value.items.filter((_, index) => !change.drop.includes(index))
    return true
  }
  const added = document.createNode(change.add) as YAMLMap
  if (isSeq(listed?.value)) {
    added.flow = isFlow(listed.value.items.at(-1))
    listed.value.items.push(added)
    return true
  }
  const single = pairNamed(refresh, 'key')
  if (single === undefined || !isScalar(single.key) || !isMap(single.value)) return false
  const present = single.value
  if (change.presentKeyId !== undefined) present.set('keyId', document.createNode(change.presentKeyId))
  present.set('active', true)
  added.flow = isFlow(present)
  const list = document.createNode([present, added])
  single.key.value = 'keys'
  single.value = list
  return true
}

function isFlow(node: unknown): boolean {
  return isMap(node) && node.flow === true
}

function pairNamed(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && key.value === name)
}
