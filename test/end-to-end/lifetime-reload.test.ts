// How long a rule without an end is in force follows the settings: a reload of the lifetimes of tokens reaches the revocation list.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ADMIN_TOKEN, createWorld, reasonOf, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const lifetimesKey = 'sidegate:{default}:lifetimes'
let world: World
let upstream: EchoOrigin
let redis: TestRedis

beforeEach(async () => {
  world = createWorld()
  upstream = await startEchoOrigin()
  redis = await startRedis()
})
afterEach(async () => {
  await stopGateways()
  await upstream.close()
  await redis.stop()
  world.remove()
})

// holds: reload-changes-lifetimes
it('a reloaded maxLifetime is the end of rules without one, and a reloaded clockTolerance keeps them', async () => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  // A list that is older than a day, so that every lifetime is known.
  await redis.command('set', `${lifetimesKey}:since`, String(nowSeconds - 90_000))
  const settings = (more: string) => world.settings(upstream.url, `    ${more}\nrevocation: { redis: '${redis.url}' }`)
  let aheadMs = 0
  const gate = await startGateway(settings('maxLifetime: 2s\n    clockTolerance: 0s'), () => Date.now() + aheadMs)
  await eventually(async () => expect(await redis.command('hget', lifetimesKey, '2')).not.toBeNull())
  const endOf = async (value: string) => {
    const response = await gate.admin('/revocations', { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
    const { revocations } = (await response.json()) as { revocations: { value: string; expiresAt: string }[] }
    const found = revocations.find((rule) => rule.value === value)
    return found === undefined ? undefined : Date.parse(found.expiresAt) / 1000
  }
  await gate.reload(settings('maxLifetime: 24h\n    clockTolerance: 60s'))
  await redis.command('xadd', 'sidegate:{default}:log', '*', 'kind', 'token', 'value', 'later')
  await eventually(async () => expect(await endOf('later')).toBeGreaterThan(nowSeconds + 86_400))
  await eventually(async () =>
    expect((await gate.request('/', { token: world.mint({ jti: 'later' }) })).status).toBe(401),
  )
  // Past its end by less than the tolerance.
  const token = world.mint({ jti: 'edge', exp: nowSeconds + 100 })
  await redis.command(
    'xadd',
    'sidegate:{default}:log',
    '*',
    'kind',
    'token',
    'value',
    'edge',
    'expires',
    String(nowSeconds + 100),
  )
  await eventually(async () => expect((await gate.request('/', { token })).status).toBe(401))
  aheadMs = 110_000
  expect(await reasonOf(await gate.request('/', { token }))).toBe('token_revoked')
})
