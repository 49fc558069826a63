// Who may still have a next token when the answer of the app is there?
import { describe, expect, it, vi } from 'vitest'
import type { StandingQuestions } from '../../src/gate/admission.ts'
import type { Permit, VerifiedToken } from '../../src/model/decision.ts'
import type { Delivery } from '../../src/model/next-token.ts'
import { whileStanding } from '../../src/refresh/eligibility.ts'
import { NOW_SECONDS, verifiedToken } from '../support/tokens.ts'

const delivery: Delivery = [{ name: 'x-refreshed-token', value: 'next' }]
const permitOf = (token: VerifiedToken | undefined) => ({ decision: 'permit', token }) as Permit
const due = (claims: Record<string, unknown> = {}) => permitOf(verifiedToken({ exp: NOW_SECONDS + 30, ...claims }))

function createWorld(revocation: StandingQuestions['revocation'] = () => 'clear') {
  const refresh = vi.fn(() => delivery)
  const asked = vi.fn(revocation)
  const clock = { nowMs: NOW_SECONDS * 1000 }
  const ask = whileStanding(refresh, {
    policy: { windowSeconds: 60, lifetimeSeconds: 300, maxSessionSeconds: 3600 },
    issuers: new Set(['https://id.example.com']),
    standing: { revocation: asked, clock: () => clock.nowMs },
  })
  return { ask, refresh, asked, clock }
}

describe('a token gets a next one', () => {
  it('where it stands and is in its window', async () => {
    expect(createWorld().ask(due())).toBe(delivery)
    expect(await createWorld(() => Promise.resolve('clear')).ask(due())).toBe(delivery)
  })

  it('not where it was revoked meanwhile, or where nobody can tell', async () => {
    const worlds = [
      createWorld(() => 'revoked'),
      createWorld(() => Promise.resolve('stale')),
      createWorld(() => Promise.reject(new Error('Redis is away'))),
    ]
    for (const { ask, refresh } of worlds) {
      expect(await ask(due())).toBeUndefined()
      expect(refresh).not.toHaveBeenCalled()
    }
  })

  it('not from the very second of its end, though a clock tolerance may still admit it', () => {
    const { ask, clock } = createWorld()
    clock.nowMs += 29_999
    expect(ask(due())).toBe(delivery)
    clock.nowMs += 1
    expect(ask(due())).toBeUndefined()
  })

  it('not where its issuer is one without a refresh', () => {
    const other = verifiedToken({ exp: NOW_SECONDS + 30 }, { issuer: 'https://other.example.com' })
    expect(createWorld().ask(permitOf(other))).toBeUndefined()
  })

  it('and nothing is asked about a token outside its window, or about none', () => {
    const { ask, asked, refresh } = createWorld()
    expect(ask(permitOf(undefined))).toBeUndefined()
    expect(ask(due({ exp: NOW_SECONDS + 61 }))).toBeUndefined()
    expect(asked).not.toHaveBeenCalled()
    expect(refresh).not.toHaveBeenCalled()
  })
})
