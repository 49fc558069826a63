// Which rows may be about this value? One shard of a table: its rows lie in 64 buckets, one behind the other without a gap, so
// that a question reads one short run of memory and a row costs nothing beyond its own words.
import { blockWords, type Extent, unplaced } from './list-blocks.ts'
import type { Key } from './list-key.ts'
import { hasValue, lengthOf } from './list-layout.ts'

export interface Shard extends Extent {
  /** How many leading bits of a hash lead here. */
  depth: number
  rows: number
  /** The words that the rows take. */
  used: number
}

/** No such row. */
export const noRow = -1

const bucketCount = 64
const bucketMask = bucketCount - 1
/** In front of the rows: where each bucket ends, two of them in a word. */
export const headWords = bucketCount / 2
/** The most that the rows of one shard can take: an end has 16 bits. */
export const maxUsedWords = blockWords - headWords

export function createShard(depth: number): Shard {
  return { ...unplaced(), depth, rows: 0, used: 0 }
}

/** Empties the words that a shard was placed on. */
export function clearShard(shard: Shard): void {
  shard.words.fill(0, shard.start, shard.start + headWords)
  shard.rows = 0
  shard.used = 0
}

/** The first row that is about a value; its place in `shard.words`, until anything changes. */
export function firstRow(shard: Shard, key: Key): number {
  return search(shard, key, shard.start + headWords + startOf(shard, key.hash & bucketMask))
}

/** The next one: rules of one value that differ in their issuer. */
export function nextRow(shard: Shard, key: Key, row: number): number {
  return search(shard, key, row + lengthOf(shard.words, row))
}

function search(shard: Shard, key: Key, from: number): number {
  const { words } = shard
  const end = shard.start + headWords + endOf(shard, key.hash & bucketMask)
  for (let row = from; row < end; row += lengthOf(words, row)) if (hasValue(words, row, key)) return row
  return noRow
}

/** Adds a row, for which the shard must have the capacity. */
export function insertRow(shard: Shard, hash: number, source: Int32Array, from: number, length: number): void {
  const { words } = shard
  const first = shard.start + headWords
  const row = first + endOf(shard, hash & bucketMask)
  words.copyWithin(row + length, row, first + shard.used)
  copyWords(words, row, source, from, length)
  moveEnds(shard, hash & bucketMask, length)
  shard.rows += 1
  shard.used += length
}

/** Takes a row out. */
export function removeRow(shard: Shard, hash: number, row: number): void {
  const { words } = shard
  const length = lengthOf(words, row)
  words.copyWithin(row, row + length, shard.start + headWords + shard.used)
  moveEnds(shard, hash & bucketMask, -length)
  shard.rows -= 1
  shard.used -= length
}

/** Calls back for every row. */
export function eachRow(shard: Shard, visit: (words: Int32Array, row: number) => void): void {
  const first = shard.start + headWords
  for (let row = first; row < first + shard.used; row += lengthOf(shard.words, row)) visit(shard.words, row)
}

/** Keeps the rows for which the answer is true, in one pass. The capacity stays. */
export function keepRows(shard: Shard, isKept: (words: Int32Array, row: number) => boolean): void {
  const { words } = shard
  const first = shard.start + headWords
  let read = first
  let kept = first
  for (let bucket = 0; bucket < bucketCount; bucket += 1) {
    const end = first + endOf(shard, bucket)
    while (read < end) {
      const length = lengthOf(words, read)
      if (isKept(words, read)) {
        if (kept !== read) copyWords(words, kept, words, read, length)
        kept += length
      } else shard.rows -= 1
      read += length
    }
    moveEnd(shard, bucket, kept - end)
  }
  shard.used = kept - first
}

function startOf(shard: Shard, bucket: number): number {
  return bucket === 0 ? 0 : endOf(shard, bucket - 1)
}

function endOf(shard: Shard, bucket: number): number {
  const pair = shard.words[shard.start + (bucket >> 1)] ?? 0
  return (bucket & 1) === 0 ? pair & 0xffff : pair >>> 16
}

function moveEnd(shard: Shard, bucket: number, by: number): void {
  const at = shard.start + (bucket >> 1)
  shard.words[at] = (shard.words[at] ?? 0) + ((bucket & 1) === 0 ? by : by << 16)
}

function moveEnds(shard: Shard, bucket: number, by: number): void {
  const { words, start } = shard
  if ((bucket & 1) === 1) moveEnd(shard, bucket, by)
  // Both halves at once: neither can leave its 16 bits, so neither can carry into the other.
  const both = Math.imul(by, 0x10001)
  for (let pair = (bucket + 1) >> 1; pair < headWords; pair += 1) {
    words[start + pair] = (words[start + pair] ?? 0) + both
  }
}

function copyWords(to: Int32Array, at: number, from: Int32Array, start: number, length: number): void {
  for (let word = 0; word < length; word += 1) to[at + word] = from[start + word] ?? 0
}
