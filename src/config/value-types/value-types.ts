// What does a value of the settings look like? The building blocks of the table: a schema of zod together with the words
// that a message, the documentation and the JSON Schema use for it. Knows no setting by name and quotes no secret.
import * as z from 'zod'
import { quote } from './quote.ts'

/** What a file holds that a setting names. */
export interface NamedFile {
  /** What it is used as: `listener key`. */
  readonly purpose: string
  /** True where the content is a secret, so that its mode matters and it is never printed. */
  readonly secret: boolean
}

/** What the messages and the documentation say about a schema. */
export interface Note {
  /** One or two words for the table of the documentation. */
  readonly kind: string
  /** Completes the sentence "Expected …". */
  readonly expects: string
  /** The value may hold a secret: no message quotes it, and no listing prints it. */
  readonly secret?: true
  /** For the path of a file: what it holds, and whether that is a secret. */
  readonly file?: NamedFile
  /** What was probably meant by a value of another type, written as it would be in the file. */
  readonly suggest?: (input: unknown) => string | undefined
}

/** The notes of all schemas, apart from zod's own registry, which is printed into the JSON Schema. */
export const notes: z.core.$ZodRegistry<Note> = z.registry<Note>()

/** Attaches a note to a schema and gives the schema back. */
export function noted<S extends z.ZodType>(schema: S, note: Note): S {
  notes.add(schema as z.ZodType, note as never)
  return schema
}

/** Tells why a text is refused; answers undefined so that a parser can return it. */
export type Reject = (message: string, hint?: string) => undefined

interface TextKind<T> extends Note {
  readonly pattern?: string
  /** Turns the text into the value, or calls `reject` with the reason. */
  readonly parse: (text: string, reject: Reject) => T | undefined
}

/** A text of at most 4096 characters that `parse` turns into a value. */
export function textKind<T>(kind: TextKind<T>) {
  const schema = z.string().transform((text, context): T => {
    const reject: Reject = (message, hint) => {
      context.addIssue({ code: 'custom', message, params: { hint } })
      return undefined
    }
    const value = readBounded(text, kind, reject)
    return value === undefined ? z.NEVER : value
  })
  const { pattern } = kind
  return noted(pattern === undefined ? schema : schema.meta({ pattern }), kind)
}

function readBounded<T>(text: string, kind: TextKind<T>, reject: Reject): T | undefined {
  if (text.length > 4096) return reject(`Expected ${kind.expects}, got a text of ${text.length} characters`)
  return kind.parse(text, reject)
}

/** `Expected …, got "…"`: the one form in which a wrong value is refused. */
export function unexpected(expects: string, input: unknown): string {
  return `Expected ${expects}, got ${quote(input)}`
}

/** A whole number in the bounds, both included. */
export function integer(min: number, max: number) {
  // Not int(): zod then skips every later check of the whole table, and with it the rules between settings.
  return noted(z.number().multipleOf(1).min(min).max(max).meta({ type: 'integer' }), {
    kind: 'number',
    expects: `a whole number from ${min} to ${max}`,
    suggest: (input) => (typeof input === 'string' ? wholeNumber(input) : undefined),
  })
}

const sizes: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** The number that `"16384"`, `16k`, `10MiB` or `1_000` was meant to be. */
function wholeNumber(text: string): string | undefined {
  const match = /^\s*(\d{1,3}(?:[_,']\d{3})+|\d{1,15})\s*([kmg]?)(?:i?b|bytes?)?\s*$/i.exec(text)
  const size = sizes[match?.[2]?.toLowerCase() ?? '']
  const value = Number(match?.[1]?.replace(/[_,']/g, '')) * (size ?? Number.NaN)
  return Number.isSafeInteger(value) ? String(value) : undefined
}

/** `true` or `false`; YAML 1.2 knows no `yes` and no `on`. */
export function flag() {
  return noted(z.boolean(), {
    kind: 'true or false',
    expects: 'true or false',
    suggest: (input) => (typeof input === 'string' ? booleanWords[input.toLowerCase()] : undefined),
  })
}

const booleanWords: Readonly<Record<string, string>> = {
  yes: 'true',
  on: 'true',
  true: 'true',
  no: 'false',
  off: 'false',
  false: 'false',
}

/** One value and no other. */
export function only<const Value extends boolean>(value: Value) {
  return noted(z.literal(value), { kind: String(value), expects: String(value) })
}

/** One of a few words. */
export function choice<const Words extends readonly [string, ...string[]]>(words: Words) {
  const listed = words.map((word) => `"${word}"`)
  const expects = listed.length === 1 ? `${listed[0]}` : `one of ${listed.join(', ')}`
  return noted(z.enum(words), { kind: words.join(' | '), expects })
}

/** A text that is not empty and has no control characters. */
export function text(expects: string, maxLength = 256) {
  return textKind<string>({
    kind: 'text',
    expects,
    parse(input, reject) {
      if (input.trim() === '') return reject(`Expected ${expects}, got an empty text`)
      if (input !== input.trim())
        return reject(
          `Expected ${expects} without blanks around it, got ${quote(input)}`,
          `did you mean ${quote(input.trim())}`,
        )
      if (input.length > maxLength) return reject(`Expected at most ${maxLength} characters, got ${input.length}`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      if (/[\u0000-\u001f\u007f]/.test(input)) return reject(`Expected ${expects}, got control characters in it`)
      return input
    },
  })
}

/** The path of a file that holds no secret, and what it is used as. */
export function filePath(purpose: string) {
  return pathOf({ purpose, secret: false })
}

/** The path of a file that holds a secret, and what it is used as. */
export function secretPath(purpose: string) {
  return pathOf({ purpose, secret: true })
}

/** A value that is the key itself, pasted here by mistake, is refused without being quoted. */
function pathOf(file: NamedFile) {
  const expects = 'the path of a file'
  return textKind<string>({
    kind: 'file',
    expects,
    file,
    parse(input, reject) {
      if (input.trim() === '') return reject(`Expected ${expects}, got an empty text`)
      if (/[\r\n]|^-----BEGIN|^\s*\{/.test(input)) {
        return reject(
          `Expected ${expects}, got what looks like the content itself`,
          'put it into a file and name that file here',
        )
      }
      if (input.includes('\0')) return reject(`Expected ${expects}, got a text with a NUL character`)
      return input
    },
  })
}

interface ListOptions {
  readonly expects: string
  readonly min?: number
  readonly max?: number
}

/** A list in which no text stands twice. */
export function list<S extends z.ZodType>(item: S, options: ListOptions) {
  const { expects, min = 0, max = 1000 } = options
  const schema = z
    .array(item)
    .min(min)
    .max(max)
    .superRefine(refuseRepetitions, { when: (payload) => Array.isArray(payload.value) })
  return noted(schema, {
    kind: `list of ${notes.get(item)?.kind ?? 'value'}`,
    expects,
    suggest: (input) => suggestList(input, notes.get(item)),
  })
}

/** One item that is not in a list: a text that may hold several, or the group that an item is. */
function suggestList(input: unknown, item: Note | undefined): string | undefined {
  if (isGroup(input)) return item?.kind === 'group' ? '[{ … }]' : undefined
  if (typeof input !== 'string' || input.trim() === '*') return undefined
  if (item?.kind === 'group') {
    const group = item.suggest?.(input)
    return group === undefined ? undefined : `[${group}]`
  }
  const parts = input.trim().split(/[\s,]+/)
  return `[${parts.map((part) => (/^[\w./:@+-]+$/.test(part) ? part : JSON.stringify(part))).join(', ')}]`
}

function refuseRepetitions(items: readonly unknown[], context: z.core.$RefinementCtx): void {
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    if (typeof item !== 'string') continue
    if (seen.has(item)) {
      context.addIssue({
        code: 'custom',
        path: [index],
        message: `Repeated value ${quote(item)}`,
        params: { hint: 'remove it' },
      })
    }
    seen.add(item)
  }
}

/** A group of settings; an unknown name in it is an error. */
export function group<const Shape extends z.core.$ZodLooseShape>(shape: Shape, more: Pick<Note, 'suggest'> = {}) {
  return noted(z.strictObject(shape), { kind: 'group', expects: 'a group of settings', ...more })
}

type OneOf<Shape extends z.core.$ZodLooseShape, Beside extends z.core.$ZodLooseShape> = {
  [Name in keyof Shape]: { readonly [Only in Name]: z.output<Shape[Only]> } & z.output<z.ZodObject<Beside>>
}[keyof Shape]

/** A group of which exactly one setting is given; the optional settings `beside` it may be added to any. */
export function oneOf<
  const Shape extends z.core.$ZodLooseShape,
  const Beside extends z.core.$ZodLooseShape = Record<never, never>,
>(shape: Shape, beside?: Beside, more: Pick<Note, 'suggest'> = {}) {
  const names = Object.keys(shape)
  const expects = `exactly one of ${names.map((name) => `"${name}"`).join(', ')}`
  const counted =
    beside === undefined
      ? { minProperties: 1, maxProperties: 1 }
      : { oneOf: names.map((name) => ({ required: [name] })) }
  const inner = noted(
    z
      .strictObject({ ...shape, ...beside })
      .partial()
      .meta(counted),
    { kind: 'group', expects, ...more },
  )
  const checked = inner.superRefine(
    (value, context) => {
      const given = Object.keys(value as object).filter((name) => names.includes(name))
      if (given.length === 1) return
      const got = given.length === 0 ? 'none' : given.map((name) => `"${name}"`).join(' and ')
      context.addIssue({ code: 'custom', message: `Expected ${expects}, got ${got}` })
    },
    // Also where another part of the group is wrong, so that all problems show in one run.
    {
      when: (payload) => isGroup(payload.value) && payload.issues.every((issue) => issue.code !== 'unrecognized_keys'),
    },
  )
  return noted(
    checked.transform((value) => value as unknown as OneOf<Shape, Beside>),
    { kind: 'group', expects, ...more },
  )
}

/** True for what YAML calls a map. */
export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
