// The key of an identity provider is stolen. The thief forges a token and lets the gates follow it up with tokens of their own,
// which outlive the provider's key: revoking the key has to reach those on every gate.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  createWorld,
  type Gateway,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'
import { claimsOf, goodClaims, jwksOf, makeKey, signToken } from '../support/tokens.ts'

const stolenKey = makeKey('ES256', 'k1')
const honestKey = makeKey('ES256', 'k2')

let world: World
let app: EchoOrigin
let redis: TestRedis
let gates: readonly Gateway[]

beforeEach(async () => {
  world = createWorld()
  app = await startEchoOrigin()
  redis = await startRedis()
  writeFileSync(join(world.folder, 'jwks.json'), jwksOf(stolenKey, honestKey))
  gates = await Promise.all([startGateway(settings()), startGateway(settings())])
  for (const gate of gates) await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
})
afterEach(async () => {
  await stopGateways()
  await redis.stop()
  await app.close()
  world.remove()
})

const settings = (more = '') =>
  world.settings(
    app.url,
    `revocation: { redis: '${redis.url}' }
refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()}${more} }
`,
  )

function tokenOf(key: typeof stolenKey, claims: Record<string, unknown> = {}): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  return signToken(key, goodClaims({ iat: nowSeconds - 90, exp: nowSeconds + 30, ...claims }, nowSeconds))
}

/** What the gate that is asked gives out as the next of a token. */
async function nextFor(token: string, [gate] = gates): Promise<string> {
  return nextOf((await gate?.request('/', { token })) as Response) ?? ''
}

async function expectOnBoth(token: string, expected: string | 200): Promise<void> {
  for (const gate of gates)
    await eventually(async () => {
      const response = await gate.request('/', { token })
      expect(response.status === 200 ? 200 : await reasonOf(response)).toBe(expected)
    })
}

async function removeStolenKey(more = ''): Promise<void> {
  writeFileSync(join(world.folder, 'jwks.json'), jwksOf(honestKey))
  for (const gate of gates) await gate.reload(settings(more))
}

// holds: successors-of-forged-token
it('a successor of a forged token ends on every gate once its key is revoked and removed; those of other keys live', async () => {
  const forged = await nextFor(tokenOf(stolenKey, { sub: 'root', original_key_id: 'k2' }))
  const honest = await nextFor(tokenOf(honestKey))
  expect(claimsOf(forged)).toMatchObject({ sub: 'root', original_key_id: 'k1' })
  for (const token of [forged, honest]) await expectOnBoth(token, 200)

  expect((await sidegate(['revoke', '--redis', redis.url, '--key-id', 'k1'])).exitCode).toBe(0)
  await removeStolenKey()
  await expectOnBoth(forged, 'token_revoked')
  await expectOnBoth(tokenOf(stolenKey), 'key_unknown')
  await expectOnBoth(honest, 200)
})

it('a successor ends with the published key of its first token where the settings ask for it, and only while keys are at hand', async () => {
  const strict = await startGateway(settings(', endWithProviderKey: true'))
  await eventually(async () => expect((await strict.admin('/readyz')).status).toBe(200))
  const [forged, honest] = [await nextFor(tokenOf(stolenKey)), await nextFor(tokenOf(honestKey, { sub: 'bob' }))]
  for (const token of [forged, honest]) expect((await strict.request('/', { token })).status).toBe(200)

  writeFileSync(join(world.folder, 'jwks.json'), jwksOf(honestKey))
  await strict.reload(settings(', endWithProviderKey: true'))
  expect(await reasonOf(await strict.request('/', { token: forged }))).toBe('key_unknown')
  expect((await strict.request('/', { token: honest })).status).toBe(200)
  expect((await gates[0]?.request('/', { token: forged }))?.status).toBe(200)
})
