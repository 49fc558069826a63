// `POST /oauth/revoke` while keys change: a token of a key that left its set is still revoked, and such a key never keeps the gate
// from the key that really signed.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  nextOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { answerWith, type KeyServer, startKeyServer } from '../support/key-server.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { goodClaims, jwksOf, makeKey, privatePem, publicPem, signToken, type TestKey } from '../support/tokens.ts'

const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }

let world: World
let app: EchoOrigin
let keyServer: KeyServer
let gate: Gateway
beforeEach(async () => {
  world = createWorld()
  app = await startEchoOrigin()
  keyServer = await startKeyServer(answerWith('{}'))
})
afterEach(async () => {
  await stopGateways()
  await keyServer.close()
  await app.close()
  world.remove()
})

const publish = (...keys: TestKey[]) => {
  keyServer.answer = answerWith(jwksOf(...keys))
}
const settings = (keys = `jwksUri: ${keyServer.url}`, more = '') =>
  world
    .settings(app.url, `refresh: { window: 60s, lifetime: 2m, key: ${world.signingKey()}${more} }\n`)
    .replace(/jwksFile: [^ }]+/, keys)
const nowSeconds = () => Math.floor(Date.now() / 1000)
const tokenOf = (key: TestKey, claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  signToken(key, goodClaims({ iat: nowSeconds() - 90, exp: nowSeconds() + 30, ...claims }, nowSeconds()), header)
const admits = (token: string) => eventually(async () => expect((await gate.request('/', { token })).status).toBe(200))

async function revoke(token: string): Promise<number> {
  const body = new URLSearchParams({ token })
  return (await gate.admin('/oauth/revoke', { method: 'POST', headers, body })).status
}

async function ruleValues(): Promise<readonly string[]> {
  const answer = await gate.admin('/revocations', { headers })
  const { revocations } = (await answer.json()) as { revocations: { value: string }[] }
  return [...new Set(revocations.map(({ value }) => value))].sort()
}

describe('keys that an issuer publishes', () => {
  const [first, other, again] = [makeKey('ES256', '1'), makeKey('ES256', '2'), makeKey('ES256', '1')]
  beforeEach(async () => {
    publish(first)
    gate = await startGateway(settings())
    await admits(tokenOf(first))
    publish(other)
    await admits(tokenOf(other))
  })

  it('a token of a key that left the set is revoked without a fetch', async () => {
    const before = keyServer.asked.length
    expect(await revoke(tokenOf(first, { jti: 'of-first' }))).toBe(200)
    expect(await ruleValues()).toEqual(['of-first'])
    expect(keyServer.asked).toHaveLength(before)
  })

  it('a key id that comes back with another key is fetched, though the retired key has that name', async () => {
    publish(again)
    expect(await revoke(tokenOf(again, { jti: 'of-again' }))).toBe(200)
    expect(await ruleValues()).toEqual(['of-again'])
    expect(await revoke(tokenOf(first, { jti: 'of-first' }))).toBe(200)
    expect(await ruleValues()).toEqual(['of-again', 'of-first'])
  })

  it('where that fetch fails the answer is 503, and the caller asks again', async () => {
    keyServer.answer = answerWith('{}', 500)
    const token = tokenOf(again, { jti: 'of-again' })
    expect(await revoke(token)).toBe(503)
    publish(again)
    expect(await revoke(token)).toBe(200)
    expect(await ruleValues()).toEqual(['of-again'])
  })

  it('what neither a retired nor a fetched key signed writes nothing', async () => {
    expect(await revoke(tokenOf(again, { jti: 'forged' }))).toBe(200)
    expect(await ruleValues()).toEqual([])
    expect((await gate.request('/', { token: tokenOf(first) })).status).toBe(401)
  })
})

it('a public key of a file, which fits every key id, does not keep the gate from the set that took its place', async () => {
  const [filed, published, fetched] = [makeKey('ES256', 'a'), makeKey('ES256', 'b'), makeKey('ES256', 'c')]
  writeFileSync(join(world.folder, 'public.pem'), publicPem(filed))
  publish(published)
  gate = await startGateway(settings(`publicKeyFile: ${world.folder}/public.pem`))
  await gate.reload(settings())
  await admits(tokenOf(published))
  publish(fetched)
  expect(await revoke(tokenOf(fetched, { jti: 'of-fetched' }))).toBe(200)
  expect(await revoke(tokenOf(filed, { jti: 'of-filed' }))).toBe(200)
  expect(await ruleValues()).toEqual(['of-fetched', 'of-filed'])
})

describe("the gate's own keys", () => {
  const ISSUER_OF_SUCCESSORS = 'https://gate.example.com'

  it.each([
    ['', ISSUER],
    [`, issuer: ${ISSUER_OF_SUCCESSORS}`, ISSUER_OF_SUCCESSORS],
  ])('a new key under the old name, and the old one, both revoke their successors%s', async (more) => {
    const provider = makeKey('ES256', 'provider')
    publish(provider)
    const start = settings(undefined, more)
    gate = await startGateway(start)
    await admits(tokenOf(provider))
    const successor = async (sid: string) =>
      nextOf(await gate.request('/', { token: tokenOf(provider, { sid, jti: sid }) })) ?? ''
    const old = await successor('old')
    writeFileSync(join(world.folder, 'signing.pem'), privatePem(makeKey('ES384')))
    const changed = start.replace('algorithm: EdDSA', 'algorithm: ES384')
    await gate.reload(changed)
    const renewed = await successor('renewed')
    writeFileSync(join(world.folder, 'signing.pem'), privatePem(makeKey('ES384')))
    await gate.reload(changed)
    const newest = await successor('newest')
    for (const token of [old, renewed, newest]) expect(await revoke(token)).toBe(200)
    expect(await ruleValues()).toEqual(expect.arrayContaining(['newest', 'old', 'renewed']))
  })
})
