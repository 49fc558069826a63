// Where does a value lie in the local list? A keyed hash, so that nobody who can choose a `sub` or a `jti` can choose values
// that pile up in one place (hash flooding). For places alone: a match is always settled by the value itself.
import { randomBytes } from 'node:crypto'

/** Hashes `count` words from `start`, then `last`, to 32 bits (signed). */
export type WordHash = (words: Int32Array, start: number, count: number, last: number) => number

/** HalfSipHash-1-3, the keyed hash that Linux uses for its hash tables, with a key of this process that nobody knows. */
export function createSecretHash(): WordHash {
  const key = randomBytes(8)
  return createHalfSipHash(key.readInt32LE(0), key.readInt32LE(4))
}

/**
 * Makes HalfSipHash-1-3 with a key. It works on 32-bit words, which is what JavaScript can multiply no further but add and
 * rotate without leaving integers; `last` is what the specification makes of the length and the remaining bytes.
 */
export function createHalfSipHash(key0: number, key1: number): WordHash {
  return (words, start, count, last) => {
    let v0 = key0 | 0
    let v1 = key1 | 0
    let v2 = 0x6c796765 ^ key0
    let v3 = 0x74656462 ^ key1
    // One round for each word, the last one included, and three to finish.
    for (let round = 0; round < count + 4; round += 1) {
      const word = round < count ? (words[start + round] ?? 0) : round === count ? last : 0
      v3 ^= word
      if (round === count + 1) v2 ^= 0xff
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    return v1 ^ v3
  }
}
