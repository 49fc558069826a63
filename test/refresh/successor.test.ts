import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
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

describe('the successor of a token', () => {
  it('begins where the window begins and lives for the configured time', () => {
    expect(successor(first, policy)).toMatchObject({ iat: NOW_SECONDS + 240, exp: NOW_SECONDS + 540 })
  })

  it('keeps every other claim, the proof of possession included', () => {
    expect(successor(first, policy)).toMatchObject({ sub: 'alice', aud: 'orders', scope: 'read', cnf: { jkt: 'x' } })
  })

  it('starts a session that is named after the first token and begins with it', () => {
    expect(successor(first, policy)).toMatchObject({ sid: 'first', auth_time: NOW_SECONDS })
  })

  it('keeps a session that the issuer began', () => {
    const token = verifiedToken({ sid: 's-1', auth_time: NOW_SECONDS - 100 })
    expect(successor(token, policy)).toMatchObject({ sid: 's-1', auth_time: NOW_SECONDS - 100 })
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

  it('in a chain ends exactly with the session, the last one shorter', () => {
    let token = first
    let last = first
    for (let i = 0; i < 100; i++) {
      const claims = successor(token, policy)
      if (claims === undefined) break
      last = token
      token = verifiedToken(claims, { id: String(claims.jti) })
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
          const { iat, exp, jti, sid, auth_time, ...rest } = one
          const { iat: _1, exp: _2, jti: _3, sid: _4, auth_time: _5, ...before } = token.claims
          expect(rest).toEqual(before)
        },
      ),
    )
  })
})
