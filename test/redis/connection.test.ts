// The connection alone: what it says, and when it gives up.
import { afterEach, describe, expect, test } from 'vitest'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { closeClient, createClient } from '../../src/redis/client.ts'
import { createConnection } from '../../src/redis/connection.ts'
import { createTroubleReport } from '../../src/redis/error-log.ts'
import { silentLog, silentObserver } from '../../src/revocation/log/report.ts'
import { eventually } from '../support/eventually.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startRedis } from '../support/redis.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function connect(port: number) {
  const warnings: unknown[] = []
  const connection = createConnection({
    address: parseRedisUrl(`redis://127.0.0.1:${port}/0`),
    credentials: {},
    silenceMs: 2000,
    observe: silentObserver,
    onTrouble: createTroubleReport({ ...silentLog, warn: (fields) => warnings.push(fields) }, 'redis').note,
  })
  closing.push(connection.close)
  return { connection, warnings }
}

test('a greeting that trickles in is given up, and the next socket is tried', async () => {
  const redis = await startRedis()
  const proxy = await startFaultProxy(redis.port)
  closing.push(redis.stop, proxy.stop)
  // What Redis says of itself would take four minutes, and never be silent for long.
  proxy.slow(20)
  const { connection, warnings } = connect(proxy.port)
  const detail = 'Redis timed out: it takes no commands 5000 ms after the connection was made'
  await expect(connection.open()).rejects.toThrow(detail)
  expect(connection.trouble()).toBe(detail)
  expect(warnings).toEqual([expect.objectContaining({ kind: 'timeout', detail })])
  proxy.up()
  await eventually(() => expect(connection.isReady()).toBe(true))
  expect(connection.trouble()).toBeUndefined()
  expect(await connection.send([['ping']], 1000)).toEqual(['PONG'])
})

describe('a question whose connection goes', () => {
  const wait = ['blpop', 'nothing', 0] as const

  test('with a cut is told so in plain words', async () => {
    const redis = await startRedis()
    const proxy = await startFaultProxy(redis.port)
    closing.push(redis.stop, proxy.stop)
    const { connection } = connect(proxy.port)
    await connection.open()
    const answer = connection.send([wait], 60_000)
    await eventually(async () => expect(String(await redis.command('info', 'clients'))).toContain('blocked_clients:1'))
    proxy.cut()
    await expect(answer).rejects.toThrow(
      /^Cannot ask Redis: the connection (?:was reset|broke before its answer came)$/,
    )
  })

  test('with a silence is told that Redis timed out, also behind another one that was not answered', async () => {
    const redis = await startRedis()
    closing.push(redis.stop)
    const { connection } = connect(redis.port)
    await connection.open()
    redis.kill('SIGSTOP')
    const answer = connection.send([wait], 60_000)
    await expect(answer).rejects.toThrow(/^Redis timed out: its connection was given up$/)
    redis.kill('SIGCONT')
    await eventually(() => expect(connection.isReady()).toBe(true))
    redis.kill('SIGSTOP')
    const told = [500, 60_000].map((timeoutMs) => connection.send([wait], timeoutMs).catch(String))
    expect(await Promise.all(told)).toEqual([
      'Error: Redis timed out: no answer in 500 ms',
      'Error: Redis timed out: its connection was given up',
    ])
  })
})

test('connections over TLS share no signal, which would hold on to each of them for ever', async () => {
  const client = createClient({ address: parseRedisUrl('rediss://127.0.0.1:1/0'), credentials: {}, silenceMs: 2000 })
  const { tls } = client.options as { readonly tls: { readonly signal: AbortSignal } }
  expect(tls.signal.aborted).toBe(false)
  expect(tls.signal).not.toBe(tls.signal)
  await closeClient(client)
})
