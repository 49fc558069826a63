import { createPrivateKey, createSecretKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { isSameKey } from '../../../src/token/keys/key-name.ts'
import { makeKey, privatePem } from '../../support/tokens.ts'

test('keys of every two kinds are told apart, and a good key can be read afterwards', () => {
  const kinds = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']
  const keys = [...kinds.map((kind) => makeKey(kind).publicKey), createSecretKey(Buffer.alloc(32))]
  const pem = privatePem(makeKey('EdDSA'))
  for (const one of keys)
    for (const other of keys) {
      expect(isSameKey(one, other)).toBe(one === other)
      expect(() => createPrivateKey(pem)).not.toThrow()
    }
})
