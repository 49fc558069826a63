// What the app is told of the caller by a whole gate, and what is told where a claim cannot be told to it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'

let world: World
let app: EchoOrigin
let gate: Gateway
beforeAll(async () => {
  world = createWorld()
  app = await startEchoOrigin()
  gate = await startGateway(
    world.settings(
      app.url,
      `forward: { identity: { x-auth-scope: scope, x-groups: groups } }
routes: [{ path: /orders/*, scopes: ["orders:read"] }]`,
    ),
  )
})
afterAll(async () => {
  await stopGateways()
  await app.close()
  world.remove()
})

test('the scopes by which a route admitted are those that the app reads', async () => {
  const response = await gate.request('/orders/1', { token: world.mint({ scope: undefined, scp: ['orders:read'] }) })
  expect(response.status).toBe(200)
  const { rawHeaders = [] } = app.seen.at(-1) ?? {}
  expect(rawHeaders[rawHeaders.indexOf('x-auth-scope') + 1]).toBe('orders:read')
})

test('a claim that is too long for a header is counted for each token, logged once, and its value is nowhere', async () => {
  const groups = Array.from({ length: 500 }, (_, index) => `group-${index}`)
  for (const sub of ['alice', 'bob']) await gate.request('/', { token: world.mint({ sub, groups }) })
  expect(app.seen.at(-1)?.rawHeaders).not.toContain('x-groups')
  expect(await gate.metric('sidegate_identity_headers_left_out_total', { why: 'too_long' })).toBe(2)
  const lines = gate.lines.filter(({ msg }) => String(msg).startsWith('Left out an identity header'))
  expect(lines).toMatchObject([{ header: 'x-groups', claim: 'groups', issuer: 'https://id.example.com' }])
  expect(JSON.stringify(gate.lines)).not.toContain('group-17')
})

test('header lines that the app does not get are counted', async () => {
  await gate.request('/', {
    token: world.mint(),
    headers: { x_custom: '1', 'x.groups': 'admin', 'client-ip': '10.0.0.1' },
  })
  for (const why of ['name', 'folded', 'listed'])
    expect(await gate.metric('sidegate_dropped_headers_total', { why })).toBe(1)
})
