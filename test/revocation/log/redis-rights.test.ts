// How a gate comes in: the least rights, passwords that change, and TLS.
import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { leastRights } from '../../../src/revocation/log/redis-rights.ts'
import { silentLog, silentObserver } from '../../../src/revocation/log/report.ts'
import type { RedisStore } from '../../../src/revocation/log/store.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { freePort } from '../../support/listen.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { verifiedToken } from '../../support/verified-token.ts'
import {
  logKey,
  revoke,
  rule,
  soon,
  startLocal,
  startLookup,
  startSynced,
  stateOf,
  stopAll,
  storeFor,
  untilState,
  untilSynced,
} from '../harness.ts'

const cleanUps: (() => unknown)[] = []

async function start(args: readonly string[] = [], options: Parameters<typeof startRedis>[1] = {}): Promise<TestRedis> {
  const redis = await startRedis(args, options)
  cleanUps.push(redis.stop)
  return redis
}

afterEach(async () => {
  await stopAll()
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

const rightsOf7d4b85d =
  'ACL SETUSER sidegate on >pw resetkeys ~sidegate:{default}:* resetchannels -@all +xread +xrange +xlen +get +time +info +multi +exec +xadd +xtrim +hset +hdel +expireat +incrby +set +del +wait +hmget +exists +select +cluster|slots +cluster|info +asking'

const setLeastRights = (redis: TestRedis) => {
  const [, name, ...parts] = leastRights.replace('PASSWORD', 'pw').split(' ')
  return redis.command('acl', name!, ...parts)
}

/** All that a gate ever asks of Redis. */
async function useEverything(redis: TestRedis, url: string): Promise<void> {
  const gate = await startSynced({ url })
  const polling = await startSynced({ url, follow: 'poll' })
  const ended = Math.floor(Date.now() / 1000) - 1000
  await gate.store.append([rule({ kind: 'token', value: 'ended' }, { expiresAtSeconds: ended })], () => false)
  await gate.revocations.write([rule({ kind: 'token', value: 'one' }), rule({ kind: 'token', value: 'back' })])
  await gate.revocations.lift('token', 'back')
  await untilState(polling, 'one', 'revoked')
  await vi.waitFor(async () => expect(await redis.command('get', 'sidegate:{default}:trimmed')).toBe('1'), soon)
  const lookup = startLookup({ url })
  await vi.waitFor(() => expect(lookup.readiness().ready).toBe(true), soon)
  expect(await lookup.check(verifiedToken({ jti: 'one' }))).toMatchObject({ state: 'revoked' })
  expect(await lookup.check(verifiedToken({ jti: 'two' }))).toMatchObject({ state: 'clear' })
  expect(await lookup.lift('token', 'one')).toMatchObject({ value: 'one' })
  await untilState(gate, 'one', 'clear')
  await revoke(gate, 'two')
  // Each must know all: a gate that has not heard of a lift would write the rule back, and another the lift.
  await untilState(polling, 'two', 'revoked')
  await useFleetEntries(gate.store.entries)
  await redis.command('del', logKey)
  await vi.waitFor(async () => expect(await redis.command('xlen', logKey)).toBe(3), soon)
  await vi.waitFor(() => expect(gate.seen.synced && polling.seen.synced).toBe(true), soon)
  // A connection that takes a second on a busy machine is no denial
  for (const { seen } of [gate, polling]) expect(seen.errors.filter((kind) => kind !== 'timeout')).toEqual([])
}

/** As the refresh by the identity provider does. */
async function useFleetEntries(entries: RedisStore['entries']): Promise<void> {
  const [lock, one, two] = (['exchange', 'successor', 'refresh-token'] as const).map((kind) =>
    entries.nameOf(kind, 'x'),
  )
  await entries.change([{ name: one!, text: 'first', lifetimeMs: 60_000 }])
  expect(await entries.claim(lock!, 60_000, [one!, two!])).toEqual({ isMine: true, texts: ['first', undefined] })
  expect(await entries.claim(lock!, 60_000, [two!])).toEqual({ isMine: false, texts: [undefined] })
  await entries.change([
    { name: two!, text: 'second', lifetimeMs: 0.5 },
    { name: one!, text: undefined },
  ])
  await vi.waitFor(async () => expect(await entries.read([one!, two!])).toEqual([undefined, undefined]), soon)
  await entries.change([{ name: lock!, text: undefined }])
}

describe('the least rights', () => {
  test('are enough for everything, and nothing is ever denied', async () => {
    const redis = await start()
    await setLeastRights(redis)
    await useEverything(redis, `redis://sidegate:pw@127.0.0.1:${redis.port}`)
    const denied = String(await redis.command('info', 'stats'))
    expect(/acl_access_denied_cmd:(\d+)/.exec(denied)?.[1] ?? '0').toBe('0')
    const log = (await redis.command('acl', 'log')) as string[][]
    // CONFIG GET is asked for, and is not given: it shows passwords.
    expect([...new Set(log.map((entry) => entry[entry.indexOf('object') + 1]))]).toEqual(['config|get'])
  })

  test('name no command that is never sent', async () => {
    const redis = await start()
    await setLeastRights(redis)
    await useEverything(redis, `redis://sidegate:pw@127.0.0.1:${redis.port}`)
    const sent = String(await redis.command('info', 'commandstats'))
    const named = [...leastRights.matchAll(/ \+([a-z|]+)/g)].map(([, name]) => name!)
    const never = named.filter((name) => !sent.includes(`cmdstat_${name}:`))
    // Those of replicas, older gates, plain keys, another database and a Cluster.
    expect(never).toEqual(['wait', 'hmget', 'exists', 'select', 'cluster|slots', 'cluster|info', 'asking'])
  })

  // holds: gates-of-older-version
  test('of a gate of 7d4b85d still carry all that it did, and one line says what to give now', async () => {
    const redis = await start()
    const [, name, ...parts] = rightsOf7d4b85d.split(' ')
    await redis.command('acl', name!, ...parts)
    const url = `redis://sidegate:pw@127.0.0.1:${redis.port}`
    await useEverything(redis, url)
    const lines: [fields: object, message: string][] = []
    const warn = (fields: object, message: string) => lines.push([fields, message])
    const store = storeFor({ url }, silentObserver, { ...silentLog, warn })
    await store.open()
    for (const jti of ['one', 'two', 'three']) await store.lookup(verifiedToken({ jti }))
    await store.close()
    const denials = lines.filter(([fields]) => 'rights' in fields)
    expect(denials).toEqual([
      [expect.objectContaining({ rights: leastRights }), expect.stringMatching(/^Redis denies its user a command/)],
    ])
    expect(JSON.stringify(lines)).not.toContain('pw')
  })

  test('open nothing else', async () => {
    const redis = await start()
    await setLeastRights(redis)
    const user = redis.client.duplicate({ username: 'sidegate', password: 'pw' })
    user.on('error', () => {})
    cleanUps.push(() => user.disconnect())
    const others = [['get', 'foreign'], ['set', 'sidegate:{other}:log', 'x'], ['flushall'], ['config', 'get', '*']]
    for (const [name, ...parts] of others) await expect(user.call(name!, ...parts)).rejects.toThrow('NOPERM')
  })

  test('carry a gate over another database and a Cluster too', async () => {
    const redis = await start()
    await setLeastRights(redis)
    await redis.command('select', 3)
    await useEverything(redis, `redis://sidegate:pw@127.0.0.1:${redis.port}/3`)
    const cluster = await startCluster()
    cleanUps.push(cluster.stop)
    for (const node of cluster.nodes) await setLeastRights(node)
    const holder = await cluster.holderOf(await cluster.slotOf(logKey))
    await useEverything(holder, cluster.url.replace('://', '://sidegate:pw@'))
  }, 60_000)
})

describe('passwords', () => {
  test('one that changed is used for the next connection, without a restart', async () => {
    const redis = await start()
    await redis.command('acl', 'setuser', 'gate', 'on', '>first', '~*', '+@all')
    let password = 'first'
    const gate = await startSynced({
      url: `redis://gate@127.0.0.1:${redis.port}/0`,
      password: () => password,
      maxStalenessMs: 1000,
    })
    await revoke(gate, 'one')
    await redis.command('acl', 'setuser', 'gate', '<first', '>second')
    await redis.command('client', 'kill', 'user', 'gate')
    await vi.waitFor(() => expect(gate.seen.errors).toContain('access'), soon)
    expect(stateOf(gate, 'one')).toBe('revoked')
    password = 'second'
    await untilState(gate, 'other', 'clear')
    await vi.waitFor(() => revoke(gate, 'two'), { timeout: 5000, interval: 50 })
    expect(JSON.stringify(gate.seen)).not.toMatch(/first|second/)
  })

  test('in a Cluster as well', async () => {
    const cluster = await startCluster()
    cleanUps.push(cluster.stop)
    const each = (...parts: string[]) => Promise.all(cluster.nodes.map((node) => node.command('acl', ...parts)))
    await each('setuser', 'gate', 'on', '>first', '~*', '+@all')
    let password = 'first'
    const url = cluster.url.replace('://', '://gate@')
    const gate = await startSynced({ url, password: () => password })
    await each('setuser', 'gate', '<first', '>second')
    password = 'second'
    await Promise.all(cluster.nodes.map((node) => node.command('client', 'kill', 'user', 'gate')))
    await vi.waitFor(() => revoke(gate, 'two'), { timeout: 8000, interval: 50 })
    await untilSynced(gate)
  }, 60_000)
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const cliHelp = spawnSync('redis-cli', ['--help'], { encoding: 'utf8' })
// Both programs come from one build.
const speaksTls = hasOpenssl && `${cliHelp.stdout}${cliHelp.stderr}`.includes('--tls')

describe.skipIf(!speaksTls)('TLS', () => {
  test('with an authority of one’s own: trusted with it, refused without, and with another one', async () => {
    const certificates = makeCertificates()
    const other = makeCertificates()
    cleanUps.push(certificates.remove, other.remove)
    const tlsPort = await freePort()
    await start([
      ...['--tls-port', String(tlsPort), '--tls-cert-file', certificates.certificateFile],
      ...['--tls-key-file', certificates.keyFile, '--tls-ca-cert-file', certificates.authorityFile],
      ...['--tls-auth-clients', 'no'],
    ])
    const url = `rediss://127.0.0.1:${tlsPort}/0`
    const gate = await startSynced({ url, authority: certificates.authority })
    await revoke(gate, 'one')
    await untilState(
      await startSynced({ url: url.replace('127.0.0.1', 'localhost'), authority: certificates.authority }),
      'one',
      'revoked',
    )
    const [unknown, wrong] = [startLocal({ url }), startLocal({ url, authority: other.authority })]
    for (const stranger of [unknown, wrong]) {
      await vi.waitFor(() => expect(stranger.seen.reads).toContain('full error'), soon)
      await vi.waitFor(() => expect(stranger.seen.lines).toContain('Redis cannot be reached'), soon)
      expect(stateOf(stranger, 'one')).toBe('stale')
    }
  })
})
