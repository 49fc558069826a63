// A WebSocket that is open when keys, routes or issuers change: it ends where a new request would be refused, and goes on where
// only the gate is in trouble.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import {
  createWorld,
  type Gateway,
  ISSUER,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { answerWith, startKeyServer } from '../support/key-server.ts'
import { startApp } from '../support/origin.ts'
import { startRedis } from '../support/redis.ts'
import { jwksOf, makeKey } from '../support/tokens.ts'

let world: World
let app: Awaited<ReturnType<typeof startApp>>
let sockets: WebSocketServer
const cleanUp: (() => unknown)[] = []

beforeEach(async () => {
  world = createWorld()
  app = await startApp((_, res) => res.end('ok'))
  sockets = new WebSocketServer({ server: app.server })
})
afterEach(async () => {
  for (const socket of sockets.clients) socket.terminate()
  sockets.close()
  await stopGateways()
  for (const end of cleanUp.splice(0)) await end()
  app.server.closeAllConnections()
  await app.close()
  world.remove()
})

interface Settings {
  readonly keys?: string
  readonly issuer?: string
  readonly more?: string
}

const settings = ({ keys = `{ jwksFile: ${world.folder}/jwks.json }`, issuer = '', more = '' }: Settings = {}) => `
listen: 127.0.0.1:0
upstream: ${app.url.origin}
admin: { listen: 127.0.0.1:0 }
issuers: [{ issuer: ${issuer || ISSUER}, audiences: [orders], keys: ${keys} }]
${more}`

/** Opens a WebSocket and waits until it stands; `closed` resolves with the code of its end. */
async function open(gate: Gateway, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/live`, { headers })
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return { socket, closed }
}

/** Resolves once the gate and the app have both answered a ping, so nothing that came before is still under way. */
async function isAlive({ socket }: { readonly socket: WebSocket }): Promise<void> {
  const answered = new Promise((resolve) => socket.once('pong', resolve))
  socket.ping()
  await answered
}

describe('an open WebSocket ends', () => {
  const changes: Record<string, (issuer: string) => Settings> = {
    'when its issuer is no longer trusted': () => ({ issuer: 'https://other.example.com' }),
    'when its path asks for a scope that its token lacks': () => ({
      more: "routes: [{ path: '/live', access: token, scopes: [live] }]",
    }),
    'when its path asks for another value of a claim': () => ({
      more: "routes: [{ path: '/*', access: token, claims: { sub: [bob] } }]",
    }),
  }
  for (const [name, change] of Object.entries(changes))
    it(name, async () => {
      const gate = await startGateway(settings())
      const live = await open(gate, world.mint())
      await gate.reload(settings())
      await isAlive(live)
      await gate.reload(settings(change(ISSUER)))
      expect(await live.closed).toBe(1008)
    })

  it('when its audience changes', async () => {
    const gate = await startGateway(settings())
    const live = await open(gate, world.mint())
    await gate.reload(settings().replace('[orders]', '[billing]'))
    expect(await live.closed).toBe(1008)
  })

  it('when the key of its token leaves the file of keys', async () => {
    const gate = await startGateway(settings())
    const live = await open(gate, world.mint())
    writeFileSync(join(world.folder, 'jwks.json'), jwksOf(makeKey('ES256', 'another')))
    await gate.reload(settings())
    expect(await live.closed).toBe(1008)
  })

  it('when its path was public and asks for a token now', async () => {
    const more = "routes: [{ path: '/live', access: public }]"
    const gate = await startGateway(settings({ more }))
    const live = await open(gate)
    await gate.reload(settings())
    expect(await live.closed).toBe(1008)
  })

  // holds: open-connection-refused-anew
  it('when the identity provider publishes its keys without the one of its token', async () => {
    const server = await startKeyServer(answerWith(jwksOf(world.issuerKey)))
    cleanUp.push(server.close)
    const gate = await startGateway(settings({ keys: `{ jwksUri: '${server.url}' }` }))
    await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
    const live = await open(gate, world.mint())
    server.answer = answerWith(jwksOf(makeKey('ES256', 'another')))
    // A token with a key id that was never seen has the keys fetched
    const stranger = world.mint({}, { kid: 'never-seen' })
    expect(await reasonOf(await gate.request('/', { token: stranger }))).toBe('key_unknown')
    expect(await live.closed).toBe(1008)
  })
})

// holds: open-connection-refused-anew
it('an open WebSocket goes on while the list is too old to tell, though new requests are refused', async () => {
  const redis = await startRedis()
  cleanUp.push(redis.stop)
  const more = `revocation: { redis: '${redis.url}', maxStaleness: 1s, whenStale: deny }`
  const gate = await startGateway(settings({ more }))
  await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
  const live = await open(gate, world.mint())
  await redis.stop()
  await eventually(async () =>
    expect(await reasonOf(await gate.request('/', { token: world.mint() }))).toBe('revocation_stale'),
  )
  await gate.reload(settings({ more }))
  await isAlive(live)
  expect(live.socket.readyState).toBe(WebSocket.OPEN)
})
