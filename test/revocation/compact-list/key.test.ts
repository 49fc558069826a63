import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSecretHash } from '../../../src/revocation/compact-list/hash.ts'
import {
  BYTES_FORM,
  createKey,
  fillKey,
  HEX_FORM,
  UNITS_FORM,
  UUID_FORM,
  unpackValue,
} from '../../../src/revocation/compact-list/key.ts'
import { createSieve } from '../../../src/revocation/compact-list/presence-filter.ts'
import { values } from '../../support/rule-values.ts'

const hash = createSecretHash()

function keyOf(value: string) {
  const key = createKey()
  // What a longer value left behind must not show.
  key.words.fill(-1)
  expect(fillKey(key, value, hash)).toBe(true)
  return { form: key.form, units: key.units, words: [...key.words.subarray(0, key.count)], hash: key.hash }
}

describe('values as words', () => {
  // holds: values-named-like-members
  test('every value comes back as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        const { form, units, words } = keyOf(value)
        expect(unpackValue(Int32Array.from(words), 0, form, units)).toBe(value)
      }),
      { numRuns: 1000 },
    )
  })

  test('two values are the same words only where they are the same value', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const { hash: oneHash, ...oneKey } = keyOf(one)
        const { hash: otherHash, ...otherKey } = keyOf(other)
        expect(JSON.stringify(oneKey) === JSON.stringify(otherKey)).toBe(one === other)
        if (one === other) expect(oneHash).toBe(otherHash)
      }),
      { numRuns: 1000 },
    )
  })

  test('whatever is changed in a UUID makes another value', () => {
    const uuid = '0123abcd-4567-4789-8abc-def012345678'
    const digits = uuid.replaceAll('-', '')
    const all = [uuid, digits].flatMap((value) =>
      Array.from(value).flatMap((_, at) =>
        ['-', '0', 'a', 'A', 'g', 'é', 'İ'].map((other) => value.slice(0, at) + other + value.slice(at + 1)),
      ),
    )
    const different = new Set([uuid, digits, ...all])
    const keys = new Set(Array.from(different, (value) => JSON.stringify({ ...keyOf(value), hash: 0 })))
    expect(keys.size).toBe(different.size)
  })

  test.each([
    ['a UUID', '0123abcd-4567-4789-8abc-def012345678', UUID_FORM, 4],
    ['32 hexadecimal digits', '0123abcd456747898abcdef012345678', HEX_FORM, 4],
    ['a UUID in capitals, which is another value', '0123ABCD-4567-4789-8ABC-DEF012345678', BYTES_FORM, 9],
    ['a UUID with one capital', '0123abcd-4567-4789-8abc-def01234567F', BYTES_FORM, 9],
    ['a UUID with a letter beyond f', '0123abcd-4567-4789-8abc-def01234567g', BYTES_FORM, 9],
    ['a UUID with a dash too far', '0123abcd4-567-4789-8abc-def012345678', BYTES_FORM, 9],
    ['a UUID with another dash', '0123abcd‐4567-4789-8abc-def012345678', UNITS_FORM, 18],
    ['a UUID with a digit of another script', '0123abcd-4567-4789-8abc-def01234567٣', UNITS_FORM, 18],
    ['32 dashes and digits', '0123abcd-4567-4789-8abc-def01234', BYTES_FORM, 8],
    ['Latin letters', 'Zoë', BYTES_FORM, 1],
    ['other letters', 'Ζωή', UNITS_FORM, 2],
  ])('%s takes the form that it should', (_, value, form, words) => {
    expect(keyOf(value)).toMatchObject({ form, words: { length: words } })
  })

  test('what is longer than any rule is no key', () => {
    expect(fillKey(createKey(), 'x'.repeat(1024), hash)).toBe(true)
    expect(fillKey(createKey(), 'x'.repeat(1025), hash)).toBe(false)
  })
})

test('the sieve never says no to a value that was added', () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 50 }), fc.array(values, { maxLength: 5 }), (added, others) => {
      const sieve = createSieve()
      expect(others.some((value) => sieve.mayHold(value))).toBe(false)
      for (const value of added) sieve.add(value)
      expect(added.every((value) => sieve.mayHold(value))).toBe(true)
    }),
  )
})
