// What Redis holds: only who has the whole token, and where it is meant so the key of the gates, can open it.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyOfGate, keyOfHolder, seal, unseal } from '../../../src/refresh/identity-provider/sealing.ts'

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl'
const NAME = 'sidegate:{default}:successor:x'

describe('sealing', () => {
  it('gives every text back, under its name and its key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, name) => {
        const key = keyOfHolder(TOKEN)
        return unseal(seal(text, key, name), key, name) === text
      }),
    )
  })

  it('never looks the same twice', () => {
    const key = keyOfHolder(TOKEN)
    expect(new Set(Array.from({ length: 100 }, () => seal('text', key, NAME))).size).toBe(100)
  })

  it('opens with no bit changed and none missing', () => {
    const key = keyOfHolder(TOKEN)
    const sealed = Buffer.from(seal('the next token', key, NAME), 'base64url')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7))
      expect(unseal(changed.toString('base64url'), key, NAME)).toBeUndefined()
    }
    for (let length = 0; length < sealed.length; length++)
      expect(unseal(sealed.subarray(0, length).toString('base64url'), key, NAME)).toBeUndefined()
  })

  it('opens neither under another name nor with the key of another token, not even of another signature', () => {
    const sealed = seal('text', keyOfHolder(TOKEN), NAME)
    expect(unseal(sealed, keyOfHolder(TOKEN), `${NAME}x`)).toBeUndefined()
    expect(unseal(sealed, keyOfHolder(`${TOKEN.slice(0, -1)}m`), NAME)).toBeUndefined()
  })

  it('of a refresh token needs the key of the gates and the token as well', () => {
    const [fileKey, other] = [randomBytes(32), randomBytes(32)]
    const sealed = seal('refresh', keyOfGate(fileKey, TOKEN), NAME)
    expect(unseal(sealed, keyOfGate(fileKey, TOKEN), NAME)).toBe('refresh')
    for (const key of [keyOfGate(other, TOKEN), keyOfGate(fileKey, `${TOKEN}x`), keyOfHolder(TOKEN), fileKey])
      expect(unseal(sealed, key, NAME)).toBeUndefined()
  })

  it('writes nothing that it would not read again, and reads nothing that is longer', () => {
    const key = keyOfHolder(TOKEN)
    for (const length of [49_124, 49_125, 100_000]) {
      const text = 'x'.repeat(length)
      const sealed = length > 49_124 ? undefined : seal(text, key, NAME)
      if (sealed === undefined) expect(() => seal(text, key, NAME)).toThrow(RangeError)
      else expect(unseal(sealed, key, NAME)).toBe(text)
    }
    expect(unseal('A'.repeat(65_537), key, NAME)).toBeUndefined()
  })
})
