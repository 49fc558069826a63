import { describe, expect, it, vi } from 'vitest'
import type { Permit, TokenSource, VerifiedToken } from '../../src/model/decision.ts'
import { createRefresher, type RefresherParts } from '../../src/refresh/own-key.ts'
import { createPrivateKeySigner } from '../../src/token/signing/mint.ts'
import { makeKey, NOW_SECONDS, privatePem, verifiedToken } from '../support/tokens.ts'

const signer = createPrivateKeySigner(privatePem(makeKey('EdDSA')), 'EdDSA', 'k1')
const cookie = { path: '/', sameSite: 'Lax', secure: true, httpOnly: true, domain: undefined } as const

function createWorld(more: { policy?: Partial<RefresherParts['policy']>; sign?: RefresherParts['sign'] } = {}) {
  const results: string[] = []
  const clock = { nowMs: NOW_SECONDS * 1000 }
  const refresh = createRefresher({
    policy: {
      windowSeconds: 60,
      lifetimeSeconds: 300,
      maxSessionSeconds: 3600,
      header: 'x-refreshed-token',
      cookie,
      maxBytes: 8192,
      ...more.policy,
    },
    sign: more.sign ?? signer.sign,
    clock: () => clock.nowMs,
    observe: (_, result) => results.push(result),
  })
  return { refresh, results, clock }
}

const permitOf = (token: VerifiedToken | undefined, source: TokenSource = { header: 'authorization' }) =>
  ({ decision: 'permit', token, sources: [source], wouldRefuse: undefined }) as unknown as Permit
const dueToken = verifiedToken({ exp: NOW_SECONDS + 60 })

describe('refreshing a token', () => {
  it('gives nothing, and no promise, before the window begins', () => {
    const { refresh, results } = createWorld()
    expect(refresh(permitOf(verifiedToken({ exp: NOW_SECONDS + 61 })))).toBeUndefined()
    expect(refresh(permitOf(undefined))).toBeUndefined()
    expect(results).toEqual([])
  })

  it('gives the successor in the configured header once the window has begun', async () => {
    const { refresh, results } = createWorld()
    expect(await refresh(permitOf(dueToken))).toEqual([
      { name: 'x-refreshed-token', value: expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/) },
    ])
    expect(results).toEqual(['issued'])
  })

  it('gives the same bytes on every gate and at every moment of the window', async () => {
    const [one, other] = [createWorld(), createWorld()]
    other.clock.nowMs += 50_000
    expect(await one.refresh(permitOf(dueToken))).toEqual(await other.refresh(permitOf(dueToken)))
  })

  it('signs once and answers at once after that', async () => {
    const { refresh } = createWorld()
    const first = refresh(permitOf(dueToken))
    expect(first).toBeInstanceOf(Promise)
    await first
    expect(refresh(permitOf(dueToken))).toEqual(await first)
  })

  it('signs once for all requests that ask at the same time', async () => {
    const sign = vi.fn(signer.sign)
    const { refresh, results } = createWorld({ sign })
    const given = await Promise.all(Array.from({ length: 20 }, () => refresh(permitOf(dueToken))))
    expect(new Set(given.map((delivery) => delivery?.[0]?.value)).size).toBe(1)
    expect(sign).toHaveBeenCalledOnce()
    expect(results).toEqual(Array(20).fill('issued'))
  })

  it('tries again where it could not sign', async () => {
    const sign = vi.fn(signer.sign).mockRejectedValueOnce(new Error('no key'))
    const { refresh, results } = createWorld({ sign })
    expect(await refresh(permitOf(dueToken))).toBeUndefined()
    expect(await refresh(permitOf(dueToken))).toHaveLength(1)
    expect(results).toEqual(['failed', 'issued'])
  })

  it('gives it as a cookie where the token came in one', async () => {
    const delivery = await createWorld().refresh(permitOf(dueToken, { cookie: 'session' }))
    expect(delivery?.[0]?.value.replace(/=ey[^;]+/, '=…')).toBe(
      'session=…; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax',
    )
  })

  it('keeps the rules that browsers have for __Host- cookies', async () => {
    const policy = { cookie: { ...cookie, path: '/app', domain: 'example.com', secure: false } }
    const delivery = await createWorld({ policy }).refresh(permitOf(dueToken, { cookie: '__Host-session' }))
    expect(delivery?.[0]?.value.replace(/=ey[^;]+/, '=…')).toBe(
      '__Host-session=…; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax',
    )
  })

  it('says so when the session is over', () => {
    const { refresh, results } = createWorld()
    const token = verifiedToken({ iat: NOW_SECONDS - 3590, exp: NOW_SECONDS + 10 })
    expect(refresh(permitOf(token))).toBeUndefined()
    expect(results).toEqual(['session_over'])
  })

  // holds: provider-answers-line-end
  it('gives none that it would refuse itself for its size', async () => {
    const { refresh, results } = createWorld({ policy: { maxBytes: 100 } })
    expect(await refresh(permitOf(dueToken))).toBeUndefined()
    expect(results).toEqual(['own_token_too_large'])
  })

  it('never gives one token the successor of another that has the same jti', async () => {
    const { refresh } = createWorld()
    const subjectOf = async (token: VerifiedToken) => {
      const [line] = (await refresh(permitOf(token))) ?? []
      return JSON.parse(Buffer.from(line?.value.split('.')[1] ?? '', 'base64url').toString()).sub
    }
    expect(await subjectOf(dueToken)).toBe('alice')
    expect(await subjectOf(verifiedToken({ exp: NOW_SECONDS + 60, sub: 'bob' }))).toBe('bob')
  })

  it('never fails the request when it cannot sign', async () => {
    const { refresh, results } = createWorld({ sign: () => Promise.reject(new Error('no key')) })
    expect(await refresh(permitOf(dueToken))).toBeUndefined()
    expect(results).toEqual(['failed'])
  })

  it('gives none where a claim would change on the way', async () => {
    const { refresh, results } = createWorld()
    expect(await refresh(permitOf(verifiedToken({ exp: NOW_SECONDS + 10, account: 2 ** 60 })))).toBeUndefined()
    expect(results).toEqual(['failed'])
  })
})
