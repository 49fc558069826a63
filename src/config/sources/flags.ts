// By which names can a setting be given? Walks the table once and answers its variable, its flag and what to print about
// it. Only these exact names are ever read: a prefix would swallow what Kubernetes sets for a Service named "sidegate".
import * as z from 'zod'
import { type OnChange, onChangeOf, settingsSchema } from '../options.ts'
import { type Note, notes } from '../value-types/value-types.ts'

/** One setting as the documentation, the command line and the loader see it. */
export interface SettingRow extends Note {
  /** The names from the top: `['revocation', 'maxStaleness']`; `'[]'` stands for each item of a list. */
  readonly path: readonly string[]
  /** `revocation.maxStaleness`. */
  readonly name: string
  /** `SIDEGATE_REVOCATION_MAX_STALENESS`; absent inside a list, which is given as a whole. */
  readonly environment: string | undefined
  /** `revocation-max-staleness`, without the dashes in front. */
  readonly flag: string | undefined
  readonly description: string
  /** The default as it would be written, or undefined where there is none. */
  readonly default: unknown
  readonly required: boolean
  /** True where the text of a variable or a flag is the value itself; else it is read as YAML. */
  readonly isText: boolean
  /** True for a group: it is given by its parts, and has no variable and no flag of its own. */
  readonly isGroup: boolean
  /** What a running gate does with a change; undefined where neither the setting nor a group around it says so. */
  readonly onChange: OnChange | undefined
}

/** Every group and setting, in the order of the table, the parts of list items included. */
export const settingRows: readonly SettingRow[] = Object.freeze([...rowsBelow(settingsSchema, [])])

/** The settings that have a variable and a flag. */
export const namedRows: readonly NamedRow[] = Object.freeze(settingRows.filter(isNamed))

export type NamedRow = SettingRow & { readonly environment: string; readonly flag: string }

function isNamed(row: SettingRow): row is NamedRow {
  return row.environment !== undefined
}

/** Takes the wrappers off a schema: defaults, absence, and what happens after parsing. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (isWrapper(schema)) return bare(schema.unwrap())
  return schema instanceof z.ZodPipe ? bare(schema.in) : schema
}

/** True for a default or an absence around another schema. */
function isWrapper(schema: z.core.$ZodType): schema is z.ZodPrefault | z.ZodOptional | z.ZodExactOptional {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional
}

/** The note that is nearest to the outside of a schema. */
export function noteOf(schema: z.core.$ZodType): Note {
  const own = notes.get(schema as z.ZodType)
  if (own !== undefined) return own
  if (isWrapper(schema)) return noteOf(schema.unwrap())
  return schema instanceof z.ZodPipe ? noteOf(schema.in) : { kind: 'value', expects: 'another value' }
}

/** The schema at a path, through lists and maps; undefined where the table has nothing there. */
export function schemaAt(path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = settingsSchema
  for (const step of path) {
    if (schema === undefined) return undefined
    schema = childOf(bare(schema), step)
  }
  return schema
}

function childOf(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject)
    return typeof step === 'string' && Object.hasOwn(schema.shape, step) ? schema.shape[step] : undefined
  if (schema instanceof z.ZodArray) return schema.element
  return schema instanceof z.ZodRecord ? schema.valueType : undefined
}

/** The names that a group at this path knows; empty where there is no group. */
export function namesAt(path: readonly PropertyKey[]): readonly string[] {
  const schema = schemaAt(path)
  const group = schema === undefined ? undefined : bare(schema)
  return group instanceof z.ZodObject ? Object.keys(group.shape) : []
}

function* rowsBelow(schema: z.ZodObject, above: readonly string[], around?: OnChange): Generator<SettingRow> {
  for (const [name, child] of Object.entries(schema.shape)) {
    const path = [...above, name]
    const onChange = onChangeOf.get(child) ?? around
    const inner = bare(child)
    const part = inner instanceof z.ZodArray ? bare(inner.element) : inner
    const isGroup = inner instanceof z.ZodObject
    yield rowOf(child, path, { isGroup, onChange })
    if (part instanceof z.ZodObject)
      yield* rowsBelow(part, isGroup ? path : [...path, '[]'], onChange === 'presence' ? undefined : onChange)
  }
}

function rowOf(
  schema: z.core.$ZodType,
  path: readonly string[],
  { isGroup, onChange }: Pick<SettingRow, 'isGroup' | 'onChange'>,
): SettingRow {
  const hasNames = !isGroup && !path.includes('[]')
  const words = path.map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))
  const flag = words.join('-')
  return Object.freeze({
    ...noteOf(schema),
    path: Object.freeze(path),
    name: path.join('.').replaceAll('.[]', '[]'),
    environment: hasNames ? `SIDEGATE_${flag.replaceAll('-', '_').toUpperCase()}` : undefined,
    flag: hasNames ? flag : undefined,
    description: descriptionOf(schema),
    default: schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined,
    required: schema._zod.optin === undefined,
    isText: bare(schema) instanceof z.ZodString || bare(schema) instanceof z.ZodEnum,
    isGroup,
    onChange,
  })
}

function descriptionOf(schema: z.core.$ZodType): string {
  const description = z.globalRegistry.get(schema)?.description
  if (description !== undefined) return description
  return isWrapper(schema) ? descriptionOf(schema.unwrap()) : ''
}
