// An identity provider whose certificate comes from an authority of the company's own: a whole gate, real TLS.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createOutbound } from '../../src/assembly/outbound.ts'
import { makeCertificates, type TestCertificates } from '../support/certificates.ts'
import { createWorld, type Gateway, reasonOf, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { answerWith, flood, type KeyServer, startKeyServer } from '../support/key-server.ts'
import { startApp } from '../support/origin.ts'
import { issue, startTokenEndpoint } from '../support/token-endpoint.ts'
import { goodClaims, jwksOf, makeKey, signToken } from '../support/tokens.ts'

let world: World
let ours: TestCertificates
let others: TestCertificates
let app: Awaited<ReturnType<typeof startApp>>
let provider: KeyServer
const key = makeKey('ES256', 'provider-key')
const closing: (() => unknown)[] = []

beforeEach(async () => {
  world = createWorld()
  ours = makeCertificates()
  others = makeCertificates()
  app = await startApp((_req, res) => res.end('hello'))
  provider = await startKeyServer(answerWith(jwksOf(key)), ours)
  closing.push(world.remove, ours.remove, others.remove, app.close, provider.close)
})
afterEach(async () => {
  await stopGateways()
  for (const close of closing.splice(0)) await close()
})

const trusting = (caFile: string) => `
  - { issuer: "${provider.origin}", audiences: [orders], keys: { jwksUri: "${provider.url}", caFile: "${caFile}" } }`
const settings = (more: string) => world.settings(app.url, more)
const token = () =>
  signToken(key, goodClaims({ iss: provider.origin, jti: String(Math.random()) }, Math.floor(Date.now() / 1000)))
const ask = async (gate: Gateway) => {
  const answer = await gate.request('/', { token: token() })
  return answer.status === 200 ? 200 : [answer.status, await reasonOf(answer)]
}

describe('keys over TLS', () => {
  it('come where caFile vouches for the provider, by discovery too', async () => {
    const gate = await startGateway(settings(trusting(ours.authorityFile)))
    expect(await ask(gate)).toBe(200)
    const { origin } = provider
    provider.answer = (res, req) =>
      answerWith(req.url === '/jwks' ? jwksOf(key) : JSON.stringify({ issuer: origin, jwks_uri: `${origin}/jwks` }))(
        res,
        req,
      )
    await gate.reload(settings(trusting(ours.authorityFile).replace(/jwksUri: "[^"]*"/, 'discovery: true')))
    expect(await ask(gate)).toBe(200)
    expect(provider.asked).toEqual(['/jwks', '/.well-known/openid-configuration', '/jwks'])
  })

  it('do not come from a provider that another authority vouches for: 503, and the log says what to do', async () => {
    const gate = await startGateway(settings(trusting(others.authorityFile)))
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    const ready = await (await gate.admin('/readyz')).text()
    const why = 'unable to verify the first certificate: set keys.caFile to a file with the certificates that vouch'
    expect(ready).toContain(why)
    expect(gate.lines).toContainEqual(
      expect.objectContaining({ msg: 'Cannot fetch keys', problem: expect.stringContaining(why) }),
    )
    expect(provider.asked).toEqual([])
  })

  it('trust no other authority any more, those of the system neither', async () => {
    const elsewhere = await startKeyServer(answerWith(jwksOf(key)), others)
    closing.push(elsewhere.close)
    const fetchTrusted = createOutbound({
      proxy: () => 'none',
      environment: {},
      log: { info: () => {} },
    }).fetchTrusting(() => ours.authority)
    await expect(fetchTrusted(elsewhere.url)).rejects.toThrow('fetch failed')
    expect((await fetchTrusted(provider.url)).status).toBe(200)
  })

  it('come again after caFile was put right, and are not forgotten when it changes', async () => {
    const caFile = join(world.folder, 'provider-ca.pem')
    writeFileSync(caFile, others.authority)
    const gate = await startGateway(settings(trusting(caFile)))
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    writeFileSync(caFile, ours.authority)
    await gate.reload(settings(trusting(caFile)))
    await vi.waitFor(async () => expect(await ask(gate)).toBe(200), { timeout: 10_000 })
    const asked = provider.asked.length
    writeFileSync(caFile, others.authority + ours.authority)
    await gate.reload(settings(trusting(caFile)))
    expect(await ask(gate)).toBe(200)
    expect(provider.asked).toHaveLength(asked)
  })

  it('are as bounded as any: no redirect, no endless answer', async () => {
    const gate = await startGateway(settings(trusting(others.authorityFile)))
    provider.answer = answerWith('', 302, { location: `${provider.origin}/elsewhere` })
    await gate.reload(settings(trusting(ours.authorityFile)))
    const problemsSay = (text: string) =>
      vi.waitFor(
        () => expect(gate.lines.map(({ problem }) => String(problem))).toContainEqual(expect.stringContaining(text)),
        {
          timeout: 10_000,
        },
      )
    await problemsSay('unexpected redirect')
    provider.answer = flood(10_000_000)
    await problemsSay('the answer is larger than 1048576 bytes')
    expect(new Set(provider.asked)).toEqual(new Set(['/jwks']))
  })
})

describe('a token endpoint over TLS', () => {
  it('gives the next token where caFile vouches for it', async () => {
    const nowSeconds = Math.floor(Date.now() / 1000)
    const session = { sid: 's', auth_time: nowSeconds - 20 }
    const next = world.mint({ ...session, exp: nowSeconds + 300 })
    const endpoint = await startTokenEndpoint(issue(next), ours)
    closing.push(endpoint.close)
    const exchange = (caFile: string) => `refresh:
  exchange: { tokenEndpoint: "${endpoint.url}", clientId: c, clientSecretFile: "${world.folder}/admin-token", timeout: 2s, caFile: "${caFile}" }`
    const refreshed = async (caFile: string) => {
      const gate = await startGateway(settings(exchange(caFile)))
      const answer = await gate.request('/', { token: world.mint({ ...session, exp: nowSeconds + 30 }) })
      expect(answer.status).toBe(200)
      return answer.headers.get('x-refreshed-token')
    }
    expect(await refreshed(ours.authorityFile)).toBe(next)
    expect(endpoint.asked).toHaveLength(1)
    expect(await refreshed(others.authorityFile)).toBeNull()
    expect(endpoint.asked).toHaveLength(1)
  })
})

describe('an app over TLS', () => {
  it('is reached where upstreamTls.caFile vouches for it, and the file counts anew when it changes', async () => {
    const secure = await startKeyServer(answerWith('hello'), ours)
    closing.push(secure.close)
    const caFile = join(world.folder, 'app-ca.pem')
    writeFileSync(caFile, others.authority)
    const text = world.settings(new URL(secure.origin), `upstreamTls: { caFile: "${caFile}" }`)
    const gate = await startGateway(text)
    const answer = async () => (await gate.request('/', { token: world.mint() })).status
    expect(await answer()).toBe(502)
    expect(gate.lines).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining('"upstreamTls.caFile"'), upstream: secure.origin }),
    )
    writeFileSync(caFile, ours.authority)
    await gate.reload(text)
    expect(await answer()).toBe(200)
  })
})

describe('an outage of the provider', () => {
  it('is never a 401: neither at the start, nor later for a key that might be new', async () => {
    provider.answer = answerWith('<html>', 500)
    const gate = await startGateway(settings(trusting(ours.authorityFile)))
    const answer = await gate.request('/', { token: token() })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([503, null])
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    provider.answer = answerWith(jwksOf(key))
    await vi.waitFor(async () => expect(await ask(gate)).toBe(200), { timeout: 10_000 })

    await provider.close()
    expect(await ask(gate)).toBe(200)
    const rotated = signToken(
      makeKey('ES256', 'rotated'),
      goodClaims({ iss: provider.origin }, Math.floor(Date.now() / 1000)),
    )
    for (let i = 0; i < 3; i++) {
      const refused = await gate.request('/', { token: rotated })
      expect([refused.status, await reasonOf(refused)]).toEqual([503, 'keys_unavailable'])
    }
  })
})
