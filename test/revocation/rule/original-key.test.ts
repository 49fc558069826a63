// A rule that names the key of an identity provider reaches what the gate signed for a token of that key: in the copy of the
// list, and where Redis is asked.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { VerifiedToken } from '../../../src/model/decision.ts'
import { createList } from '../../../src/revocation/compact-list/list.ts'
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

const nowSeconds = Math.floor(Date.now() / 1000)
const successor = (originalKeyId?: string): VerifiedToken => ({
  ...verifiedToken({ jti: 'next' }, { keyId: 'own', isSuccessor: true }),
  originalKeyId,
})
const ofIssuer = (issuer: string) => rule({ kind: 'key', value: 'k1', issuer })

describe('in the copy of the list, a rule for a key', () => {
  const ends = (token: VerifiedToken, ...rules: readonly ReturnType<typeof rule>[]) => {
    const list = createList()
    for (const each of rules) list.apply(each)
    return list.check(token, nowSeconds) !== undefined
  }

  test('ends the successors of tokens of that key, and of no other', () => {
    expect(ends(successor('k1'), rule({ kind: 'key', value: 'k1' }))).toBe(true)
    expect(ends(successor('k2'), rule({ kind: 'key', value: 'k1' }))).toBe(false)
    expect(ends(successor('k1'), ofIssuer('https://id.example'))).toBe(true)
    expect(ends(successor('k1'), ofIssuer('https://other.example'))).toBe(false)
  })

  test('says nothing of a token whose identity provider wrote such a name into it', () => {
    const foreign = verifiedToken({ original_key_id: 'k1' }, { keyId: 'k2' })
    expect(ends(foreign, rule({ kind: 'key', value: 'k1' }))).toBe(false)
  })

  test('of any name ends a successor that names none, if it is of its issuer', () => {
    expect(ends(successor(), rule({ kind: 'key', value: 'k1' }))).toBe(true)
    expect(ends(successor(), ofIssuer('https://id.example'))).toBe(true)
    expect(ends(successor(), ofIssuer('https://other.example'))).toBe(false)
    expect(ends(successor(), rule({ kind: 'subject', value: 'k1' }))).toBe(false)
  })

  test('that was lifted or has ended, ends none', () => {
    const known = rule({ kind: 'key', value: 'k1' })
    expect(ends(successor(), known, { ...known, lifted: true, atMs: known.atMs + 1 })).toBe(false)
    expect(ends(successor(), { ...known, expiresAtSeconds: nowSeconds - 1 })).toBe(false)
  })
})

test('asked in Redis, a rule for a key ends the successors of its tokens', async () => {
  const revocations = startLookup({ url: redis.url })
  await revocations.write([rule({ kind: 'key', value: 'k1' })])
  expect(await revocations.check(successor('k1'))).toMatchObject({ state: 'revoked' })
  expect(await revocations.check(successor('k2'))).toMatchObject({ state: 'clear' })
})
