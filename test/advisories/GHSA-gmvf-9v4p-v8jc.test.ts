// GHSA-gmvf-9v4p-v8jc, CVE-2019-20933: an empty secret was a secret, so that anybody could sign.
import { expect, test } from 'vitest'
import { readSecret } from '../../src/token/keys/key-set.ts'

// holds: empty-signature-or-secret
test('a secret that is empty, only a line end or shorter than its hash does not verify anything', () => {
  for (const secret of ['', '\n', '\r\n', 'secret', 'x'.repeat(31)])
    expect(() => readSecret(Buffer.from(secret), ['HS256'])).toThrow()
  expect(() => readSecret(Buffer.alloc(63, 1), ['HS512'])).toThrow()
})
