import { describe, expect, test } from 'vitest'
import { createHalfSipHash, createSecretHash } from '../../../src/revocation/compact-list/hash.ts'

/** The words of the bytes 0, 1, 2, … and what the specification hashes last: the length in the upper byte, then the rest. */
function message(length: number) {
  const bytes = Uint8Array.from({ length: length + (-length & 3) }, (_, index) => index)
  const rest = Array.from({ length: length % 4 }, (_, index) => (length - (length % 4) + index) << (8 * index))
  return {
    words: new Int32Array(bytes.buffer),
    count: length >> 2,
    last: rest.reduce((word, byte) => word | byte, length << 24),
  }
}

describe('the hash', () => {
  // lib/tests/siphash_kunit.c of Linux: HalfSipHash-1-3 with the key 03020100 07060504.
  const vectors = [
    1477757078, -404200246, -1135931856, 22255929, 2114297510, -1998333797, -1610085531, -1657218602, 1467586993,
    -935736595, -453365041, -1785575698, 1797785964, 1725799638, 375753340, -802850044, -1959668479, 723308619,
  ]

  test('answers the vectors of HalfSipHash-1-3', () => {
    const hash = createHalfSipHash(0x03020100, 0x07060504)
    const answers = vectors.map((_, length) => {
      const { words, count, last } = message(length)
      return hash(words, 0, count, last)
    })
    expect(answers).toEqual(vectors)
  })

  // holds: hash-flooding
  test('differs from list to list, so that collisions cannot be prepared', () => {
    const words = Int32Array.of(1, 2, 3, 4)
    const answers = new Set(Array.from({ length: 20 }, () => createSecretHash()(words, 0, 4, 0)))
    expect(answers.size).toBeGreaterThan(15)
  })

  test('depends on every bit of every word', () => {
    const hash = createSecretHash()
    const words = Int32Array.of(0, 0, 0, 0)
    const seen = new Set([hash(words, 0, 4, 0)])
    for (let bit = 0; bit < 128; bit += 1) {
      const changed = words.slice()
      changed[bit >> 5] = 1 << (bit & 31)
      seen.add(hash(changed, 0, 4, 0))
    }
    // Two of 129 answers of 32 bits are the same once in half a million runs.
    expect(seen.size).toBe(129)
  })
})
