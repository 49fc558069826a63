// Which rows may be about this value? One shard of a table: its rows lie in 256 buckets, one behind the other without a gap, so
// that a question reads one short run of memory and a row costs nothing beyond its own words.
import { BLOCK_WORDS, type Extent, unplaced } from './blocks.ts'
import type { Key } from './key.ts'
import { hasValue, lengthOf } from './layout.ts'

export interface Shard extends Extent {
  /** How many leading bits of a hash lead here. */
  depth: number
  rows: number
  /** The words that the rows take. */
  used: number
  /** Where each bucket ends, from `endsAt` on. Apart from the rows, so that the ends of all shards stay in the caches. */
  readonly ends: Uint16Array
  readonly endsAt: number
}

/** No such row. */
export const noRow = -1

export const BUCKET_COUNT = 256
const bucketMask = BUCKET_COUNT - 1
/** The most that the rows of one shard can take: an end has 16 bits. */
export const maxUsedWords = BLOCK_WORDS

/** Makes an empty shard, that is in no block yet. */
export function createShard(depth: number, ends: Uint16Array, endsAt: number): Shard {
  return { ...unplaced(), ends, endsAt, depth, rows: 0, used: 0 }
}

/** The first row that is about a value; its place in `shard.words`, until anything changes. */
export function firstRow(shard: Shard, key: Key): number {
  return search(shard, key, shard.start + startOf(shard, key.hash & bucketMask))
}

/** The next one: rules of one value that differ in their issuer. */
export function nextRow(shard: Shard, key: Key, row: number): number {
  return search(shard, key, row + lengthOf(shard.words, row))
}

function search(shard: Shard, key: Key, from: number): number {
  const { words } = shard
  const end = shard.start + endOf(shard, key.hash & bucketMask)
  for (let row = from; row < end; row += lengthOf(words, row)) if (hasValue(words, row, key)) return row
  return noRow
}

/** Adds a row, for which the shard must have the capacity. */
export function insertRow(shard: Shard, hash: number, source: Int32Array, from: number, length: number): void {
  const { words } = shard
  const first = shard.start
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
  words.copyWithin(row, row + length, shard.start + shard.used)
  moveEnds(shard, hash & bucketMask, -length)
  shard.rows -= 1
  shard.used -= length
}

/** Calls back for every row. */
export function eachRow(shard: Shard, visit: (words: Int32Array, row: number) => void): void {
  const first = shard.start
  for (let row = first; row < first + shard.used; row += lengthOf(shard.words, row)) visit(shard.words, row)
}

/** The first row for which the answer is true. */
export function findRow(shard: Shard, isWanted: (words: Int32Array, row: number) => boolean): number {
  const first = shard.start
  for (let row = first; row < first + shard.used; row += lengthOf(shard.words, row))
    if (isWanted(shard.words, row)) return row
  return noRow
}

/** Keeps the rows for which the answer is true, in one pass. The capacity stays. */
export function keepRows(shard: Shard, isKept: (words: Int32Array, row: number) => boolean): void {
  const { words } = shard
  const first = shard.start
  let read = first
  let kept = first
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
    const end = first + endOf(shard, bucket)
    while (read < end) {
      const length = lengthOf(words, read)
      if (isKept(words, read)) {
        if (kept !== read) copyWords(words, kept, words, read, length)
        kept += length
      } else shard.rows -= 1
      read += length
    }
    shard.ends[shard.endsAt + bucket] = kept - first
  }
  shard.used = kept - first
}

function startOf(shard: Shard, bucket: number): number {
  return bucket === 0 ? 0 : endOf(shard, bucket - 1)
}

function endOf(shard: Shard, bucket: number): number {
  return shard.ends[shard.endsAt + bucket] ?? 0
}

function moveEnds(shard: Shard, bucket: number, by: number): void {
  const { ends, endsAt } = shard
  for (let at = endsAt + bucket; at < endsAt + BUCKET_COUNT; at += 1) ends[at] = (ends[at] ?? 0) + by
}

function copyWords(to: Int32Array, at: number, from: Int32Array, start: number, length: number): void {
  for (let word = 0; word < length; word += 1) to[at + word] = from[start + word] ?? 0
}
