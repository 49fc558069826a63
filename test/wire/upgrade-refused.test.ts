// A WebSocket that the gate refuses: the client gets the same plain answer as a request would, with the reason, and not even
// a connection is made to the application.
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ADMIN_TOKEN, createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { handshake } from '../support/handshake.ts'
import { listen } from '../support/listen.ts'
import { exchangeRaw } from '../support/raw-client.ts'
import { makeKey, signToken } from '../support/tokens.ts'

let world: World
let gate: Gateway
let app: Server
let connections = 0

beforeAll(async () => {
  world = createWorld()
  app = createServer((socket) => {
    connections++
    socket.destroy()
  })
  const port = await listen(app)
  gate = await startGateway(
    world.settings(new URL(`http://127.0.0.1:${port}`), 'routes: [{ path: /*, scopes: [talk] }]'),
  )
})
afterAll(async () => {
  await stopGateways()
  await new Promise<void>((resolve) => app.close(() => resolve()))
  world.remove()
})

function otherSigner(): string {
  const [, payload = ''] = world.mint({ scope: 'talk' }).split('.')
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return signToken(makeKey('ES256', world.issuerKey.keyId), claims)
}
async function revoked(): Promise<string> {
  const answer = await gate.admin('/revocations', {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'token', value: 'taken-back' }),
  })
  expect(answer.status).toBe(201)
  return world.mint({ jti: 'taken-back', scope: 'talk' })
}

interface Refused {
  readonly token?: () => string | Promise<string>
  readonly path?: string
  readonly status: number
  readonly challenge?: RegExp
}
const refused: Record<string, Refused> = {
  token_missing: { status: 401, challenge: /^www-authenticate: Bearer\r$/m },
  token_malformed: {
    token: () => 'no.token',
    status: 401,
    challenge: /^www-authenticate: Bearer error="invalid_token"/m,
  },
  signature_invalid: { token: otherSigner, status: 401, challenge: /^www-authenticate: Bearer error="invalid_token"/m },
  // holds: upgrade-goes-around-decision
  token_revoked: { token: revoked, status: 401, challenge: /^www-authenticate: Bearer error="invalid_token"/m },
  scope_insufficient: {
    token: () => world.mint({ scope: 'listen' }),
    status: 403,
    challenge: /^www-authenticate: Bearer error="insufficient_scope"/m,
  },
  // holds: upgrade-goes-around-decision
  path_ambiguous: { token: () => world.mint({ scope: 'talk' }), path: '/ws/..%2fadmin', status: 400 },
}
for (const [reason, { token, path = '/ws', status, challenge }] of Object.entries(refused)) {
  test(`an upgrade that is refused with ${reason} gets ${status}, a problem document and no tunnel`, async () => {
    const authorization = token === undefined ? undefined : `Bearer ${await token()}`
    const text = await exchangeRaw(gate.port, handshake({ Authorization: authorization }, `GET ${path} HTTP/1.1`))
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nconnection: close\r\n`, 'i'))
    expect(text).toMatch(/^content-type: application\/problem\+json\r$/m)
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({
      type: `urn:sidegate:refusal:${reason}`,
      status,
    })
    if (challenge === undefined) expect(text).not.toMatch(/www-authenticate/i)
    else expect(text).toMatch(challenge)
    expect(connections).toBe(0)
  })
}

test('a WebSocket client sees the status of the refusal', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gate.port}/ws`)
  const [status, isUpgraded] = await new Promise<[number | undefined, boolean]>((resolve) => {
    socket.on('open', () => resolve([undefined, true]))
    socket.on('unexpected-response', (_req, answer) => resolve([answer.statusCode, false]))
    socket.on('error', () => {})
  })
  socket.terminate()
  expect([status, isUpgraded]).toEqual([401, false])
  expect(connections).toBe(0)
})
