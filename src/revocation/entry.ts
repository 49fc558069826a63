// How is a rule written in the log, and what does an entry of the log mean? Entries come from any program that can reach
// Redis: they are bounded, unknown fields are ignored, and a malformed one is a problem in words, never an exception.
import {
  isMatchable,
  isRuleKind,
  isSource,
  MAX_SOURCE_BYTES,
  MAX_TIME_SECONDS,
  MAX_VALUE_BYTES,
  type Rule,
  ruleKinds,
  tidyNote,
} from './rule.ts'
import { parseTime } from './time.ts'

/** One entry of the stream: its id (`<ms>-<sequence>`) and its fields, names and values in turn. */
export interface LogEntry {
  readonly id: string
  readonly fields: readonly string[]
}

/** What an entry says. */
export interface Reading {
  /** Undefined where it is no rule. */
  readonly rule: Rule | undefined
  /** What is wrong with the entry, in words without its values. A rule may have a problem too. */
  readonly problem: string | undefined
}

/** The id before the first entry. */
export const LOG_START = '0-0'

const MAX_FIELDS = 64
const knownFields = new Set([
  'kind',
  'value',
  'issuer',
  'source',
  'before',
  'expires',
  'reason',
  'actor',
  'lifted',
  'at',
])
// As seconds it would lie beyond the year 30000: nothing else can be meant.
const MILLISECONDS_OF_TODAY_PATTERN = /^\d{13,15}$/
const MILLISECONDS_PATTERN = /^\d{1,15}$/
const ID_PATTERN = /^(\d{1,15})-\d{1,20}$/
// A wiped Redis may come back on a machine whose clock is behind, so that an original `at` lies ahead of the new id. More
// than a day ahead is not a clock: such an entry could never be lifted.
export const MAX_AHEAD_MS = 86_400_000

const NOT_MATCHABLE = `missing, longer than ${MAX_VALUE_BYTES} bytes or not plain text`
const NO_SOURCE = `longer than ${MAX_SOURCE_BYTES} bytes or not plain text`
const UNREADABLE_BEFORE = '"before" is neither unix seconds nor ISO 8601 with a time zone'

const noRule = (problem: string): Reading => ({ rule: undefined, problem })

/** The time in an entry's id in milliseconds, or undefined where it is no id. */
export function millisecondsOfId(id: string): number | undefined {
  const match = ID_PATTERN.exec(id)
  return match?.[1] === undefined ? undefined : Number(match[1])
}

/** The rule of an entry, or undefined where it is none: see `readEntry`. */
export function decodeEntry(id: string, fields: readonly string[], farExpirySeconds: number): Rule | undefined {
  return readEntry(id, fields, farExpirySeconds).rule
}

/**
 * Reads an entry of the log. Times are unix seconds, ISO 8601 or unix milliseconds. An `expires` that is missing or cannot be
 * read becomes `farExpirySeconds` (unix seconds), so that a rule lives too long rather than not at all; a `before` that cannot
 * be read becomes the time of the entry; notes that are too long are cut. There is no rule in what has no known kind, no
 * usable value or issuer, or an unreadable `lifted`.
 */
export function readEntry(id: string, fields: readonly string[], farExpirySeconds: number): Reading {
  const idMs = millisecondsOfId(id)
  if (idMs === undefined) return noRule('its id is not like "<milliseconds>-<sequence>"')
  if (fields.length > MAX_FIELDS * 2) return noRule(`it has more than ${MAX_FIELDS} fields`)
  const read = readFields(fields)
  const kind = read.get('kind')
  const value = read.get('value')
  const issuer = read.get('issuer')
  const lifted = liftedOf(read.get('lifted'))
  if (!isRuleKind(kind)) return noRule(`"kind" is none of ${ruleKinds.join(', ')}`)
  if (!isMatchable(value)) return noRule(`"value" is ${NOT_MATCHABLE}`)
  if (issuer !== undefined && !isMatchable(issuer)) return noRule(`"issuer" is ${NOT_MATCHABLE}`)
  if (lifted === undefined) return noRule('"lifted" is neither 1 nor 0')
  const source = read.get('source')
  if (source !== undefined && !isSource(source)) return noRule(`"source" is ${NO_SOURCE}`)
  const atMs = originalMs(read.get('at'), idMs)
  const before = read.get('before')
  const readBefore = timeOf(before)
  const isUnreadable = before !== undefined && readBefore === undefined
  // What does not say in full what it lifts lifts nothing.
  if (isUnreadable && lifted) return noRule(UNREADABLE_BEFORE)
  // The lift of an event says nothing of what the next rule of its source is against: it must not widen that one.
  const noBefore = lifted && source !== undefined ? 0 : undefined
  const rule = {
    kind,
    value,
    issuer,
    source,
    // Somebody wanted tokens gone. Without an entry they would all be admitted; without a `before`, those that are issued
    // after it would be refused too, until the rule ends: alice could not log in again. All that there were when the entry
    // was written is what is meant most often, and no honest `before` lies later.
    issuedBeforeSeconds: isUnreadable ? Math.max(atMs, idMs) / 1000 : (readBefore ?? noBefore),
    expiresAtSeconds: timeOf(read.get('expires')) ?? farExpirySeconds,
    reason: tidyNote(read.get('reason')),
    actor: tidyNote(read.get('actor')),
    atMs,
    lifted,
  }
  return { rule, problem: isUnreadable ? UNREADABLE_BEFORE : undefined }
}

/** Writes a rule as fields of an entry. With `keepsTime` its own `at` goes along; else the id's time is its time. */
export function encodeEntry(rule: Rule, keepsTime: { readonly keepsTime: boolean }): string[] {
  const fields = ['kind', rule.kind, 'value', rule.value]
  if (rule.issuer !== undefined) fields.push('issuer', rule.issuer)
  // A gate of 7d4b85d ignores it, and takes the rule for one of a person.
  if (rule.source !== undefined) fields.push('source', rule.source)
  if (rule.issuedBeforeSeconds !== undefined) fields.push('before', secondsText(rule.issuedBeforeSeconds))
  fields.push('expires', secondsText(rule.expiresAtSeconds))
  if (rule.reason !== undefined) fields.push('reason', rule.reason)
  if (rule.actor !== undefined) fields.push('actor', rule.actor)
  if (rule.lifted) fields.push('lifted', '1')
  if (keepsTime.keepsTime) fields.push('at', String(Math.trunc(rule.atMs)))
  return fields
}

function readFields(fields: readonly string[]): Map<string, string> {
  const read = new Map<string, string>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]
    const value = fields[index + 1]
    if (name === undefined || value === undefined || value === '' || !knownFields.has(name)) continue
    read.set(name, value)
  }
  return read
}

// "now" is no time in a log: it would be another one for each reader.
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = MILLISECONDS_OF_TODAY_PATTERN.test(text) ? Number(text) / 1000 : parseTime(text, Number.NaN)
  return seconds !== undefined && seconds <= MAX_TIME_SECONDS ? seconds : undefined
}

function liftedOf(text: string | undefined): boolean | undefined {
  if (text === undefined || text === '0' || text === 'false') return false
  return text === '1' || text === 'true' ? true : undefined
}

function originalMs(text: string | undefined, idMs: number): number {
  if (text === undefined || !MILLISECONDS_PATTERN.test(text)) return idMs
  const atMs = Number(text)
  return atMs <= idMs + MAX_AHEAD_MS ? atMs : idMs
}

function secondsText(seconds: number): string {
  return Number.isInteger(seconds) ? String(seconds) : seconds.toFixed(3)
}
