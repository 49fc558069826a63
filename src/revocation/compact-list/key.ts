// What does a value look like as words? UUIDs and hexadecimal digests take 16 bytes, other texts one or two bytes for each
// UTF-16 unit. Lossless: no two texts may ever give the same form, units and words, or a rule would hit the wrong token.
import type { WordHash } from './hash.ts'

/** A UUID in lower case, with its four dashes. */
export const UUID_FORM = 0
/** 32 hexadecimal digits in lower case. */
export const HEX_FORM = 1
/** One byte for each unit, four in a word: every unit is below 256. */
export const BYTES_FORM = 2
/** Two bytes for each unit. */
export const UNITS_FORM = 3

/** The longest value that can be held, in UTF-16 units: what 1024 bytes of UTF-8 can hold at most. */
export const MAX_KEY_UNITS = 1024

/** A value as words. Made once and filled for each question, so that a check allocates nothing. */
export interface Key {
  readonly words: Int32Array
  /** How many of the words are in use. */
  count: number
  form: number
  units: number
  hash: number
}

const dash = 0x2d
const DIGITS = '0123456789abcdef'
const noDigit = 0x10000
const digitOf = new Int32Array(256).fill(noDigit)
for (let digit = 0; digit < DIGITS.length; digit += 1) digitOf[DIGITS.charCodeAt(digit)] = digit

// Measured: writing a text as UTF-8 and reading its bytes takes a third of the time of asking it for each unit, above all where
// texts of several makes (parsed, cut, put together) come along. Three bytes for each unit are enough for any text.
const utf8 = Buffer.alloc(MAX_KEY_UNITS * 3)

export function createKey(): Key {
  return { words: new Int32Array(MAX_KEY_UNITS / 2), count: 0, form: UUID_FORM, units: 0, hash: 0 }
}

/** Fills a key with a value. Answers false where the value is too long for any rule. */
export function fillKey(key: Key, value: string, hash: WordHash): boolean {
  const units = value.length
  if (units > MAX_KEY_UNITS) return false
  const isAscii = utf8.write(value) === units
  if (!isAscii) setShape(key, packText(value, key.words, 0) ? UNITS_FORM : BYTES_FORM, units)
  else if (units === 36 && packUuid(key.words)) setShape(key, UUID_FORM, 0)
  else if (units === 32 && packDigits(key.words, 8, 12, 16, 20, 24)) setShape(key, HEX_FORM, 0)
  else {
    packBytes(key.words, units)
    setShape(key, BYTES_FORM, units)
  }
  key.hash = hash(key.words, 0, key.count, lastWordOf(key.form, key.units))
  return true
}

/** What the hash takes after the words, so that texts of the same words but another form or length lie elsewhere. */
export function lastWordOf(form: number, units: number): number {
  return (units << 2) | form
}

/** How many words a value takes. */
export function wordCountOf(form: number, units: number): number {
  return form < BYTES_FORM ? 4 : textWordCount(units, form === UNITS_FORM)
}

/** How many words a text takes. */
export function textWordCount(units: number, isWide: boolean): number {
  return isWide ? (units + 1) >> 1 : (units + 3) >> 2
}

/** Writes a text as words, and answers whether it needs two bytes for each unit. */
export function packText(text: string, words: Int32Array, start: number): boolean {
  const units = text.length
  let seen = 0
  let word = 0
  for (let unit = 0; unit < units; unit += 1) {
    const code = text.charCodeAt(unit)
    seen |= code
    word |= code << ((unit & 3) << 3)
    if ((unit & 3) !== 3 && unit !== units - 1) continue
    words[start + (unit >> 2)] = word
    word = 0
  }
  if (seen < 256) return false
  for (let unit = 0; unit < units; unit += 2) {
    const upper = unit + 1 < units ? text.charCodeAt(unit + 1) : 0
    words[start + (unit >> 1)] = text.charCodeAt(unit) | (upper << 16)
  }
  return true
}

/** One unit of a packed text. */
export function unitAt(words: Int32Array, start: number, unit: number, isWide: boolean): number {
  if (isWide) return ((words[start + (unit >> 1)] ?? 0) >>> ((unit & 1) << 4)) & 0xffff
  return ((words[start + (unit >> 2)] ?? 0) >>> ((unit & 3) << 3)) & 0xff
}

/** Reads a packed text back. */
export function unpackText(words: Int32Array, start: number, units: number, isWide: boolean): string {
  const codes = new Array<number>(units)
  for (let unit = 0; unit < units; unit += 1) codes[unit] = unitAt(words, start, unit, isWide)
  return String.fromCharCode(...codes)
}

/** Reads a value back. */
export function unpackValue(words: Int32Array, start: number, form: number, units: number): string {
  if (form >= BYTES_FORM) return unpackText(words, start, units, form === UNITS_FORM)
  let hex = ''
  for (let word = 0; word < 4; word += 1) hex += ((words[start + word] ?? 0) >>> 0).toString(16).padStart(8, '0')
  if (form === HEX_FORM) return hex
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function setShape(key: Key, form: number, units: number): void {
  key.form = form
  key.units = units
  key.count = wordCountOf(form, units)
}

// The bytes of an ASCII text, four to a word.
function packBytes(words: Int32Array, units: number): void {
  utf8.fill(0, units, units + 3)
  for (let at = 0; at < units; at += 4) {
    const lower = (utf8[at] ?? 0) | ((utf8[at + 1] ?? 0) << 8)
    words[at >> 2] = lower | ((utf8[at + 2] ?? 0) << 16) | ((utf8[at + 3] ?? 0) << 24)
  }
}

function packUuid(words: Int32Array): boolean {
  if (utf8[8] !== dash || utf8[13] !== dash || utf8[18] !== dash || utf8[23] !== dash) return false
  return packDigits(words, 9, 14, 19, 24, 28)
}

// The places are those of the third to the seventh group of four digits; the first two begin at 0, the last follows.
function packDigits(words: Int32Array, third: number, fourth: number, fifth: number, sixth: number, last: number) {
  const a = readDigits(0)
  const b = readDigits(4)
  const c = readDigits(third)
  const d = readDigits(fourth)
  const e = readDigits(fifth)
  const f = readDigits(sixth)
  const g = readDigits(last)
  const h = readDigits(last + 4)
  if ((a | b | c | d | e | f | g | h) > 0xffff) return false
  words[0] = (a << 16) | b
  words[1] = (c << 16) | d
  words[2] = (e << 16) | f
  words[3] = (g << 16) | h
  return true
}

// Four digits as 16 bits, or a number beyond that. Capital letters are no digits here: their case would be lost.
function readDigits(at: number): number {
  return (
    ((digitOf[utf8[at] ?? 0] ?? noDigit) << 12) |
    ((digitOf[utf8[at + 1] ?? 0] ?? noDigit) << 8) |
    ((digitOf[utf8[at + 2] ?? 0] ?? noDigit) << 4) |
    (digitOf[utf8[at + 3] ?? 0] ?? noDigit)
  )
}
