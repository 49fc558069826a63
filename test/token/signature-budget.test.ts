import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readPublicKey, readSecret } from '../../src/token/keys/key-set.ts'
import { createVerificationBudget, verificationCost } from '../../src/token/signature-budget.ts'

const policy = { maxRunning: 2, maxPendingMicroseconds: 1_000, maxLagMs: 50, lagMs: () => 0 }

describe('the budget of verifications', () => {
  it('runs so many at once; the others wait in the order they came', async () => {
    const budget = createVerificationBudget(policy)
    const begun: number[] = []
    const ends: (() => void)[] = []
    const work = (name: number) => () =>
      new Promise<number>((resolve) => {
        begun.push(name)
        ends.push(() => resolve(name))
      })
    const answers = [1, 2, 3, 4].map((name) => budget.run(100, work(name)))
    expect(begun).toEqual([1, 2])
    ends[1]?.()
    expect(await answers[1]).toBe(2)
    expect(begun).toEqual([1, 2, 3])
    ends[0]?.()
    ends[2]?.()
    await Promise.all([answers[0], answers[2]])
    ends[3]?.()
    expect(await answers[3]).toBe(4)
  })

  it('takes one that costs more than all of it, where nothing else is pending', async () => {
    const budget = createVerificationBudget(policy)
    const costly = budget.run(5_000, async () => 'done')
    expect(budget.run(1, async () => 'no')).toBeUndefined()
    expect(await costly).toBe('done')
    expect(await budget.run(5_000, async () => 'again')).toBe('again')
  })

  it('gets back what work that failed had taken', async () => {
    const budget = createVerificationBudget(policy)
    for (let count = 0; count < 10; count++)
      await expect(budget.run(1_000, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await budget.run(1_000, async () => 'done')).toBe('done')
  })
})

describe('the cost of a verification', () => {
  const rsa = (bits: number) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits })
    return readPublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString()).keys
  }

  // holds: small-request-costs-lot
  it('grows with the modulus, the curve and the number of keys to try', () => {
    const [small, large] = [rsa(2048), rsa(4096)]
    expect(verificationCost('RS256', large)).toBe(4 * verificationCost('RS256', small))
    expect(verificationCost('PS256', [...small, ...small])).toBe(2 * verificationCost('PS256', small))
    expect(verificationCost('ES512', small)).toBeGreaterThan(10 * verificationCost('ES256', small))
  })

  it('is small for a shared secret', () => {
    const secret = readSecret(Buffer.alloc(32, 7), ['HS256']).keys
    expect(verificationCost('HS256', secret)).toBeLessThan(verificationCost('RS256', rsa(2048)))
  })
})
