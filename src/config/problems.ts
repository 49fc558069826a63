// How is a person told what is wrong with the settings? Turns every finding into one line with its place, the reason and
// what would be right. Never prints the value of a setting that may hold a secret.
import { closestMatch } from 'leven'
import type * as z from 'zod'
import { namesAt, noteOf, schemaAt, settingRows } from './sources/flags.ts'
import { quote } from './value-types/quote.ts'
import { type Note, unexpected } from './value-types/value-types.ts'

/** One thing that is wrong. */
export interface Problem {
  /** `sidegate.yaml:12:5 issuers[0].audiences`, `SIDEGATE_UPSTREAM` or `--upstream`. */
  readonly where: string
  readonly message: string
  /** What would be right, as a clause that goes on after a comma. */
  readonly hint?: string
}

/** A finding that does not know yet where its value came from. */
export interface Finding {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly hint?: string | undefined
  /** The settings work as written, but probably not as meant: told by `check` and logged by `run`; stops no start. */
  readonly severity?: 'warning'
  /** True where the finding is about the name at the end of the path, which the table does not have. */
  readonly isUnknownName?: true
}

/** The lines that a command prints, a heading first; no lines where nothing is wrong. */
export function formatProblems(problems: readonly Problem[]): string[] {
  if (problems.length === 0) return []
  const heading =
    problems.length === 1 ? 'The settings have 1 problem:' : `The settings have ${problems.length} problems:`
  return [heading, ...problems.map((problem) => `  ${formatProblem(problem)}`)]
}

/** One problem or warning on one line. */
export function formatProblem({ where, message, hint }: Problem): string {
  return `${where}: ${message}${hint === undefined ? '' : `, ${hint}`}`
}

/** `issuers[0].audiences`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    const name = String(step)
    if (!/^[\w-]{1,80}$/.test(name)) return `${text}[${quote(name)}]`
    return text === '' ? name : `${text}.${name}`
  }, '')
}

/** What one issue of zod means to the person who wrote the settings. */
export function findingsOf(issue: z.core.$ZodIssue): Finding[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownName(issue.path, name))
  return [{ path: issue.path, ...explain(issue) }]
}

function explain(issue: z.core.$ZodIssue): { message: string; hint?: string | undefined } {
  if (issue.code === 'custom') {
    const hint = issue.params?.hint
    return { message: issue.message, hint: typeof hint === 'string' ? hint : undefined }
  }
  const schema = schemaAt(issue.path)
  const note: Note = schema === undefined ? { kind: 'value', expects: 'another value' } : noteOf(schema)
  const { input } = issue
  if (input === undefined) return { message: 'Missing setting', hint: `give ${note.expects}` }
  if ((issue.code === 'too_big' || issue.code === 'too_small') && Array.isArray(input) && input.length > 0)
    return { message: countMessage(issue, input.length) }
  if (input === null) return { message: 'Setting without a value', hint: 'give it one or remove it' }
  return {
    message: note.secret ? `Expected ${note.expects}` : unexpected(note.expects, input),
    hint: typeHint(issue, note),
  }
}

function countMessage(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall, count: number): string {
  const bound = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`
  return `Expected ${bound} in this list, got ${count}`
}

function typeHint(issue: z.core.$ZodIssue, note: Note): string | undefined {
  const { input } = issue
  if (issue.code === 'invalid_value' && typeof input === 'string') {
    const words = issue.values.filter((value) => typeof value === 'string')
    const near = nearest(input, words)
    return near === undefined ? undefined : `did you mean "${near}"`
  }
  if (note.secret) return undefined
  const suggestion = note.suggest?.(input)
  if (suggestion !== undefined)
    return `did you mean ${/[[\]{}"]/.test(suggestion) || isBareWord(suggestion) ? suggestion : `"${suggestion}"`}`
  const isScalar = typeof input === 'number' || typeof input === 'boolean'
  if (isScalar && issue.code === 'invalid_type' && issue.expected === 'string') return `put it in quotes: "${input}"`
  return undefined
}

function isBareWord(text: string): boolean {
  return /^(true|false|\d+)$/.test(text)
}

/** The finding for a name that the table does not have: what it was probably meant to be, else what is known there. */
function unknownName(group: readonly PropertyKey[], name: string): Finding {
  const path = [...group, name]
  const message = `Unknown setting ${quote(name)}`
  const known = namesAt(group)
  const near = nearest(name, known)
  if (near !== undefined) return { path, message, hint: `did you mean "${near}"`, isUnknownName: true }
  const elsewhere = settingRows.find((row) => row.path.at(-1)?.toLowerCase() === name.toLowerCase())
  if (elsewhere !== undefined) return { path, message, hint: `did you mean "${elsewhere.name}"`, isUnknownName: true }
  return { path, message, hint: `known here: ${known.join(', ')}`, isUnknownName: true }
}

/** The known name that was probably meant, or undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 100) return undefined
  const plain = simplify(name)
  const same = known.find((candidate) => simplify(candidate) === plain)
  if (same !== undefined) return same
  const near = closestMatch(
    name.toLowerCase(),
    known.map((candidate) => candidate.toLowerCase()),
    { maxDistance: name.length < 5 ? 1 : Math.max(2, Math.floor(name.length / 3)) },
  )
  if (near !== undefined) return known.find((candidate) => candidate.toLowerCase() === near)
  if (plain.length < 4) return undefined
  return known.find((candidate) => simplify(candidate).startsWith(plain) || plain.startsWith(simplify(candidate)))
}

/** Spellings that differ only in case, dashes and underscores are one. */
function simplify(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, '')
}
