// A Redis that refuses the database: nothing is read from database 0 instead, nothing is written to it, and it is over as soon
// as Redis lets the user in.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { createConnection, type RedisConnection } from '../../src/redis/connection.ts'
import { createTroubleReport } from '../../src/redis/error-log.ts'
import { silentLog, silentObserver } from '../../src/revocation/log/report.ts'
import {
  logKey,
  revoke,
  soon,
  startLocal,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  untilState,
} from '../revocation/harness.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'
import { verifiedToken } from '../support/verified-token.ts'

const OUT_OF_RANGE = 'Redis refuses database 99: ERR DB index is out of range'
const MAY_NOT_SELECT = /^Redis refuses database 5: NOPERM .*select/
let redis: TestRedis
const connections: RedisConnection[] = []

const urlOf = (database: number) => `redis://127.0.0.1:${redis.port}/${database}`
const userUrl = (database: number, password = 'pw') => `redis://gate:${password}@127.0.0.1:${redis.port}/${database}`
const allow = (...rules: string[]) => redis.command('acl', 'setuser', 'gate', 'reset', 'on', '>pw', '~*', ...rules)

/** What somebody sees who opens a connection: its warnings, and each change of its state. */
function connect(url: string) {
  const warnings: unknown[] = []
  const reconnects: string[] = []
  const states: boolean[] = []
  const connection = createConnection({
    address: parseRedisUrl(url),
    credentials: {},
    silenceMs: 2000,
    observe: { ...silentObserver, redisReconnecting: () => reconnects.push('again') },
    onTrouble: createTroubleReport({ ...silentLog, warn: (fields) => warnings.push(fields) }, url).note,
    onState: (isReady) => states.push(isReady),
  })
  connections.push(connection)
  return { connection, warnings, reconnects, states }
}

/** How many keys there are in each database. */
async function keyspace(): Promise<string> {
  return String(await redis.command('info', 'keyspace'))
    .replace('# Keyspace', '')
    .trim()
}

beforeEach(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  await stopAll()
  await Promise.all(connections.splice(0).map((one) => one.close()))
  await redis.stop()
})

describe('a connection', () => {
  test('to a database that Redis does not have is never ready, says why, and sends nothing', async () => {
    const { connection, warnings, reconnects, states } = connect(urlOf(99))
    await expect(connection.open()).rejects.toThrow(OUT_OF_RANGE)
    for (let round = 0; round < 3; round += 1) {
      const seen = reconnects.length
      expect(connection.isReady()).toBe(false)
      await expect(connection.whenReady(5000)).rejects.toThrow(OUT_OF_RANGE)
      await expect(connection.send([['set', 'a', '1']], 1000)).rejects.toThrow(OUT_OF_RANGE)
      await expect(connection.transact([['set', 'a', '1']], 1000)).rejects.toThrow(OUT_OF_RANGE)
      await expect(connection.probe([['set', 'a', '1']], 1000)).rejects.toThrow(OUT_OF_RANGE)
      await vi.waitFor(() => expect(reconnects.length).toBeGreaterThan(seen), soon)
    }
    expect(await keyspace()).toBe('')
    expect(states).not.toContain(true)
    expect(warnings).toEqual([{ redis: urlOf(99), kind: 'reply', detail: OUT_OF_RANGE }])
  })

  test('of a user who may not SELECT is tried again, and goes to its database once the ACL is mended', async () => {
    await allow('+@all', '-select')
    const { connection, warnings } = connect(userUrl(5))
    await expect(connection.open()).rejects.toThrow(MAY_NOT_SELECT)
    await expect(connection.send([['set', 'a', '1']], 1000)).rejects.toThrow(MAY_NOT_SELECT)
    expect(warnings).toEqual([
      expect.objectContaining({ kind: 'access', detail: expect.stringMatching(MAY_NOT_SELECT) }),
    ])
    await allow('+@all')
    await vi.waitFor(() => expect(connection.isReady()).toBe(true), soon)
    await connection.send([['set', 'a', '1']], 1000)
    expect(await keyspace()).toMatch(/^db5:keys=1,.*$/)
  })

  test('whose user loses SELECT meanwhile is not used any more after a reconnect', async () => {
    await allow('+@all')
    const { connection, states } = connect(userUrl(5))
    await connection.open()
    const session = connection.session()
    await allow('+@all', '-select')
    await redis.command('client', 'kill', 'user', 'gate')
    await vi.waitFor(() => expect(connection.whenReady(5000)).rejects.toThrow(MAY_NOT_SELECT), soon)
    await expect(connection.send([['set', 'a', '1']], 1000)).rejects.toThrow(MAY_NOT_SELECT)
    expect(await keyspace()).toBe('')
    expect(connection.session()).toBe(session)
    expect(states.at(-1)).toBe(false)
  })

  test('that nobody listens to any more does not go on blaming the database', async () => {
    const { connection } = connect(urlOf(99))
    await expect(connection.open()).rejects.toThrow(OUT_OF_RANGE)
    await redis.halt()
    const send = () => connection.send([['set', 'a', '1']], 1000)
    await vi.waitFor(() => expect(send()).rejects.toThrow(/^Cannot ask Redis: .* nothing listens there/), soon)
  })

  test('with a wrong password says so, whatever the database', async () => {
    await allow('+@all')
    await redis.command('acl', 'setuser', 'default', 'resetpass', '>other')
    for (const url of [userUrl(5, 'wrong'), userUrl(99, 'wrong')]) {
      const { connection, warnings } = connect(url)
      await expect(connection.open()).rejects.toThrow('WRONGPASS')
      expect(warnings).toEqual([expect.objectContaining({ detail: expect.stringContaining('WRONGPASS') })])
    }
    const { connection } = connect(urlOf(5))
    await expect(connection.open()).rejects.toThrow('NOAUTH')
  })

  test('by Sentinels is refused its database alike', async () => {
    const sentinel = await startRedis([], { sentinelOf: redis.port })
    try {
      const { connection } = connect(`redis+sentinel://127.0.0.1:${sentinel.port}/main/99`)
      await expect(connection.open()).rejects.toThrow(OUT_OF_RANGE)
      await expect(connection.send([['set', 'a', '1']], 1000)).rejects.toThrow(OUT_OF_RANGE)
      expect(await keyspace()).toBe('')
    } finally {
      await sentinel.stop()
    }
  })

  test('to database 0 needs no SELECT', async () => {
    await allow('+@all', '-select')
    const { connection } = connect(userUrl(0))
    await connection.open()
    expect(await connection.send([['ping']], 1000)).toEqual(['PONG'])
  })
})

describe('a gate', () => {
  test('that Redis refuses its database does not judge by database 0, and is not ready', async () => {
    await allow('+@all', '-select')
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'of-another')
    const gates = [startLocal({ url: userUrl(5) }), startLocal({ url: urlOf(99) })]
    for (const gate of gates) {
      await vi.waitFor(() => expect(gate.revocations.readiness().detail).toMatch(/Redis refuses database \d+: /), soon)
      expect(gate.revocations.readiness().ready).toBe(false)
      expect(gate.store.isUp()).toBe(false)
      for (const jti of ['of-another', 'other']) expect(stateOf(gate, jti)).toBe('stale')
      await expect(revoke(gate, 'mine')).rejects.toThrow('Redis refuses database')
    }
    const lookup = startLookup({ url: urlOf(99), hasCopy: true })
    expect(await lookup.check(verifiedToken({ jti: 'other' }))).toMatchObject({ state: 'stale' })
    const notReady = { ready: false, detail: `Redis was not reached yet: ${OUT_OF_RANGE}` }
    await vi.waitFor(() => expect(lookup.readiness()).toEqual(notReady), soon)
    expect(await redis.command('xlen', logKey)).toBe(1)
    await redis.client.call('select', '5')
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'mine')
    await allow('+@all')
    await untilState(gates[0]!, 'mine', 'revoked')
    await untilState(gates[0]!, 'of-another', 'clear')
  })

  test('that comes back to a Redis that refuses its database keeps what it knows and reads nothing else', async () => {
    await allow('+@all')
    const gate = await startSynced({ url: userUrl(5), maxStalenessMs: 500 })
    await revoke(gate, 'mine')
    await redis.command('xadd', logKey, '*', 'kind', 'token', 'value', 'of-another')
    await allow('+@all', '-select')
    await redis.command('client', 'kill', 'user', 'gate')
    await vi.waitFor(() => expect(gate.feed.trouble()).toMatch(MAY_NOT_SELECT), soon)
    await untilState(gate, 'other', 'stale')
    await expect(revoke(gate, 'more')).rejects.toThrow(MAY_NOT_SELECT)
    expect(stateOf(gate, 'mine')).toBe('revoked')
    expect(stateOf(gate, 'of-another')).toBe('stale')
    expect(await redis.command('xlen', logKey)).toBe(1)
    await allow('+@all')
    await untilState(gate, 'of-another', 'clear')
    // The other connection comes back by itself.
    await vi.waitFor(() => revoke(gate, 'more'), soon)
    expect(await redis.command('xlen', logKey)).toBe(1)
  })
})

describe('the command line', () => {
  test('does not say that it wrote where Redis refuses the database, and writes nothing', async () => {
    const given = ['--jti', 'a', '--redis']
    const missing = await sidegate(['revoke', ...given, urlOf(99)])
    expect(missing.complained).toEqual([`Cannot reach ${urlOf(99)}: ${OUT_OF_RANGE}`])
    await allow('+@all', '-select')
    const denied = await sidegate(['revoke', ...given, userUrl(5)])
    expect(denied.complained).toEqual([
      expect.stringContaining(`Cannot reach ${urlOf(5)}: Redis refuses database 5: NOPERM`),
    ])
    for (const ran of [missing, denied]) expect([ran.exitCode, ran.printed]).toEqual([1, []])
    expect(await keyspace()).toBe('')
  })
})
