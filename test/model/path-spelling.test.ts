// Which paths are compared without folding anything: only those whose one reading is themselves.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPlainSpelling, readingsOf } from '../../src/model/path-spelling.ts'
import { fuzz } from '../support/fuzz.ts'

const characters = fc.oneof(
  fc.constantFrom(...'aA0z/./-_~:@+$;% ?#\\é／．'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
)

fuzz(
  'a plain path has one reading, itself',
  20_000,
  fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
    const path = `/${parts.join('')}`
    if (isPlainSpelling(path) && path !== '/') expect(readingsOf(path)).toEqual([path])
  }),
)

test.each(['/', '/orders/7f3a-42', '/.well-known/jwks.json', '/v1/things:batch', '/a_b~c/d+e@f'])(
  '%s is plain',
  (path) => expect(isPlainSpelling(path)).toBe(true),
)
test.each(['/A', '/a/', '/a.', '/a./b', '/a b', '/é', '/a%', '/a;b', '/a$b', '/a//b'])('%s is not', (path) =>
  expect(isPlainSpelling(path)).toBe(false),
)
test('the root has the reading of a path without segments', () => expect(readingsOf('/')).toEqual(['']))
