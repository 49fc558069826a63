// What a person reads who revokes while Redis refuses: real servers that are full, alone, replicas, denied or loading, asked by the
// command line and by the admin API.
import { rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refusalCodeOf, refusalOf } from '../../src/redis/refusals.ts'
import { eventually } from '../support/eventually.ts'
import { ADMIN_TOKEN, createWorld, startGateway, stopGateways } from '../support/gateway.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'

let redis: TestRedis
beforeEach(async () => {
  redis = await startRedis(['--enable-debug-command', 'yes'])
})
afterEach(async () => {
  await stopGateways()
  await redis.stop()
})

const set = (...pairs: string[]) => redis.command('config', 'set', ...pairs)

/** What the command line says, which wrote nothing. */
async function complaintAt(url: string): Promise<string> {
  const { complained, printed, exitCode } = await sidegate(['revoke', '--redis', url, '--jti', 'a'])
  expect([printed, exitCode]).toEqual([[], 1])
  return complained.join('\n')
}

describe('a write that Redis refuses says what is wrong, what to do, and the code', () => {
  test('NOREPLICAS', async () => {
    await set('min-replicas-to-write', '1')
    expect(await complaintAt(redis.url)).toBe(
      'Redis takes no writes, as fewer replicas follow it than its "min-replicas-to-write" wants: bring the replicas back, or lower that setting (NOREPLICAS)',
    )
  })

  test('OOM', async () => {
    await set('maxmemory', '1mb')
    expect(await complaintAt(redis.url)).toBe(
      'Redis takes no writes, as its memory is full: raise its "maxmemory", or remove data of other programs from it (OOM)',
    )
  })

  test('READONLY, and MASTERDOWN where the replica has lost its master', async () => {
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(redis.port)])
    try {
      await eventually(async () => expect(String(await replica.command('info'))).toContain('master_link_status:up'))
      expect(await complaintAt(replica.url)).toMatch(
        /^Redis takes no writes, as this server is a replica: name the master in "revocation.redis", .* \(READONLY\)$/,
      )
      await replica.command('config', 'set', 'replica-serve-stale-data', 'no')
      await redis.halt()
      await eventually(async () => expect(String(await replica.command('info'))).toContain('master_link_status:down'))
      expect(await complaintAt(replica.url)).toMatch(/a replica that has lost its master: .* \(MASTERDOWN\)$/)
    } finally {
      await replica.stop()
    }
  })

  test('NOPERM, for a command and for the keys', async () => {
    const url = `redis://gate:pw@127.0.0.1:${redis.port}/0`
    await redis.command('acl', 'setuser', 'gate', 'on', '>pw', '~*', '+@all', '-xadd')
    expect(await complaintAt(url)).toBe(
      'Redis denies its user the command "xadd": give it the rights in docs/revocation.md (NOPERM)',
    )
    await redis.command('acl', 'setuser', 'gate', 'reset', 'on', '>pw', '~other:*', '+@all')
    expect(await complaintAt(url)).toMatch(/^Redis denies its user the keys of this list: .* \(NOPERM\)$/)
  })

  test('MISCONF', async () => {
    await set('save', '3600 1000000')
    await redis.command('set', 'other', 'x')
    // Redis saves to its working folder, which is gone.
    const [, folder] = (await redis.command('config', 'get', 'dir')) as [string, string]
    rmSync(folder, { recursive: true })
    await redis.command('bgsave')
    await eventually(async () => expect(String(await redis.command('info'))).toContain('rdb_last_bgsave_status:err'))
    expect(await complaintAt(redis.url)).toMatch(/cannot save its data to disk: its log says why; .* \(MISCONF\)$/)
  })

  test('WRONGTYPE', async () => {
    await redis.command('set', 'sidegate:{default}:log', 'no stream')
    expect(await complaintAt(redis.url)).toMatch(/^a key of this list holds another type of value, .* \(WRONGTYPE\)$/)
  })

  test('LOADING, where it takes longer than a command waits', async () => {
    await redis.command('debug', 'populate', '10000', 'filler', '200')
    await redis.command('save')
    await redis.halt()
    await redis.resume(['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'])
    expect(await complaintAt(redis.url)).toMatch(/Redis is loading its data after a start: .* \(LOADING\)$/)
  })

  test('the admin API answers 503 with the same words', async () => {
    const world = createWorld()
    const gate = await startGateway(
      world.settings(new URL('http://127.0.0.1:1'), `revocation: { redis: '${redis.url}' }\n`),
    )
    await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
    await set('min-replicas-to-write', '1')
    const answer = await gate.admin('/revocations', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: '{"kind":"token","value":"a"}',
    })
    expect([answer.status, await answer.json()]).toEqual([
      503,
      expect.objectContaining({ detail: expect.stringMatching(/Redis takes no writes, .* \(NOREPLICAS\)$/) }),
    ])
    world.remove()
  })
})

describe('the table', () => {
  test.each([
    ['NOAUTH Authentication required.', 'NOAUTH'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS'],
    ["NOPERM User gate has no permissions to run the 'cluster|slots' command", 'NOPERM'],
    ['LOADING Redis is loading the dataset in memory', 'LOADING'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'BUSY'],
    ['DENIED Redis is running in protected mode because protected mode is enabled', 'DENIED'],
    ['Too many Cluster redirections. Last error: ReplyError: CLUSTERDOWN The cluster is down', 'CLUSTERDOWN'],
  ])('%s has a sentence, whose code is found again', (message, code) => {
    const said = refusalOf(new Error(message))?.message ?? ''
    expect(said).toMatch(new RegExp(`\\(${code}\\)$`))
    expect(refusalCodeOf(new Error(said))).toBe(code)
    expect(said).not.toContain(message)
  })

  test.each([
    'BUSYKEY Target key name already exists.',
    "ERR unknown command 'OOM'",
    'connect ECONNREFUSED 127.0.0.1:1',
  ])('%s is none of it', (message) => expect(refusalOf(new Error(message))).toBeUndefined())
})
