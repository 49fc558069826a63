// What a connection says where Redis cannot be asked: against servers that are something else, and one that is set up otherwise.
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { parseRedisUrl } from '../../src/redis/address.ts'
import type { Credentials } from '../../src/redis/client.ts'
import { createConnection } from '../../src/redis/connection.ts'
import { silentObserver } from '../../src/revocation/log/report.ts'
import { makeCertificates } from '../support/certificates.ts'
import { freePort, listen } from '../support/listen.ts'
import { startRedis } from '../support/redis.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function port(server: Server): Promise<number> {
  closing.push(() => server.close())
  return listen(server)
}

/** What the first attempt says, what somebody hears who waits for the connection, and what is logged. */
async function troubleAt(url: string, credentials: Credentials = {}) {
  const logged: string[] = []
  const connection = createConnection({
    ...{ address: parseRedisUrl(url), credentials, silenceMs: 500, observe: silentObserver },
    onTrouble: (_kind, detail) => logged.push(detail),
  })
  closing.push(connection.close)
  const opened = await connection.open().then(
    () => 'open',
    (error: Error) => error.message,
  )
  const waited = await connection.whenReady(50).then(
    () => 'ready',
    (error: Error) => error.message,
  )
  expect(waited).toBe(opened === 'open' ? 'ready' : `Cannot ask Redis: ${opened}`)
  expect(new Set(logged).size).toBeLessThan(2)
  return opened
}

test('a port where nothing listens', async () => {
  const place = `127.0.0.1:${await freePort()}`
  const sentence = `${place} refuses the connection: nothing listens there (ECONNREFUSED)`
  expect(await troubleAt(`redis://${place}/0`)).toBe(sentence)
  expect(await troubleAt(`redis+sentinel://${place}/main`)).toContain('nothing listens there')
  expect(await troubleAt(`redis+cluster://${place}`)).toContain('nothing listens there')
})

test('a name that leads nowhere', async () => {
  expect(await troubleAt('redis://redis.invalid/0')).toMatch(
    /^the name "redis\.invalid" cannot be resolved to an address \(E/,
  )
})

// holds: redis-is-something-else
test('a server that speaks HTTP', async () => {
  const http = await port(createHttpServer((_request, response) => response.end()))
  expect(await troubleAt(`redis://127.0.0.1:${http}/0`)).toBe('the port speaks HTTP and not the Redis protocol')
  expect(await troubleAt(`rediss://127.0.0.1:${http}/0`)).toBe(
    'the port does not speak TLS: begin the URL with redis://',
  )
})

test('TLS on one side alone', async () => {
  const redis = await startRedis()
  closing.push(redis.stop)
  expect(await troubleAt(redis.url.replace('redis://', 'rediss://'))).toMatch(
    /its port does not speak TLS; in that case begin the URL with redis:\/\/$/,
  )
  const certificates = makeCertificates()
  closing.push(certificates.remove)
  const tls = await port(createTlsServer({ cert: certificates.certificate, key: certificates.privateKey }))
  expect(await troubleAt(`redis://127.0.0.1:${tls}/0`)).toContain('as a port with TLS does: begin the URL with rediss')
  expect(await troubleAt(`rediss://127.0.0.1:${tls}/0`)).toBe(
    'its certificate is not from a trusted authority: set "caFile"',
  )
})

test('a server that is silent, and one that hangs up', async () => {
  const silent = await port(createServer(() => {}))
  expect(await troubleAt(`redis://127.0.0.1:${silent}/0`)).toContain('Redis does not answer')
  const closes = await port(createServer((socket) => socket.destroy()))
  expect(await troubleAt(`redis://127.0.0.1:${closes}/0`)).toContain('the server closes the connection')
  expect(await troubleAt(`rediss://127.0.0.1:${closes}/0`)).toContain('closes the connection')
})

test('a password that is missing or wrong', async () => {
  const redis = await startRedis(['--requirepass', 'secret'], { password: 'secret' })
  closing.push(redis.stop)
  expect(await troubleAt(redis.url)).toBe('Redis asks for a password: set "passwordFile" (NOAUTH)')
  expect(await troubleAt(redis.url, { password: 'guess' })).toBe(
    'Redis refuses the user name or the password (WRONGPASS)',
  )
})

test('a server that is asked in the form of another', async () => {
  const redis = await startRedis()
  closing.push(redis.stop)
  const place = `127.0.0.1:${redis.port}`
  expect(await troubleAt(`redis+cluster://${place}`)).toBe(
    `${place}: the server is not part of a Redis Cluster: begin the URL with redis:// or rediss://`,
  )
  expect(await troubleAt(`redis+sentinel://${place}/main`)).toBe(
    'the server is not a Sentinel: its port is usually 26379',
  )
})
