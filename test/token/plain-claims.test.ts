import { expect, test } from 'vitest'
import { plainClaims } from '../../src/token/plain-claims.ts'

test('what is null is absent', () => {
  const payload = { iss: 'i', sub: null, jti: null, sid: null, nbf: null, cnf: null, azp: null, other: null }
  expect(plainClaims(payload)).toEqual({ iss: 'i', other: null })
})

test('a whole number in the place of a name is its decimal text, as a rule says it', () => {
  expect(plainClaims({ sub: 4, jti: 17, sid: -1, azp: 0, client_id: 9, other: 4 })).toEqual({
    ...{ sub: '4', jti: '17', sid: '-1', azp: '0', client_id: '9', other: 4 },
  })
})

test('what no text stands for exactly stays what it is, and is refused later', () => {
  const payload = { sub: 1.5, jti: 2 ** 60, sid: true, iss: 4 }
  expect(plainClaims(payload)).toBe(payload)
})
