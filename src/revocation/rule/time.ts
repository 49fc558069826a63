// What point in time does a person or a program mean by this text? Must never guess: a text without a time zone, or
// milliseconds given as seconds, is no time.
import { MAX_TIME_SECONDS } from './rule.ts'

const SECONDS_PATTERN = /^\d{1,12}(?:\.\d{1,9})?$/
const ISO_PATTERN = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2}))?$/i

/**
 * Reads `now`, unix seconds (text or number) or ISO 8601 (a date alone is midnight UTC, a time needs its zone). Answers
 * unix seconds, or undefined where it is none of these or lies outside the years 1970 to 9999.
 */
export function parseTime(input: unknown, nowSeconds: number): number | undefined {
  if (typeof input === 'number') return inRange(input)
  if (typeof input !== 'string' || input.length > 64) return undefined
  const text = input.trim()
  // With its fraction: a token of this very second, with a fraction in its `iat`, was issued before.
  if (text === 'now') return inRange(nowSeconds)
  if (SECONDS_PATTERN.test(text)) return inRange(Number(text))
  if (!ISO_PATTERN.test(text)) return undefined
  return inRange(Date.parse(text.replace(' ', 'T')) / 1000)
}

/** A time as ISO 8601 in UTC, to the second where it has no fraction. */
export function timeText(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), MAX_TIME_SECONDS) * 1000).toISOString().replace('.000Z', 'Z')
}

function inRange(seconds: number): number | undefined {
  return seconds >= 0 && seconds <= MAX_TIME_SECONDS ? seconds : undefined
}
