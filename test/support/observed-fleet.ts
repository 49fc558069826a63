// Four gates before one app, under traffic of every kind, and a Prometheus that scrapes them: one that enforces, one in shadow
// mode, one whose Redis cannot be reached, one with a list in memory. Their pods are `orders-0` to `orders-3`.
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { ADMIN_TOKEN, createWorld, type Gateway, ISSUER, startGateway, stopGateways, type World } from './gateway.ts'
import { startKeyServer } from './key-server.ts'
import { freePort } from './listen.ts'
import { ALERTS_FILE } from './observability.ts'
import { startApp } from './origin.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'
import { startRedis } from './redis.ts'
import { claimsOf, jwksOf, makeKey, signToken } from './tokens.ts'

export interface ObservedFleet {
  readonly prometheus: Prometheus
  /** One round of traffic to the two gates that have their Redis; resolves when it has been scraped. */
  round(): Promise<void>
  stop(): Promise<void>
}

/** Starts all of it. */
export async function startObservedFleet(): Promise<ObservedFleet> {
  const world = createWorld()
  const redis = await startRedis()
  const provider = await startKeyServer((res) => res.end(jwksOf(world.issuerKey)))
  const app = await startApp((req, res) => answer(req.url ?? '', res))
  const webSockets = new WebSocketServer({ noServer: true })
  app.server.on('upgrade', (req, socket, head) => webSockets.handleUpgrade(req, socket, head, () => {}))

  const settings = (mode: string, url: string) =>
    world
      .settings(
        app.url,
        `mode: ${mode}
revocation: { redis: '${url}' }
refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()} }
limits: { drainTimeout: 0s }
`,
      )
      .replace(/keys: \{.*\}/, `keys: { jwksUri: '${provider.url}' }`)
  const asked = [await startGateway(settings('enforce', redis.url)), await startGateway(settings('shadow', redis.url))]
  for (const gate of asked)
    await vi.waitFor(
      async () => {
        if ((await gate.admin('/readyz')).status !== 200) throw new Error('Not ready')
      },
      { timeout: 10_000 },
    )
  const others = [
    await startGateway(settings('enforce', `redis://127.0.0.1:${await freePort()}/0`)),
    await startGateway(world.settings(app.url)),
  ]
  const prometheus = await startPrometheus(
    [...asked, ...others].map(({ adminPort: port }, index) => ({
      port,
      labels: { namespace: 'shop', pod: `orders-${index}` },
    })),
    ALERTS_FILE,
  )
  await prometheus.scraped(2)

  return {
    prometheus,
    round: async () => {
      await Promise.all(asked.map((gate) => traffic(gate, world)))
      await prometheus.scraped(2)
    },
    stop: async () => {
      await prometheus.stop()
      await stopGateways()
      await app.close()
      await provider.close()
      await redis.stop()
      world.remove()
    },
  }
}

function answer(path: string, res: ServerResponse): void {
  if (path === '/reset') res.socket?.destroy()
  else res.end('hello')
}

/** Admitted, refused, refreshed, revoked, with a key that is not there, a failing app, and a WebSocket that is ended. */
async function traffic(gate: Gateway, world: World): Promise<void> {
  const now = Math.floor(Date.now() / 1000)
  const admitted = world.mint()
  for (let n = 0; n < 12; n++) await gate.request('/orders', { token: admitted })
  await gate.request('/orders')
  await gate.request('/orders', { token: world.mint({ exp: now - 100 }) })
  await gate.request('/orders', { token: world.mint({ iat: now - 90, exp: now + 30 }) })
  await gate.request('/orders', { token: signToken(makeKey('ES256', 'other'), claimsOf(world.mint())) })
  await gate.request('/reset', { token: admitted })
  const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/socket`, {
    headers: { authorization: `Bearer ${admitted}` },
  })
  await once(socket, 'open')
  const closed = once(socket, 'close')
  const rule = { kind: 'token', value: claimsOf(admitted).jti, issuer: ISSUER }
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
  const written = await gate.admin('/revocations', { method: 'POST', headers, body: JSON.stringify(rule) })
  if (!written.ok) throw new Error(`Cannot revoke: status is ${written.status}`)
  // Shadow mode ends no connection.
  if ((await gate.metric('sidegate_enforcement_info', { mode: 'shadow' })) === 1) socket.close()
  await closed
  await gate.request('/orders', { token: admitted })
}
