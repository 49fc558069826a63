import { describe, expect, it } from 'vitest'
import { refuse } from '../../src/model/refusal.ts'
import { createRefusedTokens, type RefusedToken } from '../../src/token/refused-cache.ts'

const entry: RefusedToken = {
  refusal: refuse('signature_invalid'),
  algorithm: 'ES256',
  expiredFromSeconds: 100,
  keys: { revision: () => 0 },
  revision: 0,
}

describe('the memory of refused tokens', () => {
  // holds: flood-different-wrong-tokens
  it('is bounded by count under a hundred thousand of them, and knows the last', () => {
    const refused = createRefusedTokens()
    for (let count = 0; count < 100_000; count++) refused.remember(`token-${count}`, entry)
    expect(refused.size()).toBe(4_096)
    expect(refused.recall('token-99999', 0)).toBe(entry)
    expect(refused.recall('token-0', 0)).toBeUndefined()
  })

  it('is bounded by bytes under a hundred thousand large ones', () => {
    const refused = createRefusedTokens()
    const large = 'x'.repeat(8_000)
    for (let count = 0; count < 100_000; count++) refused.remember(`${large}${count}`, entry)
    expect(refused.size()).toBeGreaterThan(100)
    expect(refused.size() * 8_000).toBeLessThanOrEqual(4 * 1024 * 1024)
  })

  it('knows a token byte for byte, not by a part of it', () => {
    const refused = createRefusedTokens()
    refused.remember('a.b.c', entry)
    for (const other of ['a.b.d', 'a.b', 'a.b.c ', 'A.b.c']) expect(refused.recall(other, 0)).toBeUndefined()
  })

  it('forgets one when the keys change, and when it has expired', () => {
    const keys = { current: 0, revision: () => keys.current }
    const refused = createRefusedTokens()
    refused.remember('one', { ...entry, keys })
    refused.remember('two', { ...entry, keys })
    expect(refused.recall('one', 99)).toBeDefined()
    expect(refused.recall('one', 100)).toBeUndefined()
    keys.current++
    expect(refused.recall('two', 0)).toBeUndefined()
    expect(refused.size()).toBe(0)
  })
})
