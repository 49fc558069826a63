// How is a rule laid out as words? Knows where each part of a row begins and how long the row is; never what it means.
//
//   head · at · [size] · [shared] · [before] · [exact: at, expires, forget, before] · value · [scope] · [note]
//
// head: 6 flags, the upper 4 bits of `at`, 22 bits of lifetime (48 days); `at`: milliseconds since the list was begun (2
// years). Rules that do not fit that, and lifts, are `exact`: their times are doubles. size: words of the whole row, units of
// the value. shared: the numbers of the scope (issuer and source) and of the note. Both at the end: texts that are not shared.
import type { WordHash } from './hash.ts'
import { BYTES_FORM, type Key, lastWordOf, textWordCount, UNITS_FORM, wordCountOf } from './key.ts'

export const FLAGS_SHIFT = 26
export const FORM_MASK = 3
export const SHARED_FLAG = 4
export const BEFORE_FLAG = 8
export const EXACT_FLAG = 16
export const SIZE_FLAG = 32

export const AT_SHIFT = 22
export const atLimitMs = 2 ** 36
export const lifetimeLimitSeconds = 2 ** AT_SHIFT
/** In the head of an exact row, which has no lifetime there. */
export const LIFTED_BIT = 1
/** The same, for an end that no entry names. */
export const GUESSED_BIT = 2

const EXACT_WORDS = 8

/** Where the parts of a row begin, counted from its head, for each set of flags. */
const sharedOffsets = offsets((flags) => 2 + has(flags, SIZE_FLAG))
const beforeOffsets = offsets((flags) => 2 + has(flags, SIZE_FLAG) + has(flags, SHARED_FLAG))
const exactOffsets = offsets((flags) => 2 + has(flags, SIZE_FLAG) + has(flags, SHARED_FLAG) + has(flags, BEFORE_FLAG))
const valueOffsets = offsets((flags) => (exactOffsets[flags] ?? 0) + EXACT_WORDS * has(flags, EXACT_FLAG))

export const sharedAt = (row: number, flags: number) => row + (sharedOffsets[flags] ?? 0)
export const beforeAt = (row: number, flags: number) => row + (beforeOffsets[flags] ?? 0)
export const exactAt = (row: number, flags: number) => row + (exactOffsets[flags] ?? 0)
export const valueAt = (row: number, flags: number) => row + (valueOffsets[flags] ?? 0)

export const flagsOf = (words: Int32Array, row: number) => (words[row] ?? 0) >>> FLAGS_SHIFT
export const sizeWord = (length: number, units: number) => (length << 16) | units
/** The UTF-16 units of a value that has a size; 0 for the forms that need none. */
export const unitsOf = (words: Int32Array, row: number, flags: number) =>
  (flags & SIZE_FLAG) === 0 ? 0 : (words[row + 2] ?? 0) & 0xffff

/** How many words a row takes. */
export function lengthOf(words: Int32Array, row: number): number {
  const flags = flagsOf(words, row)
  return (flags & SIZE_FLAG) === 0 ? (valueOffsets[flags] ?? 0) + 4 : (words[row + 2] ?? 0) >>> 16
}

/** Tells whether a row is about this very value. */
export function hasValue(words: Int32Array, row: number, key: Key): boolean {
  const flags = flagsOf(words, row)
  if ((flags & FORM_MASK) !== key.form) return false
  const start = valueAt(row, flags)
  if (words[start] !== key.words[0]) return false
  if (key.form >= BYTES_FORM && unitsOf(words, row, flags) !== key.units) return false
  for (let word = 1; word < key.count; word += 1) if (words[start + word] !== key.words[word]) return false
  return true
}

/** Hashes the value of a row, to the same as the key had that it was made of. */
export function hashOfRow(words: Int32Array, row: number, hash: WordHash): number {
  const flags = flagsOf(words, row)
  const form = flags & FORM_MASK
  const units = form >= BYTES_FORM ? unitsOf(words, row, flags) : 0
  return hash(words, valueAt(row, flags), wordCountOf(form, units), lastWordOf(form, units))
}

/** Where the texts begin that are not shared. */
export function tailAt(words: Int32Array, row: number, flags: number): number {
  const form = flags & FORM_MASK
  return valueAt(row, flags) + wordCountOf(form, form >= BYTES_FORM ? unitsOf(words, row, flags) : 0)
}

/** The first word of a text at the end: its units and whether they take two bytes. */
export const textHead = (units: number, isWide: boolean) => (units << 1) | Number(isWide)

/** How many words a text at the end takes, its first one included. */
export function textLength(head: number): number {
  return 1 + textWordCount(head >>> 1, (head & 1) === 1)
}

/** The value of a row is a text that has its units in the size. */
export const needsSize = (form: number) => form === BYTES_FORM || form === UNITS_FORM

function has(flags: number, flag: number): number {
  return (flags & flag) === 0 ? 0 : 1
}

function offsets(of: (flags: number) => number): Uint8Array {
  return Uint8Array.from({ length: 64 }, (_, flags) => of(flags))
}
