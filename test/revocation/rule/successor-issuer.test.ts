// A successor may carry another `iss` than the issuer that vouches for it: a rule that names the one or the other finds it,
// also where Redis is asked and no copy of the log is at hand.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { VerifiedToken } from '../../../src/model/decision.ts'
import type { RuleIdentity } from '../../../src/revocation/rule/rule.ts'
import { factsOf } from '../../../src/revocation/rule/token-facts.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import { rule, startLookup, stopAll } from '../harness.ts'

let redis: TestRedis
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await stopAll()
  await redis.command('FLUSHALL')
})
afterAll(() => redis.stop())

const first: VerifiedToken = verifiedToken({ iss: 'https://id.example', sub: 'alice', jti: 'first' })
const successor: VerifiedToken = { ...first, claims: { ...first.claims, iss: 'https://gate.example' } }

test('a successor has two issuers, any other token one', () => {
  const issuersOf = (token: VerifiedToken) => factsOf(token).filter(({ kind }) => kind === 'issuer')
  expect(issuersOf(first).map(({ value }) => value)).toEqual(['https://id.example'])
  expect(issuersOf(successor).map(({ value }) => value)).toEqual(['https://gate.example', 'https://id.example'])
})

const rules: readonly (readonly [RuleIdentity, ends: boolean, endsFirst: boolean])[] = [
  [{ kind: 'issuer', value: 'https://id.example' }, true, true],
  [{ kind: 'issuer', value: 'https://gate.example' }, true, false],
  [{ kind: 'issuer', value: 'https://other.example' }, false, false],
  [{ kind: 'subject', value: 'alice', issuer: 'https://id.example' }, true, true],
  [{ kind: 'subject', value: 'alice', issuer: 'https://gate.example' }, true, false],
  [{ kind: 'subject', value: 'alice', issuer: 'https://other.example' }, false, false],
]

test('the first token of a session is a fact of its successors alone', () => {
  const named = verifiedToken({ jti: 'second', sid: 'first' })
  const tokensOf = (token: VerifiedToken) =>
    factsOf(token).flatMap(({ kind, value }) => (kind === 'token' ? value : []))
  expect(tokensOf(named)).toEqual(['second'])
  expect(tokensOf({ ...named, isSuccessor: true })).toEqual(['second', 'first'])
  expect(tokensOf({ ...first, isSuccessor: true })).toEqual(['first'])
})

test.each(rules)('by a look-up alone, the rule %j', async (identity, ends, endsFirst) => {
  const revocations = startLookup({ url: redis.url })
  await revocations.write([rule(identity)])
  const stateOf = async (token: VerifiedToken) => (await revocations.check(token)).state
  expect(await stateOf(successor)).toBe(ends ? 'revoked' : 'clear')
  expect(await stateOf(first)).toBe(endsFirst ? 'revoked' : 'clear')
})
