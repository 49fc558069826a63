// How is a rule written as a row of the local list? Short where times are whole and near, exact where they are not; texts that
// repeat as numbers. Must keep every digit and character: what is written here is all that is left of the rule.

import type { Rule } from '../rule/rule.ts'
import { type Key, packText } from './key.ts'
import {
  AT_SHIFT,
  atLimitMs,
  BEFORE_FLAG,
  beforeAt,
  EXACT_FLAG,
  exactAt,
  FLAGS_SHIFT,
  GUESSED_BIT,
  LIFTED_BIT,
  lifetimeLimitSeconds,
  needsSize,
  SHARED_FLAG,
  SIZE_FLAG,
  sharedAt,
  sizeWord,
  textHead,
  textLength,
  valueAt,
} from './layout.ts'
import { writeNote } from './note.ts'
import { type Scopes, writeScope } from './scopes.ts'
import { notShared, type SharedTexts } from './texts.ts'

/** What all rows of a list refer to. */
export interface RowGround {
  scopes: Scopes
  notes: SharedTexts
  /** The time from which short rows count theirs. */
  beginMs: number
}

export interface RowWriter {
  /** Where `write` leaves the row. */
  readonly scratch: Int32Array
  /** Writes a rule, and answers how many words it took. It holds its shared texts until they are released. */
  write(rule: Rule, forgetAtSeconds: number, key: Key): number
}

// The longest issuer and note that a row can hold itself; the log has at most 1024 and 2 × 256 bytes of them.
const MAX_TEXT_UNITS = 2048
const SCRATCH_WORDS = 4096
const secondsLimit = 2 ** 32

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

export function createRowWriter(ground: RowGround): RowWriter {
  const scratch = new Int32Array(SCRATCH_WORDS)

  function write(rule: Rule, forgetAtSeconds: number, key: Key): number {
    const scope = writeScope(rule)
    const note = writeNote(rule)
    refuseTooLong(scope)
    refuseTooLong(note)
    const scopeNumber = numberOf(ground.scopes, scope)
    const noteNumber = numberOf(ground.notes, note)
    const hasTail = scopeNumber === notShared || noteNumber === notShared
    const flags =
      key.form |
      (scopeNumber === 0 && noteNumber === 0 ? 0 : SHARED_FLAG) |
      timeFlags(rule, forgetAtSeconds) |
      (needsSize(key.form) || hasTail ? SIZE_FLAG : 0)

    writeTimes(rule, forgetAtSeconds, flags)
    if ((flags & SHARED_FLAG) !== 0) scratch[sharedAt(0, flags)] = (scopeNumber << 16) | noteNumber
    let end = valueAt(0, flags)
    for (let word = 0; word < key.count; word += 1, end += 1) scratch[end] = key.words[word] ?? 0
    if (scopeNumber === notShared) end = writeText(end, scope)
    if (noteNumber === notShared) end = writeText(end, note)
    if ((flags & SIZE_FLAG) !== 0) scratch[2] = sizeWord(end, key.units)
    return end
  }

  function timeFlags(rule: Rule, forgetAtSeconds: number): number {
    const { atMs, expiresAtSeconds, issuedBeforeSeconds: before } = rule
    const isShort =
      rule.lifted !== true &&
      rule.isEndGuessed !== true &&
      forgetAtSeconds === expiresAtSeconds &&
      isBelow(atMs - ground.beginMs, atLimitMs) &&
      isBelow(lifetimeOf(rule), lifetimeLimitSeconds) &&
      (before === undefined || isBelow(before, secondsLimit))
    if (!isShort) return EXACT_FLAG
    return before === undefined ? 0 : BEFORE_FLAG
  }

  function writeTimes(rule: Rule, forgetAtSeconds: number, flags: number): void {
    const { atMs, issuedBeforeSeconds: before } = rule
    const head = flags << FLAGS_SHIFT
    if ((flags & EXACT_FLAG) !== 0) {
      scratch[0] = head | (rule.lifted ? LIFTED_BIT : 0) | (rule.isEndGuessed ? GUESSED_BIT : 0)
      scratch[1] = 0
      const exact = exactAt(0, flags)
      writeDouble(exact, atMs)
      writeDouble(exact + 2, rule.expiresAtSeconds)
      writeDouble(exact + 4, forgetAtSeconds)
      writeDouble(exact + 6, before ?? Number.NaN)
      return
    }
    const sinceMs = atMs - ground.beginMs
    scratch[0] = head | (Math.floor(sinceMs / 2 ** 32) << AT_SHIFT) | lifetimeOf(rule)
    scratch[1] = sinceMs | 0
    if (before !== undefined) scratch[beforeAt(0, flags)] = before
  }

  function writeDouble(at: number, value: number): void {
    double[0] = value
    scratch[at] = doubleWords[0] ?? 0
    scratch[at + 1] = doubleWords[1] ?? 0
  }

  function writeText(at: number, text = ''): number {
    const head = textHead(text.length, packText(text, scratch, at + 1))
    scratch[at] = head
    return at + textLength(head)
  }

  return Object.freeze({ scratch, write } satisfies RowWriter)
}

function numberOf(texts: Pick<SharedTexts, 'take'>, text: string | undefined): number {
  return text === undefined ? 0 : texts.take(text)
}

function lifetimeOf({ atMs, expiresAtSeconds }: Rule): number {
  return expiresAtSeconds - Math.floor(atMs / 1000)
}

function isBelow(number: number, limit: number): boolean {
  return Number.isInteger(number) && number >= 0 && number < limit
}

function refuseTooLong(text: string | undefined): void {
  if (text === undefined || text.length <= MAX_TEXT_UNITS) return
  throw new RangeError(
    `Cannot hold a revocation rule: its issuer, source or notes have more than ${MAX_TEXT_UNITS} characters`,
  )
}
