import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { describeAddress, parseRedisUrl } from '../../../src/redis/address.ts'
import type { RedisStore } from '../../../src/revocation/log/store.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/listen.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { startClusterNode } from '../../support/redis-cluster.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import { rule, startLocal, startLookup, stopAll, storeFor } from '../harness.ts'

let redis: TestRedis
const log = 'sidegate:{default}:log'
const now = () => Math.floor(Date.now() / 1000)
const never = () => false
const soon = { timeout: 8000, interval: 10 }

beforeAll(async () => {
  redis = await startRedis()
})

beforeEach(async () => {
  await redis.command('config', 'set', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
  await redis.command('flushall')
})

afterEach(() => {
  redis.kill('SIGCONT')
  return stopAll()
})
afterAll(() => redis.stop())

async function withStore(use: (store: RedisStore) => Promise<void>, more: object = {}): Promise<void> {
  const store = storeFor({ url: redis.url, ...more })
  await store.open()
  try {
    await use(store)
  } finally {
    await store.close()
  }
}

describe('writing', () => {
  // holds: rule-ends-before-token
  test('a rule is an entry of the log and a key with an end, which a shorter rule never shortens', () =>
    withStore(async (store) => {
      const end = now() + 600
      const [id] = await store.append(
        [rule({ kind: 'token', value: 'j', issuer: 'a' }, { expiresAtSeconds: end })],
        never,
      )
      await store.append([rule({ kind: 'token', value: 'j', issuer: 'b' }, { expiresAtSeconds: end - 300 })], never)
      const entries = await store.readLog('0-0', 10)
      expect(entries).toHaveLength(2)
      expect(entries[0]).toEqual({ id, fields: ['kind', 'token', 'value', 'j', 'issuer', 'a', 'expires', String(end)] })
      expect(await redis.command('hlen', 'sidegate:{default}:token:j')).toBe(2)
      expect(await redis.command('expiretime', 'sidegate:{default}:token:j')).toBe(end + 305)
      await store.append([rule({ kind: 'token', value: 'j', issuer: 'a' }, { lifted: true })], never)
      expect(await redis.command('hkeys', 'sidegate:{default}:token:j')).toEqual(['b'])
    }))

  // holds: redis-full
  test('when Redis is full nothing of a batch is written, and the writer is told', () =>
    withStore(async (store) => {
      await redis.command('config', 'set', 'maxmemory', '1')
      const batch = ['a', 'b', 'c'].map((value) => rule({ kind: 'token', value }))
      await expect(store.append(batch, never)).rejects.toThrow(/OOM|EXECABORT/)
      await redis.command('config', 'set', 'maxmemory', '0')
      expect(await redis.command('dbsize')).toBe(0)
    }))

  // holds: failover-loses-confirmed-write
  test('a write that too few replicas confirm says that it is written but not replicated', () =>
    withStore(
      async (store) => {
        await expect(store.append([rule({ kind: 'token', value: 'a' })], never)).rejects.toThrow(
          'Cannot confirm the revocation: it is written, but on 0 instead of 1 replicas',
        )
        expect(await redis.command('xlen', log)).toBe(1)
      },
      { minReplicas: 1 },
    ))

  test('trimming drops ended entries from the head, stops at the first in force, and keeps the last', () =>
    withStore(async (store) => {
      const add = (value: string, expires: number) =>
        redis.command('xadd', log, '*', 'kind', 'token', 'value', value, 'expires', String(expires))
      // Gates whose clocks are behind by up to five minutes still let tokens live by the rule.
      for (let index = 0; index < 450; index += 1) await add(`old-${index}`, now() - 400)
      await add('alive', now() - 100)
      await add('behind', now() - 400)
      expect(await store.trim()).toBe(450)
      expect(await store.trim()).toBe(0)
      expect((await store.readLog('0-0', 10)).map(({ fields }) => fields[3])).toEqual(['alive', 'behind'])
      await redis.command('xtrim', log, 'MINID', (await store.readLog('0-0', 10))[1]!.id)
      expect(await store.trim()).toBe(0)
      expect(await redis.command('xlen', log)).toBe(1)
      expect(await redis.command('get', 'sidegate:{default}:trimmed')).toBe('450')
    }))

  test('a Redis that may evict rules is recognised', () =>
    withStore(async (store) => {
      expect(await store.safety()).toMatchObject({ mayEvict: false, isPersistent: false, isReplica: false })
      await redis.command('config', 'set', 'maxmemory', '100mb', 'maxmemory-policy', 'volatile-ttl')
      expect(await store.safety()).toMatchObject({ mayEvict: true, evictionPolicy: 'volatile-ttl' })
    }))

  test('one gate at a time can claim the healing', () =>
    withStore(async (store) => {
      expect(await store.claimHealing('a', 10_000)).toBe(true)
      expect(await store.claimHealing('b', 10_000)).toBe(false)
      await store.releaseHealing('b')
      expect(await store.claimHealing('b', 10_000)).toBe(false)
      await store.releaseHealing('a')
      expect(await store.claimHealing('b', 10_000)).toBe(true)
    }))
})

describe('looking up each time', () => {
  const isReady = (lookup: ReturnType<typeof startLookup>) =>
    vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)

  test('a rule of every kind is found, and only for the tokens that it matches', async () => {
    const lookup = startLookup({ url: redis.url })
    await isReady(lookup)
    const claims = { jti: 'j', sub: 's', sid: 'i', azp: 'c', client_id: 'd', iss: 'https://id.example', iat: 500 }
    const token = verifiedToken(claims, { keyId: 'k' })
    const named = [
      ['token', 'j'],
      ['subject', 's'],
      ['session', 'i'],
      ['client', 'c'],
      ['client', 'd'],
      ['key', 'k'],
      ['issuer', 'https://id.example'],
    ] as const
    for (const [kind, value] of named) {
      expect(await lookup.check(token)).toEqual({ state: 'clear', degraded: false })
      await lookup.write([rule({ kind, value })])
      expect(await lookup.check(token)).toMatchObject({ state: 'revoked', rule: { kind, value } })
      expect(await lookup.lift(kind, value)).toMatchObject({ kind, value })
    }
    await lookup.write([rule({ kind: 'token', value: 'j', issuer: 'https://other.example' })])
    await lookup.write([rule({ kind: 'subject', value: 's' }, { issuedBeforeSeconds: 499 })])
    expect(await lookup.check(token)).toMatchObject({ state: 'clear' })
    expect((await lookup.list()).map(({ kind }) => kind)).toEqual(['token', 'subject'])
  })

  test('plain keys of an existing list are honoured', async () => {
    const lookup = startLookup({ url: redis.url, plainKeys: ['{jti}', 'revoked:{iss}:{sub}'] })
    await isReady(lookup)
    await redis.command('set', 'gone', 'revoked', 'EX', '60')
    await redis.command('rpush', 'revoked:https://id.example:alice', 'any type')
    expect(await lookup.check(verifiedToken({ jti: 'gone' }))).toMatchObject({ state: 'revoked' })
    expect(await lookup.check(verifiedToken({ jti: 'x', sub: 'alice' }))).toMatchObject({ state: 'revoked' })
    expect(await lookup.check(verifiedToken({ jti: 'x', sub: 'bob' }))).toMatchObject({ state: 'clear' })
    expect(await lookup.check(verifiedToken({ sub: '' }))).toMatchObject({ state: 'clear' })
  })

  test.each([
    ['a key of another type', ['set', 'sidegate:{default}:token:j', 'x']],
    ['a field that is not JSON', ['hset', 'sidegate:{default}:token:j', '', 'x']],
    ['a field without an end', ['hset', 'sidegate:{default}:token:j', '', '{}']],
  ] as const)('%s is an outage, never a clear answer', async (_name, [name, ...parts]) => {
    const [strict, lenient] = [startLookup({ url: redis.url }), startLookup({ url: redis.url, whenStale: 'allow' })]
    await Promise.all([isReady(strict), isReady(lenient)])
    await redis.command(name, ...parts)
    expect(await strict.check(verifiedToken({ jti: 'j' }))).toMatchObject({ state: 'stale' })
    expect(await lenient.check(verifiedToken({ jti: 'j' }))).toEqual({ state: 'clear', degraded: true })
  })

  test('a Redis that hangs costs the time-out a few times, then nothing, and is found again', async () => {
    let stoppedMs: number | undefined
    const lookup = startLookup({ url: redis.url, timeoutMs: 50, clock: () => stoppedMs ?? Date.now() })
    await isReady(lookup)
    const token = verifiedToken({ jti: 'j' })
    const untilClear = () => eventually(async () => expect(await lookup.check(token)).toMatchObject({ state: 'clear' }))
    // One look-up that takes too long on a busy machine says "stale"
    await untilClear()
    redis.kill('SIGSTOP')
    // While the clock stands still nobody is let through to try again.
    stoppedMs = Date.now()
    for (let index = 0; index < 5; index += 1) {
      expect(await lookup.check(token)).toMatchObject({ state: 'stale' })
    }
    let hasWaited = false
    setImmediate(() => {
      hasWaited = true
    })
    const batchesMs: number[] = []
    for (let batch = 0; batch < 5; batch += 1) {
      const startedMs = performance.now()
      for (let index = 0; index < 1000; index += 1) await lookup.check(token)
      batchesMs.push(performance.now() - startedMs)
    }
    expect(hasWaited).toBe(false)
    expect(Math.min(...batchesMs)).toBeLessThan(200)
    redis.kill('SIGCONT')
    stoppedMs = undefined
    await untilClear()
  })

  test('a Redis that was never there is not ready and not clear', async () => {
    const lookup = startLookup({ url: `redis://127.0.0.1:${await freePort()}` })
    expect(await lookup.check(verifiedToken())).toMatchObject({ state: 'stale' })
    expect(lookup.readiness().ready).toBe(false)
  })
})

describe('addresses', () => {
  test('every form is read, and described without its credentials', () => {
    expect(parseRedisUrl('rediss://us%40er:p%2Fw@redis.example:6380/3')).toMatchObject({
      form: 'standalone',
      nodes: [{ host: 'redis.example', port: 6380 }],
      tls: true,
      username: 'us@er',
      password: 'p/w',
      database: 3,
    })
    const sentinel = parseRedisUrl('redis+sentinel://:secret@h1:26379,[::1]/mymaster/2')
    expect(sentinel).toMatchObject({ form: 'sentinel', masterName: 'mymaster', database: 2, username: undefined })
    expect(describeAddress(sentinel)).toBe('redis+sentinel://h1:26379,[::1]:26379/mymaster/2')
    expect(parseRedisUrl('redis+cluster://h1:1,h2:2')).toMatchObject({
      form: 'cluster',
      nodes: [{ port: 1 }, { port: 2 }],
    })
  })

  test.each([
    'http://x',
    'redis://',
    'redis://a,b',
    'redis://a:99999',
    'redis://a/x',
    'redis+sentinel://a',
    'redis+cluster://a/1',
    'redis://u:s3cret@h:x',
  ])('%s is refused without being repeated', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/^Cannot read the Redis URL: (?!.*s3cret)/)
  })

  test('a user without permission and a wrong password are an outage', async () => {
    await redis.command('acl', 'setuser', 'reader', 'on', '>pw', '~*', '+@read', '+@connection', '+info')
    const wrong = startLocal({ url: `redis://reader:no@127.0.0.1:${redis.port}` })
    await vi.waitFor(() => expect(wrong.seen.errors).toContain('access'), soon)
    expect(wrong.revocations.check(verifiedToken())).toMatchObject({ state: 'stale' })
    const reader = startLocal({ url: `redis://reader:pw@127.0.0.1:${redis.port}` })
    await vi.waitFor(() => expect(reader.seen.synced).toBe(true), soon)
    await expect(reader.revocations.write([rule({ kind: 'token', value: 'a' })])).rejects.toThrow(/NOPERM|EXECABORT/)
    expect(reader.revocations.check(verifiedToken({ jti: 'a' }))).toMatchObject({ state: 'clear' })
  })

  test('a Cluster is written, followed and looked up like one server', async () => {
    const cluster = await startClusterNode()
    try {
      await cluster.command('cluster', 'addslotsrange', '0', '16383')
      await vi.waitFor(async () => expect(String(await cluster.command('cluster', 'info'))).toContain('state:ok'), soon)
      const url = `redis+cluster://127.0.0.1:${cluster.port}`
      const gate = startLocal({ url })
      await vi.waitFor(() => expect(gate.seen.synced).toBe(true), soon)
      await gate.revocations.write([rule({ kind: 'token', value: 'a' })])
      const lookup = startLookup({ url, plainKeys: ['{jti}', 'other:{jti}'] })
      await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
      expect(await lookup.check(verifiedToken({ jti: 'a' }))).toMatchObject({ state: 'revoked' })
      expect(await lookup.check(verifiedToken({ jti: 'b' }))).toMatchObject({ state: 'clear' })
      await stopAll()
    } finally {
      await cluster.stop()
    }
  })

  test('the master of a Sentinel group is found by its name', async () => {
    const sentinel = await startRedis([], { sentinelOf: redis.port })
    try {
      const gate = startLocal({ url: `redis+sentinel://127.0.0.1:${sentinel.port}/main/0` })
      await vi.waitFor(() => expect(gate.seen.synced).toBe(true), soon)
      await gate.revocations.write([rule({ kind: 'token', value: 'a' })])
      expect(await redis.command('xlen', log)).toBe(1)
      await stopAll()
    } finally {
      await sentinel.stop()
    }
  })
})
