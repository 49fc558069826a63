// What do the variables and the flags say? Reads only the names in the table, each as its setting wants it: text as it
// stands, everything else as YAML. Prints no value of a setting that may hold a secret.

import { nearest, type Problem } from '../problems.ts'
import { quote } from '../value-types/quote.ts'
import { type NamedRow, namedRows } from './flags.ts'
import { readYaml } from './yaml.ts'

/** A setting that a variable or a flag gives. */
export interface Given {
  readonly row: NamedRow
  /** `SIDEGATE_UPSTREAM` or `--upstream`. */
  readonly where: string
  readonly value: unknown
  /** True where the text could not be read: its problem is told already, and its value says nothing. */
  readonly isUnreadable: boolean
}

/** What variables and flags give, a flag in place of its variable, and what of it cannot be read. */
export function readGiven(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
) {
  const problems: Problem[] = unknownFlags(flags)
  const given: Given[] = []
  for (const row of namedRows) {
    const fromFlag = Object.hasOwn(flags, row.flag) ? flags[row.flag] : undefined
    const input: unknown =
      fromFlag ?? (Object.hasOwn(environment, row.environment) ? environment[row.environment] : undefined)
    if (input === undefined) continue
    const where = fromFlag === undefined ? row.environment : `--${row.flag}`
    const { value, problem } = readInput(row, input)
    if (problem !== undefined) problems.push({ where, ...problem })
    given.push({ row, where, value, isUnreadable: problem !== undefined })
  }
  return { given, problems }
}

interface Read {
  readonly value?: unknown
  readonly problem?: { readonly message: string; readonly hint?: string }
}

function readInput(row: NamedRow, input: unknown): Read {
  if (Array.isArray(input))
    return { problem: { message: 'Expected one value, got several', hint: 'a list is one text in YAML: [a, b]' } }
  const text = String(input)
  if (text.trim() === '') return { problem: { message: 'Setting without a value', hint: 'give it one or remove it' } }
  if (row.isText) return { value: text }
  const { value, troubles } = readYaml(text)
  const trouble = troubles[0]
  if (trouble === undefined) return { value }
  return { problem: { message: `${trouble.message} (line ${trouble.line}, column ${trouble.column})` } }
}

function unknownFlags(flags: Readonly<Record<string, unknown>>): Problem[] {
  const known = namedRows.map((row) => row.flag)
  return Object.keys(flags)
    .filter((name) => flags[name] !== undefined && !known.includes(name))
    .map((name) => ({ where: `--${name}`, message: `Unknown flag "--${name}"`, ...didYouMean(name, known, '--') }))
}

/** What Kubernetes puts into every pod of a namespace for a Service whose name begins with "sidegate". */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

/** A warning for each variable that looks like one of ours and is none. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): Problem[] {
  const known = namedRows.map((row) => row.environment)
  return Object.keys(environment)
    .filter((name) => name.startsWith('SIDEGATE_') && environment[name] !== undefined)
    .filter((name) => !known.includes(name) && !SERVICE_LINK.test(name))
    .map((name) => ({
      where: name,
      message: `Ignored variable ${quote(name)}: no setting has this name`,
      // The file has no variable, and no setting that is near it in letters is what was meant
      ...(name === 'SIDEGATE_CONFIG'
        ? { hint: 'the file is named by the flag "--config"' }
        : didYouMean(name, known, '')),
    }))
}

function didYouMean(name: string, known: readonly string[], prefix: string): { hint?: string } {
  const near = nearest(name, known)
  return near === undefined ? {} : { hint: `did you mean "${prefix}${near}"` }
}
