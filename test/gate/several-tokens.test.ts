// Which of several tokens in cookies of one name counts.
import { expect, test } from 'vitest'
import { chooseToken } from '../../src/gate/several-tokens.ts'
import type { VerifiedToken } from '../../src/model/decision.ts'
import { isRefusal, type Refusal, refuse } from '../../src/model/refusal.ts'
import { NOW_SECONDS, verifiedToken } from '../support/tokens.ts'

const multiple = refuse('token_multiple')
const at = (iat: number, claims: Record<string, unknown> = {}) =>
  verifiedToken({ sub: 'alice', iat: NOW_SECONDS + iat, exp: NOW_SECONDS + 300, ...claims })

/** The name of the token that counts, or the reason of the refusal. */
async function choose(
  verdicts: Record<string, VerifiedToken | Refusal>,
  issuedAt: Record<string, number> = {},
  expired: readonly VerifiedToken[] = [],
) {
  const chosen = await chooseToken(
    { tokens: Object.keys(verdicts), multiple },
    {
      verify: async (token) => verdicts[token]!,
      issuedAt: (token) => issuedAt[token] ?? 0,
      judgeTime: (token) => (expired.includes(token) ? refuse('token_expired') : undefined),
    },
  )
  return isRefusal(chosen) ? chosen.reason : chosen.token
}

// holds: second-cookie-of-name
test('the one that was issued last counts, and at the same second the one that lives longer', async () => {
  expect(await choose({ old: at(-100), new: at(-10), older: at(-200) })).toBe('new')
  expect(await choose({ short: at(-10), long: at(-10, { exp: NOW_SECONDS + 900 }) })).toBe('long')
})

test('what does not verify, or has expired, does not count', async () => {
  const expired = at(-5)
  expect(await choose({ junk: refuse('signature_invalid'), good: at(-100) })).toBe('good')
  expect(await choose({ expired, good: at(-100) }, {}, [expired])).toBe('good')
  expect(await choose({ unknown: refuse('keys_unavailable'), good: at(-100) })).toBe('good')
})

// holds: second-cookie-of-name
test('tokens of different people, or of different issuers, are nobody knows whose', async () => {
  expect(await choose({ alice: at(-10), mallory: at(-20, { sub: 'mallory' }) })).toBe('token_multiple')
  const foreign = { ...at(-5), issuer: 'https://other.example.com' } as VerifiedToken
  expect(await choose({ alice: at(-10), foreign })).toBe('token_multiple')
})

test('two without a subject may belong to two', async () => {
  expect(await choose({ one: at(-10, { sub: undefined }), other: at(-20, { sub: undefined }) })).toBe('token_multiple')
})

test('where none counts, the refusal of the newest is given, and a trouble of ours before all', async () => {
  const issuedAt = { first: 10, second: 30, third: 20 }
  const [first, second, third] = [refuse('signature_invalid'), refuse('token_expired'), refuse('issuer_unknown')]
  expect(await choose({ first, second, third }, issuedAt)).toBe('token_expired')
  expect(await choose({ first: refuse('overloaded'), second, third }, issuedAt)).toBe('overloaded')
})
