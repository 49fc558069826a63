import { expect, test } from 'vitest'
import { createList } from '../../../../src/revocation/compact-list/list.ts'
import { silentLog, silentObserver } from '../../../../src/revocation/log/report.ts'
import { createHealer } from '../../../../src/revocation/log/writing/healer.ts'
import type { Rule } from '../../../../src/revocation/rule/rule.ts'
import { startRedis } from '../../../support/redis.ts'
import { rule, storeFor } from '../../harness.ts'

test('what another gate wrote back before our turn is not written twice, and the rest is', async () => {
  const redis = await startRedis()
  const store = storeFor({ url: redis.url })
  try {
    await store.open()
    const list = createList()
    const [theirs, ours] = [rule({ kind: 'token', value: 'theirs' }), rule({ kind: 'token', value: 'ours' })]
    list.apply(theirs)
    list.apply(ours)
    const append = async (rules: readonly Rule[]) => {
      await store.append(rules, () => true)
    }
    const parts = { store, append, list, clock: Date.now, toleranceSeconds: () => 5 }
    const kept = { missingEntries: () => [], appendEntries: async () => {} }
    const healer = createHealer({ ...parts, ...kept, observe: silentObserver, log: silentLog })
    healer.begin()
    await store.claimHealing('another', 10_000)
    await healer.attempt(async () => {})
    expect(await redis.command('xlen', 'sidegate:{default}:log')).toBe(0)
    expect(healer.isPending()).toBe(true)
    await store.releaseHealing('another')
    await healer.attempt(async () => healer.note(theirs))
    await healer.attempt(async () => {})
    const entries = await store.readLog('0-0', 10)
    expect(entries.map(({ fields }) => fields[3])).toEqual(['ours'])
    expect(healer.isPending()).toBe(false)
    expect(await redis.command('exists', 'sidegate:{default}:healing')).toBe(0)
  } finally {
    await store.close()
    await redis.stop()
  }
})
