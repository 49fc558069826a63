// From when on does something hold? Always, never, or from a point in time. Must never guess: a text without a time zone,
// or milliseconds given for seconds, is no time.
import * as z from 'zod'
import { noted, unexpected } from './value-types.ts'

const EXPECTS = 'true, false or a time such as "2026-12-01T10:00:00Z"'
const ISO_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/
/** 9999-12-31: larger numbers are milliseconds taken for seconds, or nonsense. */
const LATEST_SECONDS = 253_402_300_799

/** `true`, `false`, or a time as ISO 8601 with its zone or as unix seconds; the value of a time is unix seconds. */
export function moment() {
  const written = z.union([z.boolean(), z.number(), z.string()])
  const schema = written.transform((input, context): boolean | number => {
    if (typeof input === 'boolean') return input
    const seconds = typeof input === 'number' ? input : isoSeconds(input)
    if (seconds >= 0 && seconds <= LATEST_SECONDS) return seconds
    const message = unexpected(EXPECTS, input)
    context.addIssue({ code: 'custom', message, params: { hint: hintFor(input) } })
    return z.NEVER
  })
  return noted(schema, { kind: 'true, false or time', expects: EXPECTS })
}

function isoSeconds(text: string): number {
  return ISO_PATTERN.test(text) ? Date.parse(text) / 1000 : Number.NaN
}

function hintFor(input: string | number): string | undefined {
  if (typeof input === 'number') return input > LATEST_SECONDS ? 'unix seconds, not milliseconds' : undefined
  if (ISO_PATTERN.test(`${input}Z`)) return `give the time zone: "${input}Z"`
  return /^\d{1,12}$/.test(input) ? `did you mean ${input}` : undefined
}
