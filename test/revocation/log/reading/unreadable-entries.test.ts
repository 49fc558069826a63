// Entries that another program wrote wrongly: their tokens are refused where that can be, and an operator reads which they are.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Logger } from '../../../../src/model/logger.ts'
import { createList, type RuleList } from '../../../../src/revocation/compact-list/list.ts'
import { createFeed } from '../../../../src/revocation/log/reading/feed.ts'
import { createComplaints } from '../../../../src/revocation/log/reading/unreadable-entries.ts'
import { silentObserver } from '../../../../src/revocation/log/report.ts'
import type { RedisStore } from '../../../../src/revocation/log/store.ts'
import { startRedis, type TestRedis } from '../../../support/redis.ts'
import { verifiedToken } from '../../../support/verified-token.ts'
import { logKey, soon, storeFor } from '../../harness.ts'

const SKIPPED = 'Skipped entries of the revocation log that are not rules'
const GUESSED = 'Read entries of the revocation log as against every token that was issued before they were written'

interface Line {
  readonly level: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

function createLines(): { readonly lines: Line[]; readonly log: Logger } {
  const lines: Line[] = []
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message })
  }
  return { lines, log: { info: at('info'), warn: at('warn'), error: at('error') } }
}

describe('complaints', () => {
  test('name the first few entries and count the others, in one line a minute for each topic', () => {
    let nowMs = 1_000_000
    const { lines, log } = createLines()
    const complaints = createComplaints({ clock: () => nowMs, log })
    complaints.tell()
    expect(lines).toEqual([])
    for (let index = 1; index <= 5; index += 1) complaints.note('skipped', `${index}-0`, 'it is odd')
    complaints.note('failed', 'x'.repeat(1000), 'it is too much')
    complaints.tell()
    expect(lines).toEqual([
      {
        level: 'warn',
        fields: { entries: 5, examples: ['1-0: it is odd', '2-0: it is odd', '3-0: it is odd'], upTo: '5-0' },
        message: SKIPPED,
      },
      expect.objectContaining({ level: 'error' }),
    ])
    expect(JSON.stringify(lines[1]).length).toBeLessThan(300)
    for (let index = 6; index <= 1006; index += 1) {
      complaints.note('skipped', `${index}-0`, 'it is odd')
      nowMs += 59
      complaints.tell()
    }
    expect(lines).toHaveLength(2)
    nowMs += 1000
    complaints.tell()
    expect(lines).toHaveLength(3)
    expect(lines[2]).toMatchObject({ fields: { entries: 1001, upTo: '1006-0' }, message: SKIPPED })
    nowMs += 60_000
    complaints.tell()
    expect(lines).toHaveLength(3)
  })
})

describe('a gate that follows a log with wrong entries', () => {
  let redis: TestRedis
  let store: RedisStore
  let list: RuleList
  let feed: ReturnType<typeof createFeed>
  let nowMs: number
  let isSynced: boolean
  const { lines, log } = createLines()
  const isRevoked = (sub: string, iat: number) =>
    list.check(verifiedToken({ jti: 'j', sub, iat }), nowMs / 1000) !== undefined

  function feedOf(into: RuleList) {
    const synced = (is: boolean) => {
      isSynced = is
    }
    const observe = { ...silentObserver, synced }
    const times = { maxLifetimeSeconds: () => 86_400, toleranceSeconds: () => 5, maxStalenessMs: 30_000 }
    return createFeed({ store, list: into, clock: () => nowMs, ...times, observe, log })
  }

  beforeEach(async () => {
    redis = await startRedis()
    lines.length = 0
    isSynced = false
    nowMs = Date.now()
    store = storeFor({ url: redis.url })
    list = createList({ toleranceSeconds: 5 })
    feed = feedOf(list)
  })

  afterEach(async () => {
    const ended = feed.stop()
    await store.close()
    await ended
    await redis.stop()
  })

  test('refuses the tokens that an ISO 8601 or a nonsensical "before" is about, and no later ones', async () => {
    const subject = (value: string, before: string) =>
      redis.command('xadd', logKey, '*', 'kind', 'subject', 'value', value, 'before', before)
    const isoSeconds = Math.floor(nowMs / 1000) - 100
    await subject('iso', new Date(isoSeconds * 1000).toISOString())
    await subject('milliseconds', String(isoSeconds * 1000))
    const id = String(await subject('nonsense', 'the day before'))
    const odd = String(await redis.command('xadd', logKey, '*', 'kind', 'person', 'value', 'bob'))
    feed.start()
    await vi.waitFor(() => expect(isSynced).toBe(true), soon)
    for (const value of ['iso', 'milliseconds']) {
      expect(isRevoked(value, isoSeconds)).toBe(true)
      expect(isRevoked(value, isoSeconds + 1)).toBe(false)
    }
    const writtenSeconds = Number(id.split('-')[0]) / 1000
    expect(isRevoked('nonsense', writtenSeconds)).toBe(true)
    expect(isRevoked('nonsense', writtenSeconds + 1)).toBe(false)
    const warnings = lines.filter(({ level }) => level === 'warn')
    expect(warnings).toEqual([
      {
        level: 'warn',
        fields: {
          entries: 1,
          examples: [`${odd}: "kind" is none of token, subject, session, client, key, issuer`],
          upTo: odd,
        },
        message: SKIPPED,
      },
      {
        level: 'warn',
        fields: {
          entries: 1,
          examples: [`${id}: "before" is neither unix seconds nor ISO 8601 with a time zone`],
          upTo: id,
        },
        message: GUESSED,
      },
    ])
  })

  test('writes few lines about a flood of them, and the last of them is counted', async () => {
    feed.start()
    await vi.waitFor(() => expect(isSynced).toBe(true), soon)
    const skipped = () => lines.filter(({ message }) => message === SKIPPED)
    for (let round = 0; round < 20; round += 1) {
      const batch = redis.client.pipeline()
      for (let index = 0; index < 100; index += 1)
        batch.xadd(logKey, '*', 'kind', 'person', 'value', `${round}-${index}`)
      await batch.exec()
    }
    await redis.command('xadd', logKey, '*', 'kind', 'subject', 'value', 'end')
    await vi.waitFor(() => expect(isRevoked('end', 1)).toBe(true), soon)
    expect(skipped()).toHaveLength(1)
    nowMs += 61_000
    await vi.waitFor(() => expect(skipped()).toHaveLength(2), soon)
    expect(skipped().reduce((sum, { fields }) => sum + Number(fields.entries), 0)).toBe(2000)
  })

  test('does not stand still at a value that has too many rules, and says so once', async () => {
    for (let round = 0; round < 8; round += 1) {
      const batch = redis.client.pipeline()
      for (let index = 0; index < 1000; index += 1) {
        const issuer = `https://issuer-${round}-${index}.example`
        batch.xadd(logKey, '*', 'kind', 'subject', 'value', 'many', 'issuer', issuer)
      }
      await batch.exec()
    }
    await redis.command('xadd', logKey, '*', 'kind', 'subject', 'value', 'end')
    feed.start()
    await vi.waitFor(() => expect(isSynced).toBe(true), soon)
    expect(['many', 'end', 'other'].map((sub) => isRevoked(sub, 1))).toEqual([true, true, false])
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([
      {
        level: 'warn',
        fields: { redis: `redis://127.0.0.1:${redis.port}/0`, values: 1 },
        message: expect.stringContaining('one rule for tokens of every issuer stands for them'),
      },
    ])
  })

  test('does not stand still at a rule that cannot be held at all, and says so as an error', async () => {
    const crowded = createList({ toleranceSeconds: 5, hash: () => 0 })
    list = crowded
    feed = feedOf(crowded)
    const batch = redis.client.pipeline()
    for (let index = 0; index < 400; index += 1) {
      batch.xadd(logKey, '*', 'kind', 'subject', 'value', `${index}${'x'.repeat(1000)}`)
    }
    await batch.exec()
    await redis.command('xadd', logKey, '*', 'kind', 'subject', 'value', 'end')
    feed.start()
    await vi.waitFor(() => expect(isSynced).toBe(true), soon)
    expect(['end', 'other'].map((sub) => isRevoked(sub, 1))).toEqual([true, false])
    const [line, ...more] = lines.filter(({ level }) => level === 'error')
    expect(line?.message).toBe('Cannot hold rules of the revocation log: the copy is stale until they end')
    expect(feed.isWhole()).toBe(false)
    expect(line?.fields.examples).toContainEqual(expect.stringContaining('too many have one hash'))
    expect(more).toEqual([])
  })
})
