// Which shard holds the rules of this value? All rules of one kind, spread by the leading bits of their hash (extendible
// hashing): a shard that is full is split in two, so that growing never touches more than one shard's rows.

import type { RuleKind } from '../rule/rule.ts'
import type { Blocks } from './blocks.ts'
import type { WordHash } from './hash.ts'
import type { Key } from './key.ts'
import { hashOfRow, lengthOf } from './layout.ts'
import { createSieve, type Sieve } from './presence-filter.ts'
import { BUCKET_COUNT, createShard, insertRow, keepRows, maxUsedWords, removeRow, type Shard } from './shard.ts'

export interface Table {
  readonly kind: RuleKind
  /** How many of its rules are no lifts: kept by the list. */
  inForce: number
  readonly sieve: Sieve
  /** The shard that would hold a value; undefined while the table is empty. */
  shardOf(hash: number): Shard | undefined
  /** Answers false where the shard has no room for it, and cannot be split so that it has. */
  insert(key: Key, source: Int32Array, length: number): boolean
  remove(shard: Shard, key: Key, row: number): void
  /** The shards, in an order to which new ones are appended. */
  shards(): readonly Shard[]
  /** Drops the rows of one shard for which the answer is true, and answers how many. */
  drop(shard: Shard, isOver: (words: Int32Array, row: number) => boolean): number
  bytes(): number
}

// A shard of 16 KiB is split: 400 to 700 rules. Smaller ones cost more ends of buckets, larger ones more moving for each
// rule that comes in.
const SPLIT_WORDS = 4096
// Growing by a thirty-second wastes one and a half hundredths on average.
const SPARE_SHIFT = 5
const LEAST_SPARE_WORDS = 16
// Measured on V8: the object of a shard, its slots in two lists.
const BYTES_PER_SHARD = 120
const BYTES_PER_DIRECTORY_SLOT = 8
const SHARDS_PER_CHUNK = 16
const bytesPerChunk = SHARDS_PER_CHUNK * BUCKET_COUNT * Uint16Array.BYTES_PER_ELEMENT
const noEnds = new Uint16Array(0)

export function createTable(kind: RuleKind, blocks: Blocks, hash: WordHash): Table {
  const sieve = createSieve()
  let shards: Shard[] = []
  // The ends of the buckets of a few shards at a time.
  let ends: Uint16Array[] = []
  // A shard of depth d stands in 2^(bits - d) neighbouring slots.
  let directory: Shard[] = []
  let bits = 0
  let rows = 0

  const slotOf = (hashed: number) => hashed >>> (32 - bits)

  function begin(): Shard {
    const shard = addShard(0, LEAST_SPARE_WORDS)
    bits = 1
    directory = [shard, shard]
    return shard
  }

  function addShard(depth: number, capacity: number): Shard {
    const at = shards.length % SHARDS_PER_CHUNK
    if (at === 0) ends.push(new Uint16Array(SHARDS_PER_CHUNK * BUCKET_COUNT))
    const shard = createShard(depth, ends.at(-1) ?? noEnds, at * BUCKET_COUNT)
    blocks.resize(shard, capacity)
    shards.push(shard)
    return shard
  }

  // Values of one hash cannot be parted: the directory must not double in vain.
  const canSplit = (shard: Shard) => shard.depth < bits || directory.length < 8 * (shards.length + 8)

  function split(shard: Shard, hashed: number): void {
    if (shard.depth === bits) {
      directory = directory.flatMap((one) => [one, one])
      bits += 1
    }
    const width = 1 << (bits - shard.depth)
    const from = slotOf(hashed) & -width
    shard.depth += 1
    const upper = addShard(shard.depth, shard.capacity)
    directory.fill(upper, from + width / 2, from + width)
    const bit = 32 - shard.depth
    keepRows(shard, (words, row) => {
      const rowHash = hashOfRow(words, row, hash)
      if (((rowHash >>> bit) & 1) === 0) return true
      insertRow(upper, rowHash, words, row, lengthOf(words, row))
      return false
    })
    adjust(shard, 0)
    adjust(upper, 0)
  }

  // Gives a shard room for so many more words, and takes back what it has far too much.
  function adjust(shard: Shard, more: number): void {
    const needed = shard.used + more
    if (needed === 0) {
      blocks.resize(shard, 0)
      return
    }
    const spare = Math.max(LEAST_SPARE_WORDS, needed >> SPARE_SHIFT)
    if (needed <= shard.capacity && shard.capacity <= needed + 3 * spare) return
    blocks.resize(shard, Math.min(needed + spare, maxUsedWords))
  }

  function endIfEmpty(): void {
    if (rows > 0) return
    shards = []
    ends = []
    directory = []
    bits = 0
    sieve.clear()
  }

  return {
    kind,
    inForce: 0,
    sieve,
    shardOf: (hashed) => directory[slotOf(hashed)],
    insert: (key, source, length) => {
      let shard = directory[slotOf(key.hash)] ?? begin()
      while (shard.used + length > SPLIT_WORDS && canSplit(shard)) {
        split(shard, key.hash)
        shard = directory[slotOf(key.hash)] ?? shard
      }
      if (shard.used + length > maxUsedWords) return false
      adjust(shard, length)
      insertRow(shard, key.hash, source, 0, length)
      rows += 1
      return true
    },
    remove: (shard, key, row) => {
      removeRow(shard, key.hash, row)
      rows -= 1
      adjust(shard, 0)
      endIfEmpty()
    },
    shards: () => shards,
    drop: (shard, isOver) => {
      const before = shard.rows
      if (before === 0) return 0
      keepRows(shard, (words, row) => !isOver(words, row))
      const dropped = before - shard.rows
      if (dropped === 0) return 0
      rows -= dropped
      adjust(shard, 0)
      endIfEmpty()
      return dropped
    },
    bytes: () =>
      shards.length * BYTES_PER_SHARD + directory.length * BYTES_PER_DIRECTORY_SLOT + ends.length * bytesPerChunk,
  }
}
