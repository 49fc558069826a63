// GHSA-v574-6498-x57v: two parts joined by a separator made one key, which other parts made too.
import { expect, test } from 'vitest'
import { ruleKeyOf } from '../../src/revocation/rule/rule.ts'

// holds: composite-keys-meet
test('a subject that contains the separator is not taken for a subject of another issuer', () => {
  const pairs = [
    ['a:b', 'c'],
    ['a', 'b:c'],
    ['a:b:c', ''],
    ['a\0b', 'c'],
    ['a', 'b\0c'],
    ['a b', 'c'],
    ['a', 'b c'],
    ['1:a', 'b'],
    ['a', '1:b'],
  ] as const
  const keys = pairs.map(([value, issuer]) =>
    ruleKeyOf({ kind: 'subject', value, issuer: issuer === '' ? undefined : issuer }),
  )
  expect(new Set(keys).size).toBe(pairs.length)
})
