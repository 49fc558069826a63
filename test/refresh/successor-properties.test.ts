// What holds of every successor, whatever the token says and whatever the policy is: it adds no right, it is the same on
// every gate at every moment, and no chain of them outlives its session.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Permit, VerifiedToken } from '../../src/model/decision.ts'
import { createRefresher, type RefresherParts } from '../../src/refresh/own-key.ts'
import { type SuccessorPolicy, sessionEndSeconds, successor } from '../../src/refresh/successor.ts'
import { createPrivateKeySigner, createSecretSigner } from '../../src/token/signing/mint.ts'
import { makeKey, NOW_SECONDS, privatePem, verifiedToken } from '../support/tokens.ts'

/** What a successor may change, and nothing else. */
const MOVED = ['iat', 'exp', 'jti', 'sid', 'session_start', 'original_key_id']

const seconds = (max: number) => fc.integer({ min: 1, max })
const anyPolicy = fc.record({
  windowSeconds: seconds(5_000),
  lifetimeSeconds: seconds(100_000),
  maxSessionSeconds: seconds(100_000),
})
/** As the settings demand it: the window is shorter than a lifetime, and that fits into a session. */
const soundPolicy = fc
  .tuple(seconds(500), seconds(500), fc.integer({ min: 0, max: 20_000 }))
  .map(([windowSeconds, more, rest]) => {
    const lifetimeSeconds = windowSeconds + more
    return { windowSeconds, lifetimeSeconds, maxSessionSeconds: lifetimeSeconds + rest }
  })

const rights = {
  scope: fc.constantFrom('read', 'read write', ''),
  scp: fc.constantFrom(['read'], []),
  roles: fc.array(fc.constantFrom('user', 'admin')),
  cnf: fc.record({ jkt: fc.string() }),
  act: fc.record({ sub: fc.string() }),
  aud: fc.constantFrom('orders', ['orders', 'billing']),
  azp: fc.string(),
  sub: fc.string(),
  sid: fc.constantFrom('', 'session-1'),
  auth_time: fc.integer({ min: 0, max: NOW_SECONDS * 2000 }),
  nbf: fc.constant(NOW_SECONDS),
}
/** Claims of every kind, those that speak of rights among them, each of them there or not. */
const anyClaims = fc
  .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.record(rights, { requiredKeys: [] }), seconds(100_000))
  .map(([others, known, lifetime]) => ({
    ...others,
    ...known,
    jti: 'first',
    iat: NOW_SECONDS,
    exp: NOW_SECONDS + lifetime,
  }))

describe('a successor, whatever the token', () => {
  // holds: successor-may-more
  it('adds no right: every claim but the times, the id and the session is as it was, and none is new', () => {
    fc.assert(
      fc.property(anyClaims, anyPolicy, (claims, policy) => {
        const token = verifiedToken(claims)
        const before = new Map(Object.entries(token.claims))
        const next = successor(token, policy)
        if (next === undefined) return
        for (const [name, value] of Object.entries(next))
          if (!MOVED.includes(name)) expect(value).toBe(before.get(name))
        const names = Object.keys(next).filter((name) => !MOVED.includes(name))
        expect(new Set(names)).toEqual(new Set([...before.keys()].filter((name) => !MOVED.includes(name))))
      }),
    )
  })

  it('keeps the session, or begins one that a rule can name, and lives no longer than that', () => {
    fc.assert(
      fc.property(anyClaims, anyPolicy, (claims, policy) => {
        const token = verifiedToken(claims)
        const next = successor(token, policy)
        if (next === undefined) return
        expect(next.sid).toBe(token.claims.sid || 'first')
        const loggedIn = Number(token.claims.auth_time ?? 0)
        expect(next.session_start).toBe(loggedIn > 0 && loggedIn <= token.claims.exp ? loggedIn : NOW_SECONDS)
        expect(next.exp).toBeGreaterThan(token.claims.exp)
        expect(next.exp).toBeLessThanOrEqual(Number(next.session_start) + policy.maxSessionSeconds)
        expect(Number(next.exp) - Number(next.iat)).toBeLessThanOrEqual(policy.lifetimeSeconds)
      }),
    )
  })

  it('in a chain goes on to the very end of the session, never past it, and no two have the same id', () => {
    fc.assert(
      fc.property(anyClaims, soundPolicy, (claims, policy) => {
        let token = verifiedToken(claims)
        const end = sessionEndSeconds(token, policy)
        const ids = new Set([token.id])
        const lifetimes: number[] = []
        for (let next = successor(token, policy); next !== undefined; next = successor(token, policy)) {
          token = verifiedToken(next, { isSuccessor: true })
          // No session of this test is longer: a chain without an end is given up
          expect(token.claims.exp).toBeLessThanOrEqual(claims.exp + 25_000)
          expect(token.claims.exp).toBeLessThanOrEqual(end)
          expect(sessionEndSeconds(token, policy)).toBe(end)
          ids.add(token.id)
          lifetimes.push(token.claims.exp - (token.claims.iat ?? 0))
        }
        expect(ids.size).toBe(lifetimes.length + 1)
        if (lifetimes.length === 0) expect(claims.exp).toBeGreaterThanOrEqual(end)
        else expect(token.claims.exp).toBe(end)
        // All but the last have their full time
        for (const lifetime of lifetimes.slice(0, -1)) expect(lifetime).toBe(policy.lifetimeSeconds)
        expect(lifetimes.at(-1) ?? 0).toBeLessThanOrEqual(policy.lifetimeSeconds)
      }),
      { numRuns: 50 },
    )
  })
})

/** A gate of its own: its own clock, its own memory, its own copy of the key. */
function createGate(policy: SuccessorPolicy, sign: RefresherParts['sign'], nowSeconds: number) {
  const cookie = { path: '/', sameSite: 'Lax', secure: true, httpOnly: true, domain: undefined } as const
  const refresh = createRefresher({
    policy: { ...policy, header: 'x-refreshed-token', cookie, maxBytes: 1_000_000 },
    sign,
    clock: () => nowSeconds * 1000,
    observe: () => {},
  })
  return async (token: VerifiedToken) => {
    const permit = { decision: 'permit', token, sources: [{ header: 'authorization' }] } as unknown as Permit
    return (await refresh(permit))?.[0]?.value
  }
}

const pem: Record<string, string> = {
  EdDSA: privatePem(makeKey('EdDSA')),
  RS256: privatePem(makeKey('RS256')),
  ES256: privatePem(makeKey('ES256')),
}
const secret = Buffer.alloc(32, 7)
const signerFor = (algorithm: string) =>
  algorithm === 'HS256'
    ? createSecretSigner(secret, 'HS256', 'k1')
    : createPrivateKeySigner(pem[algorithm] ?? '', algorithm, 'k1')

describe.each(['EdDSA', 'RS256', 'HS256', 'ES256'])('signed with %s', (algorithm) => {
  it(`is the same on every gate, at every moment of the window, for any number of requests at once`, async () => {
    const moments = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(anyClaims, soundPolicy, moments, async (claims, policy, at) => {
        const given = await Promise.all(
          at.map((part) => {
            // Each gate has read the token for itself
            const token = verifiedToken(JSON.parse(JSON.stringify(claims)))
            const ask = createGate(policy, signerFor(algorithm).sign, claims.exp - policy.windowSeconds * (1 - part))
            return Promise.all([ask(token), ask(token)])
          }),
        )
        for (const [one, other] of given) expect(one).toBe(other)
        const texts = given.flat()
        if (algorithm !== 'ES256') expect(new Set(texts).size).toBe(1)
        // Its signatures are made with a random number, and so what is signed is what has to be the same
        else expect(new Set(texts.map((text) => text?.split('.').slice(0, 2).join('.'))).size).toBe(1)
      }),
      { numRuns: 25 },
    )
  })
})
