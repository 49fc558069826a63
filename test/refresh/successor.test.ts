import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VerifiedToken } from '../../src/model/decision.ts'
import { type SuccessorPolicy, sessionEndSeconds, successor } from '../../src/refresh/successor.ts'
import { NOW_SECONDS, verifiedToken } from '../support/tokens.ts'

const policy: SuccessorPolicy = { windowSeconds: 60, lifetimeSeconds: 300, maxSessionSeconds: 3600 }
const first = verifiedToken({
  jti: 'first',
  iat: NOW_SECONDS,
  exp: NOW_SECONDS + 300,
  scope: 'read',
  cnf: { jkt: 'x' },
})

/** The successor as every gate verifies it. */
function successorOf(token: VerifiedToken): VerifiedToken {
  const claims = successor(token, policy) ?? {}
  const originalKeyId = claims.original_key_id as string | undefined
  return verifiedToken(claims, { id: String(claims.jti), isSuccessor: true, keyId: 'own', originalKeyId })
}

describe('the successor of a token', () => {
  it('begins where the window begins and lives for the configured time', () => {
    expect(successor(first, policy)).toMatchObject({ iat: NOW_SECONDS + 240, exp: NOW_SECONDS + 540 })
  })

  it('keeps every other claim, the proof of possession included', () => {
    expect(successor(first, policy)).toMatchObject({ sub: 'alice', aud: 'orders', scope: 'read', cnf: { jkt: 'x' } })
  })

  it('never begins before the token that it follows', () => {
    const short = verifiedToken({ iat: NOW_SECONDS, exp: NOW_SECONDS + 30 })
    expect(successor(short, policy)).toMatchObject({ iat: NOW_SECONDS, exp: NOW_SECONDS + 300 })
  })

  it('starts a session that is named after the first token and begins with it, and claims no log-in', () => {
    const next = successor(first, policy)
    expect(next).toMatchObject({ sid: 'first', session_start: NOW_SECONDS })
    expect(next).not.toHaveProperty('auth_time')
  })

  it('keeps a session that the issuer began', () => {
    const token = verifiedToken({ sid: 's-1', auth_time: NOW_SECONDS - 100 })
    const begun = { sid: 's-1', auth_time: NOW_SECONDS - 100, session_start: NOW_SECONDS - 100 }
    expect(successor(token, policy)).toMatchObject(begun)
    expect(successor(successorOf(token), policy)).toMatchObject(begun)
  })

  it.each([0, -1, '2026-12-01T10:00:00Z', true, null, { at: 1 }, NOW_SECONDS * 1000])(
    'begins the session with the first token where "auth_time" is %j, and copies that as it came',
    (auth_time) => {
      const token = verifiedToken({ iat: NOW_SECONDS, exp: NOW_SECONDS + 300, auth_time })
      expect(successor(token, policy)).toMatchObject({ session_start: NOW_SECONDS, auth_time })
    },
  )

  it('names the key that verified the first token, through the whole session', () => {
    const token = verifiedToken({ jti: 'first' }, { keyId: 'k1', namedKeyId: 'anything' })
    const next = successorOf(token)
    expect(next.claims.original_key_id).toBe('k1')
    expect(successorOf({ ...next, keyId: 'own' }).claims.original_key_id).toBe('k1')
  })

  it('takes neither the start of its session nor the name of its key from an identity provider', () => {
    const token = verifiedToken(
      { iat: NOW_SECONDS, exp: NOW_SECONDS + 300, session_start: NOW_SECONDS - 9999, original_key_id: 'other' },
      { keyId: 'k1' },
    )
    expect(successor(token, policy)).toMatchObject({ session_start: NOW_SECONDS, original_key_id: 'k1' })
  })

  describe('of a successor by a gate of 7d4b85d', () => {
    const old = { isSuccessor: true, keyId: 'own', originalKeyId: undefined }

    it('goes on with the session that began at its "auth_time", which may be the work of that gate', () => {
      const next = successor(verifiedToken({ auth_time: NOW_SECONDS - 200, sid: 'first' }, old), policy)
      expect(next).toMatchObject({ session_start: NOW_SECONDS - 200, sid: 'first' })
      expect(next).not.toHaveProperty('auth_time')
      expect(next).not.toHaveProperty('original_key_id')
    })

    it('goes on with the session of ours before it, and drops the "auth_time" that it began with ours', () => {
      const claims = { session_start: NOW_SECONDS - 500, auth_time: NOW_SECONDS - 60, original_key_id: 'k1' }
      const next = successor(verifiedToken(claims, { ...old, originalKeyId: 'k1' }), policy)
      expect(next).toMatchObject({ session_start: NOW_SECONDS - 500, original_key_id: 'k1' })
      expect(next).not.toHaveProperty('auth_time')
    })
  })

  it('has another id than its predecessor, and always the same', () => {
    const ids = [successor(first, policy)?.jti, successor(first, policy)?.jti]
    expect(ids[0]).toBe(ids[1])
    expect(ids[0]).not.toBe('first')
  })

  it('does not exist once the session has no time left', () => {
    const token = verifiedToken({ auth_time: NOW_SECONDS - 3300, iat: NOW_SECONDS, exp: NOW_SECONDS + 300 })
    expect(successor(token, policy)).toBeUndefined()
  })

  // holds: successor-may-more
  it('in a chain ends exactly with the session, the last one shorter', () => {
    let token = first
    let last = first
    for (let i = 0; i < 100; i++) {
      const claims = successor(token, policy)
      if (claims === undefined) break
      last = token
      token = successorOf(token)
    }
    expect(token.claims.exp).toBe(NOW_SECONDS + 3600)
    expect(token.claims.exp - (token.claims.iat ?? 0)).toBeLessThan(300)
    expect(last.claims.exp - (last.claims.iat ?? 0)).toBe(300)
    expect(token.claims.sid).toBe('first')
  })

  it('is a pure function that only moves time, id and session', () => {
    const seconds = fc.integer({ min: 1, max: 100_000 })
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.record({ windowSeconds: seconds, lifetimeSeconds: seconds, maxSessionSeconds: seconds }),
        (claims, anyPolicy) => {
          const token = verifiedToken({
            ...claims,
            jti: 'first',
            iat: NOW_SECONDS,
            exp: NOW_SECONDS + 300,
            auth_time: undefined,
          })
          const one = successor(token, anyPolicy)
          expect(successor(token, anyPolicy)).toEqual(one)
          if (one === undefined) return
          expect(one.exp).toBeGreaterThan(token.claims.exp)
          expect(one.exp).toBeLessThanOrEqual(sessionEndSeconds(token, anyPolicy))
          const { iat, exp, jti, sid, session_start, original_key_id, ...rest } = one
          const { iat: _1, exp: _2, jti: _3, sid: _4, session_start: _5, original_key_id: _6, ...before } = token.claims
          expect(rest).toEqual(before)
        },
      ),
    )
  })
})
