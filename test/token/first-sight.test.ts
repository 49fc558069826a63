// What tokens seen for the first time may cost: one signature for the same token, once for a bad one, and no more at a time
// than the budget says.
import { describe, expect, it } from 'vitest'
import type { IssuerPolicy } from '../../src/token/claims.ts'
import { readKeySet } from '../../src/token/keys/key-set.ts'
import { createFixedKeys, type KeySource } from '../../src/token/keys/keys.ts'
import { createRefusedTokens } from '../../src/token/refused-cache.ts'
import { createVerificationBudget, type VerificationBudget } from '../../src/token/signature-budget.ts'
import { createTokenMemory } from '../../src/token/verified-cache.ts'
import { createVerifier, type Verified } from '../../src/token/verify.ts'
import { goodClaims, jwksOf, makeKey, NOW_SECONDS, signToken } from '../support/tokens.ts'

const key = makeKey('ES256')
const forger = makeKey('ES256')
const added = makeKey('ES256', 'added')
const policy: IssuerPolicy = {
  issuer: 'https://id.example.com',
  audiences: ['orders'],
  algorithms: ['ES256'],
  clockToleranceSeconds: 5,
  tokenTypes: undefined,
  allowIdTokens: false,
  confirmation: 'checked',
  requiredClaims: [],
  maxLifetimeSeconds: 3600,
}
const ES256_MICROSECONDS = 200

/** A source whose set can be changed, as a provider would change it. */
function changingKeys(...first: Parameters<typeof jwksOf>) {
  let set = createFixedKeys(readKeySet(jwksOf(...first)))
  let changes = 0
  let losses = 0
  const source: KeySource = {
    ...set,
    find: (...asked) => set.find(...asked),
    generation: () => losses,
    revision: () => changes,
  }
  return {
    source,
    change: (...next: Parameters<typeof jwksOf>) => {
      if (!first.every((old) => next.includes(old))) losses++
      changes++
      set = createFixedKeys(readKeySet(jwksOf(...next)))
    },
  }
}

function createWorld(world: { keys?: KeySource; budget?: VerificationBudget } = {}) {
  const observed: string[] = []
  const clock = { nowMs: NOW_SECONDS * 1000 }
  const memory = createTokenMemory({ maxEntries: 10, maxBytes: 1_000_000, onEvict: () => observed.push('evicted') })
  const refused = createRefusedTokens({ maxEntries: 20, maxBytes: 1_000_000 })
  const verify = createVerifier({
    issuers: [{ policy, keys: world.keys ?? createFixedKeys(readKeySet(jwksOf(key))) }],
    ...{ memory, refused },
    ...(world.budget === undefined ? {} : { budget: world.budget }),
    clock: () => clock.nowMs,
    monotonic: () => 0,
    observe: (_algorithm, remembered) => observed.push(remembered ? 'remembered' : 'verified'),
  })
  return { verify, observed, clock, memory, refused }
}

const good = (jti = 'good') => signToken(key, goodClaims({ jti }))
const bad = (jti = 'bad') => signToken(forger, goodClaims({ jti }))
const reasonOf = (answer: Verified) => ('reason' in answer ? answer.reason : 'admitted')

describe('the same token many times at once', () => {
  for (const [name, token, reason] of [
    ['a good one', good(), 'admitted'],
    ['a bad one', bad(), 'signature_invalid'],
  ] as const) {
    it(`costs one signature: ${name}`, async () => {
      const { verify, observed } = createWorld()
      const answers = await Promise.all(Array.from({ length: 100 }, () => verify(token)))
      expect(new Set(answers.map(reasonOf))).toEqual(new Set([reason]))
      expect(observed.filter((what) => what === 'verified')).toHaveLength(1)
    })
  }

  it('costs one signature where the keys have to be fetched first', async () => {
    const fixed = createFixedKeys(readKeySet(jwksOf(key)))
    const keys: KeySource = { ...fixed, find: async (...asked) => fixed.find(...asked) }
    const { verify, observed } = createWorld({ keys })
    const token = good()
    await Promise.all(Array.from({ length: 100 }, () => verify(token)))
    expect(observed).toEqual(['verified'])
  })

  it('does not share an answer that was begun with keys which no longer count', async () => {
    const keys = changingKeys(key)
    const { verify } = createWorld({ keys: keys.source })
    const token = good()
    const before = verify(token)
    keys.change(forger)
    expect(reasonOf(await verify(token))).toBe('signature_invalid')
    await before
    expect(reasonOf(await verify(token))).toBe('signature_invalid')
  })
})

describe('a token whose signature is wrong', () => {
  it('is not verified again', async () => {
    const { verify, observed } = createWorld()
    const token = bad()
    await verify(token)
    for (let count = 0; count < 3; count++)
      expect(verify(token)).toMatchObject({ reason: 'signature_invalid', issuer: policy.issuer })
    expect(observed).toEqual(['verified', 'remembered', 'remembered', 'remembered'])
  })

  it('is verified again, and admitted, when a key was added', async () => {
    const keys = changingKeys(key)
    const { verify } = createWorld({ keys: keys.source })
    const nameless = signToken(added, goodClaims(), { kid: undefined })
    expect(reasonOf(await verify(nameless))).toBe('signature_invalid')
    keys.change(key, added)
    expect(reasonOf(await verify(nameless))).toBe('admitted')
  })

  it('is refused as expired once it is', async () => {
    const { verify, clock } = createWorld()
    const token = bad()
    await verify(token)
    clock.nowMs += 305_000
    expect(await verify(token)).toMatchObject({ reason: 'token_expired' })
  })

  // holds: flood-different-wrong-tokens
  it('never pushes out a good one', async () => {
    const { verify, observed, memory, refused } = createWorld()
    const token = good()
    await verify(token)
    for (let count = 0; count < 200; count++) await verify(bad(`bad-${count}`))
    expect(verify(token)).not.toBeInstanceOf(Promise)
    expect(observed).not.toContain('evicted')
    expect([memory.size(), refused.size()]).toEqual([1, 20])
  })

  it('is the only refusal that is remembered', async () => {
    const { verify, refused } = createWorld()
    await verify(signToken(key, goodClaims({ aud: 'shipping' })))
    await verify(signToken(key, goodClaims(), { kid: 'unknown' }))
    await verify(signToken(key, goodClaims({ exp: NOW_SECONDS - 60 })))
    await verify('not.a.token')
    expect(refused.size()).toBe(0)
  })
})

describe('a first sight that does not fit into the budget', () => {
  const budgetOf = (lag: { ms: number }, verifications = 3) =>
    createVerificationBudget({
      maxRunning: 2,
      maxPendingMicroseconds: verifications * ES256_MICROSECONDS,
      maxLagMs: 50,
      lagMs: () => lag.ms,
    })

  it('is overloaded at once, and the next one is served when there is room again', async () => {
    const { verify, observed } = createWorld({ budget: budgetOf({ ms: 0 }) })
    const answers = Array.from({ length: 5 }, (_, count) => verify(good(`good-${count}`)))
    expect(answers.map((answer) => answer instanceof Promise)).toEqual([true, true, true, false, false])
    expect(answers[4]).toMatchObject({ reason: 'overloaded', issuer: policy.issuer })
    expect((await Promise.all(answers)).map(reasonOf)).toEqual([
      ...Array(3).fill('admitted'),
      'overloaded',
      'overloaded',
    ])
    expect(observed).toEqual(Array(3).fill('verified'))
    expect(reasonOf(await verify(good('good-4')))).toBe('admitted')
  })

  // holds: floods-of-junk-tokens
  it('leaves remembered tokens and cheap refusals as they are', async () => {
    const { verify } = createWorld({ budget: budgetOf({ ms: 0 }, 1) })
    const [token, refused] = [good(), bad()]
    await verify(token)
    await verify(refused)
    const busy = verify(good('busy'))
    expect(reasonOf((await verify(good('too many'))) as Verified)).toBe('overloaded')
    expect(verify(token)).toMatchObject({ id: 'good' })
    expect(verify(refused)).toMatchObject({ reason: 'signature_invalid' })
    expect(verify(signToken(key, goodClaims({ aud: 'shipping' })))).toMatchObject({ reason: 'audience_mismatch' })
    await busy
  })

  it('is overloaded while the event loop is late, save one at a time', async () => {
    const lag = { ms: 51 }
    const { verify } = createWorld({ budget: budgetOf(lag) })
    const first = verify(good('first'))
    expect(verify(good('second'))).toMatchObject({ reason: 'overloaded' })
    expect(reasonOf(await first)).toBe('admitted')
    lag.ms = 50
    const both = [verify(good('third')), verify(good('fourth'))]
    expect((await Promise.all(both)).map(reasonOf)).toEqual(['admitted', 'admitted'])
  })
})
