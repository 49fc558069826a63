// How is a rule written in the log, and what does an entry of the log mean? Entries come from any program that can reach
// Redis: they are bounded, unknown fields are ignored, and a malformed one is `undefined`, never an exception.
import { isMatchable, isRuleKind, MAX_TIME_SECONDS, type Rule, tidyNote } from './rule.ts'

/** One entry of the stream: its id (`<ms>-<sequence>`) and its fields, names and values in turn. */
export interface LogEntry {
  readonly id: string
  readonly fields: readonly string[]
}

/** The id before the first entry. */
export const LOG_START = '0-0'

const MAX_FIELDS = 64
const knownFields = new Set(['kind', 'value', 'issuer', 'before', 'expires', 'reason', 'actor', 'lifted', 'at'])
const SECONDS_PATTERN = /^\d{1,12}(?:\.\d{1,9})?$/
const MILLISECONDS_PATTERN = /^\d{1,15}$/
const ID_PATTERN = /^(\d{1,15})-\d{1,20}$/
// A wiped Redis may come back on a machine whose clock is behind, so that an original `at` lies ahead of the new id. More
// than a day ahead is not a clock: such an entry could never be lifted.
const MAX_AHEAD_MS = 86_400_000

/** The time in an entry's id in milliseconds, or undefined where it is no id. */
export function millisecondsOfId(id: string): number | undefined {
  const match = ID_PATTERN.exec(id)
  return match?.[1] === undefined ? undefined : Number(match[1])
}

/**
 * Reads an entry of the log. An `expires` that is missing or cannot be read becomes `farExpirySeconds` (unix seconds), so
 * that a rule lives too long rather than not at all; notes that are too long are cut. Answers undefined for what cannot be
 * a rule: no known kind, no usable value, an unreadable `before` or `lifted`.
 */
export function decodeEntry(id: string, fields: readonly string[], farExpirySeconds: number): Rule | undefined {
  const idMs = millisecondsOfId(id)
  if (idMs === undefined || fields.length > MAX_FIELDS * 2) return undefined
  const read = readFields(fields)
  const kind = read.get('kind')
  const value = read.get('value')
  if (!isRuleKind(kind) || !isMatchable(value)) return undefined
  const issuer = read.get('issuer')
  if (issuer !== undefined && !isMatchable(issuer)) return undefined
  const before = read.get('before')
  const issuedBeforeSeconds = secondsOf(before)
  if (before !== undefined && issuedBeforeSeconds === undefined) return undefined
  const lifted = liftedOf(read.get('lifted'))
  if (lifted === undefined) return undefined
  return {
    kind,
    value,
    issuer,
    issuedBeforeSeconds,
    expiresAtSeconds: secondsOf(read.get('expires')) ?? farExpirySeconds,
    reason: tidyNote(read.get('reason')),
    actor: tidyNote(read.get('actor')),
    atMs: originalMs(read.get('at'), idMs),
    lifted,
  }
}

/** Writes a rule as fields of an entry. With `keepsTime` its own `at` goes along; else the id's time is its time. */
export function encodeEntry(rule: Rule, keepsTime: { readonly keepsTime: boolean }): string[] {
  const fields = ['kind', rule.kind, 'value', rule.value]
  if (rule.issuer !== undefined) fields.push('issuer', rule.issuer)
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

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined || !SECONDS_PATTERN.test(text)) return undefined
  const seconds = Number(text)
  return seconds <= MAX_TIME_SECONDS ? seconds : undefined
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
