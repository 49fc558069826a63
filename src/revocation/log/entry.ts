// How is a rule written in the log, and what does an entry of the log mean? Entries come from any program that can reach
// Redis, newer gates too: they are bounded, what is not understood widens a rule and voids a lift, and a malformed one is a
// problem in words, never an exception.
import { createHash } from 'node:crypto'
import { isNameable, MAXIMUM_NAME_BYTES } from '../../model/nameable.ts'
import type { StreamEntry } from '../../redis/replies.ts'
import {
  isRuleKind,
  isSource,
  MAX_SOURCE_BYTES,
  MAX_TIME_SECONDS,
  type Rule,
  ruleKinds,
  tidyNote,
} from '../rule/rule.ts'
import { parseTime } from '../rule/time.ts'

/** One entry of the stream: its id (`<ms>-<sequence>`) and its fields, names and values in turn. */
export type LogEntry = StreamEntry

/** What an entry says. */
export interface Reading {
  /** Undefined where it is no rule. */
  readonly rule: Rule | undefined
  /** What is wrong with the entry, in words without its values. A rule may have a problem too. */
  readonly problem: string | undefined
  /** A newer gate may read a rule or a lift in it: it has to be kept as it is. */
  readonly isForNewer?: boolean
}

/** The id before the first entry. */
export const LOG_START = '0-0'

/** The latest time of an entry that can be held, in milliseconds: what an id says beyond it counts as this. */
const MAX_HELD_MS = 999_999_999_999_999

const MAX_FIELDS = 64
const MAX_EXTRA_UNITS = 700
const knownFields = new Set([
  ...['kind', 'value', 'issuer', 'source', 'before', 'expires', 'reason', 'actor', 'lifted', 'at'],
  ...['v', 'must'],
])
// As seconds it would lie beyond the year 30000: nothing else can be meant.
const MILLISECONDS_OF_TODAY_PATTERN = /^\d{13,15}$/
const MILLISECONDS_PATTERN = /^\d{1,15}$/
const ID_PATTERN = /^(\d{1,20})-\d{1,20}$/

const NOT_MATCHABLE = `missing, longer than ${MAXIMUM_NAME_BYTES} bytes or not plain text`
const UNREADABLE_BEFORE = '"before" is neither unix seconds nor ISO 8601 with a time zone'
const WIDENED = 'it has fields of a newer version: it counts for every token of its value'
const VOID_LIFT = 'it is a lift with fields of a newer version: it lifts nothing here'

const noRule = (problem: string, isForNewer = false): Reading => ({ rule: undefined, problem, isForNewer })

/** The time in an entry's id in milliseconds, or undefined where it is no id. */
export function millisecondsOfId(id: string): number | undefined {
  const match = ID_PATTERN.exec(id)
  return match?.[1] === undefined ? undefined : Math.min(Number(match[1]), MAX_HELD_MS)
}

/** Orders two ids: below zero where `one` is the earlier. Their numbers may be larger than any that can be counted with. */
export function compareIds(one: string, other: string): number {
  const [oneMs = '', oneSequence = ''] = one.split('-')
  const [otherMs = '', otherSequence = ''] = other.split('-')
  return compareDigits(oneMs, otherMs) || compareDigits(oneSequence, otherSequence)
}

function compareDigits(one: string, other: string): number {
  return one.length - other.length || (one === other ? 0 : one > other ? 1 : -1)
}

/** The rule of an entry, or undefined where it is none: see `readEntry`. */
export function decodeEntry(id: string, fields: readonly string[], farExpirySeconds: number): Rule | undefined {
  return readEntry(id, fields, farExpirySeconds).rule
}

/**
 * Reads an entry of the log. Times are unix seconds, ISO 8601 or unix milliseconds. An `expires` that is missing or cannot be
 * read becomes `farExpirySeconds` (unix seconds), so that a rule lives too long rather than not at all; a `before` that cannot
 * be read becomes the time of the entry; an `at` after the id is the time of the id; notes that are too long are cut. There is
 * no rule in what has no known kind, no usable value or issuer, or an unreadable `lifted`.
 */
export function readEntry(id: string, fields: readonly string[], farExpirySeconds: number): Reading {
  const idMs = millisecondsOfId(id)
  if (idMs === undefined) return noRule('its id is not like "<milliseconds>-<sequence>"')
  if (fields.length > MAX_FIELDS * 2) return noRule(`it has more than ${MAX_FIELDS} fields`)
  const { read, unknown } = readFields(fields)
  const kind = read.get('kind')
  const value = read.get('value')
  const issuer = read.get('issuer')
  const lifted = liftedOf(read.get('lifted'))
  if (!isRuleKind(kind)) return noRule(`"kind" is none of ${ruleKinds.join(', ')}`, kind !== undefined)
  const isForNewer = unknown.length > 0
  if (!isNameable(value)) return noRule(`"value" is ${NOT_MATCHABLE}`, isForNewer)
  if (issuer !== undefined && !isNameable(issuer)) return noRule(`"issuer" is ${NOT_MATCHABLE}`, isForNewer)
  if (lifted === undefined) return noRule('"lifted" is neither 1 nor 0', isForNewer)
  if (lifted && isForNewer) return noRule(VOID_LIFT, true)
  const before = read.get('before')
  const readBefore = timeOf(before)
  const isUnreadable = before !== undefined && readBefore === undefined
  // What does not say in full what it lifts lifts nothing.
  if (isUnreadable && lifted) return noRule(UNREADABLE_BEFORE)
  const source = read.get('source')
  const expiresAtSeconds = timeOf(read.get('expires'))
  // The lift of an event says nothing of what the next rule of its source is against: it must not widen that one.
  const noBefore = lifted && source !== undefined ? 0 : undefined
  const rule = {
    kind,
    value,
    issuer,
    source,
    ...(unknown.length > 0 && { extra: extraOf(unknown) }),
    // Somebody wanted tokens gone. Without an entry they would all be admitted; without a `before`, those that are issued
    // after it would be refused too, until the rule ends: alice could not log in again. All that there were when the entry
    // was written is what is meant most often, and no honest `before` lies later.
    issuedBeforeSeconds: isUnreadable ? idMs / 1000 : (readBefore ?? noBefore),
    expiresAtSeconds: expiresAtSeconds ?? farExpirySeconds,
    ...(expiresAtSeconds === undefined && { isEndGuessed: true }),
    reason: tidyNote(read.get('reason')),
    actor: tidyNote(read.get('actor')),
    atMs: originalMs(read.get('at'), idMs),
    lifted,
  }
  return { rule, problem: isUnreadable ? UNREADABLE_BEFORE : unknown.length > 0 ? WIDENED : undefined }
}

/** Whether an entry has a time beside its id: it is a copy of one that was written before. */
export function isCopy(fields: readonly string[]): boolean {
  return fieldOf(fields, 'at') !== undefined
}

/** When an entry was first written, in milliseconds: a copy names the time, no later than that of its id. */
export function timeOfEntry({ id, fields }: LogEntry): number {
  return originalMs(fieldOf(fields, 'at'), millisecondsOfId(id) ?? 0)
}

/** The value that an entry is about; empty where it says none. */
export function valueOfEntry(fields: readonly string[]): string {
  return fieldOf(fields, 'value') ?? ''
}

/** When an entry that is not understood ends, where it says so. */
export function endOfEntry(fields: readonly string[]): number | undefined {
  return timeOf(fieldOf(fields, 'expires'))
}

/** Writes a rule as fields of an entry. With `keepsTime` its own `at` goes along; else the id's time is its time. */
export function encodeEntry(rule: Rule, keepsTime: { readonly keepsTime: boolean }): string[] {
  const fields = ['kind', rule.kind, 'value', rule.value]
  if (rule.issuer !== undefined) fields.push('issuer', rule.issuer)
  // A gate of 7d4b85d ignores it, and takes the rule for one of a person.
  if (rule.source !== undefined) fields.push('source', rule.source)
  if (rule.extra !== undefined) fields.push(...readExtra(rule.extra))
  if (rule.issuedBeforeSeconds !== undefined) fields.push('before', secondsText(rule.issuedBeforeSeconds))
  fields.push('expires', secondsText(rule.expiresAtSeconds))
  if (rule.reason !== undefined) fields.push('reason', rule.reason)
  if (rule.actor !== undefined) fields.push('actor', rule.actor)
  if (rule.lifted) fields.push('lifted', '1')
  if (keepsTime.keepsTime) fields.push('at', String(Math.trunc(rule.atMs)))
  return fields
}

function fieldOf(fields: readonly string[], wanted: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index] === wanted && fields[index + 1] !== '') found = fields[index + 1]
  }
  return found
}

// Names and values of what this version does not know, in turn. `x-…` is a note for people.
function readFields(fields: readonly string[]): { read: Map<string, string>; unknown: string[] } {
  const read = new Map<string, string>()
  const unknown: string[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ''
    const value = fields[index + 1] ?? ''
    if (!knownFields.has(name)) {
      if (!name.startsWith('x-')) unknown.push(name, value)
    } else if (value !== '') read.set(name, value)
  }
  for (const name of ['v', 'must', 'source']) {
    const value = read.get(name)
    if (value === undefined || isUnderstood(name, value)) continue
    unknown.push(name, value)
    read.delete(name)
  }
  return { read, unknown }
}

function isUnderstood(name: string, value: string): boolean {
  if (name === 'v') return value === '1'
  if (name === 'source') return isSource(value) && Buffer.byteLength(value) <= MAX_SOURCE_BYTES
  return value.split(/[\s,]+/).every((field) => field === '' || knownFields.has(field))
}

function extraOf(unknown: readonly string[]): string {
  const text = JSON.stringify(unknown.map((part) => part.toWellFormed()))
  if (text.length <= MAX_EXTRA_UNITS) return text
  return JSON.stringify(['not-kept', `sha256:${createHash('sha256').update(text).digest('base64url')}`])
}

function readExtra(extra: string): readonly string[] {
  const parts: unknown = JSON.parse(extra)
  return Array.isArray(parts) ? parts.map(String) : []
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

// A time ahead of the entry's own would swallow what is written after it, a rule after a lift too.
function originalMs(text: string | undefined, idMs: number): number {
  return text === undefined || !MILLISECONDS_PATTERN.test(text) ? idMs : Math.min(Number(text), idMs)
}

function secondsText(seconds: number): string {
  return Number.isInteger(seconds) ? String(seconds) : seconds.toFixed(3)
}
