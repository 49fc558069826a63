// Refresh by the identity provider: a real provider, a whole gate, real HTTP on every side.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Gateway, nextOf, startGateway, stopGateways } from '../support/gateway.ts'
import {
  CLIENT_ID,
  CLIENT_SECRET,
  type IdentityProvider,
  KEY_CLIENT_ID,
  POST_CLIENT_ID,
  startIdentityProvider,
} from '../support/identity-provider.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { claimsOf, makeKey, type TestKey } from '../support/tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'sidegate-exchange-'))
const pemOf = ({ privateKey }: TestKey) => privateKey.export({ type: 'pkcs8', format: 'pem' })
let provider: IdentityProvider
let app: EchoOrigin
let gateway: Gateway

const bySecret = (file: string, clientId = CLIENT_ID) =>
  `clientId: "${clientId}", clientSecretFile: ${join(folder, file)}`
const settings = (client: string, routes = '') => `${routes}
listen: 127.0.0.1:0
upstream: ${app.url.origin}
admin: { listen: 127.0.0.1:0 }
issuers:
  - { issuer: "${provider.issuer}", audiences: [orders], keys: { discovery: true } }
refresh:
  window: 60s
  exchange:
    { tokenEndpoint: "${provider.tokenEndpoint}", timeout: 2s, ${client} }
`

beforeAll(async () => {
  writeFileSync(join(folder, 'secret'), `${CLIENT_SECRET}\n`)
  writeFileSync(join(folder, 'wrong-secret'), 'wrong\n')
  provider = await startIdentityProvider()
  writeFileSync(join(folder, 'client-key.pem'), pemOf(provider.clientKey))
  writeFileSync(join(folder, 'other-key.pem'), pemOf(makeKey('ES256')))
  app = await startEchoOrigin()
  gateway = await startGateway(settings(bySecret('secret')))
  await eventually(async () => expect((await gateway.admin('/readyz')).status).toBe(200))
})
afterAll(async () => {
  await stopGateways()
  await app.close()
  await provider.close()
  rmSync(folder, { recursive: true })
})

const byKey = (file = 'client-key.pem') =>
  `clientId: "${KEY_CLIENT_ID}", clientAuthentication: private_key_jwt, clientKeyFile: ${join(folder, file)}, clientKeyAlgorithm: ES256`
const soon = () => Math.floor(Date.now() / 1000) + 30

describe('refresh by the identity provider', () => {
  it('hands out its next token for the same person, once for all requests of the window', async () => {
    const token = provider.mint({ jti: 'e-1', sid: 's-1', auth_time: Math.floor(Date.now() / 1000) - 60, exp: soon() })
    const responses = await Promise.all(Array.from({ length: 20 }, () => gateway.request('/orders', { token })))
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200))
    const given = new Set(responses.map(nextOf))
    expect(given.size).toBe(1)
    const [next = null] = given
    expect(claimsOf(next)).toMatchObject({ sub: 'alice', sid: 's-1', scope: 'read', iss: provider.issuer })
    expect(provider.exchanges).toMatchObject([{ subject_token: token, scope: 'read' }])
    expect(responses[0]?.headers.get('cache-control')).toContain('no-store')
    expect((await gateway.request('/orders', { token: next ?? '' })).status).toBe(200)
    expect(await gateway.metric('sidegate_refresh_total', { result: 'issued' })).toBe(20)
  })

  it('leaves the request alone, and tells the operator, where the secret is wrong', async () => {
    const failing = await startGateway(settings(bySecret('wrong-secret')))
    const token = provider.mint({ jti: 'e-2', exp: soon() })
    const response = await failing.request('/orders', { token })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
    expect(await failing.metric('sidegate_refresh_total', { result: 'failed' })).toBe(1)
    await eventually(() =>
      expect(failing.lines).toContainEqual(
        expect.objectContaining({
          problem: 'Cannot exchange a token: the provider answers 401 "invalid_client", "client authentication failed"',
        }),
      ),
    )
    const log = JSON.stringify([...failing.lines, ...gateway.lines])
    expect(log).not.toContain(token.split('.')[1])
    expect(log).not.toContain(CLIENT_SECRET)
  })

  it('hands out what the provider says beside scope and audience, and judges it like any other token', async () => {
    const routes = 'routes: [{ path: /write, scopes: [write] }, { path: /* }]\n'
    const gate = await startGateway(settings(bySecret('secret'), routes))
    await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
    const claims = { scope: 'read', roles: ['admin'], groups: ['staff'], acr: '2', permissions: ['delete'] }
    provider.onTokenRequest = (response) => {
      const answer = { access_token: provider.mint({ jti: 'more', ...claims }), token_type: 'Bearer' }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      return false
    }
    try {
      const token = provider.mint({ jti: 'e-4', scope: 'read write', exp: soon() })
      const response = await gate.request('/write', { token })
      const next = nextOf(response)
      expect([response.status, claimsOf(next)]).toMatchObject([200, claims])
      expect((await gate.request('/write', { token: next ?? '' })).status).toBe(403)
      expect((await gate.request('/read', { token: next ?? '' })).status).toBe(200)
    } finally {
      provider.onTokenRequest = () => true
    }
  })

  const ways: Record<string, () => string> = {
    'its secret in the form': () => `${bySecret('secret', POST_CLIENT_ID)}, clientAuthentication: client_secret_post`,
    'an assertion for the token endpoint': () => byKey(),
    'an assertion for the issuer, which names its key': () =>
      `${byKey()}, clientAudience: "${provider.issuer}", clientKeyId: ${provider.clientKey.keyId}`,
  }
  it.each(Object.entries(ways))('works where the client proves itself by %s', async (_, client) => {
    const other = await startGateway(settings(client()))
    await eventually(async () => expect((await other.admin('/readyz')).status).toBe(200))
    await eventually(async () => {
      const response = await other.request('/orders', { token: provider.mint({ exp: soon() }) })
      expect(claimsOf(nextOf(response))).toMatchObject({ sub: 'alice' })
    })
    await eventually(async () => {
      const token = provider.mint({ exp: soon(), sub: 'bob' })
      expect(claimsOf(nextOf(await other.request('/orders', { token })))).toMatchObject({ sub: 'bob' })
    })
    expect(other.lines.filter(({ problem }) => problem !== undefined)).toEqual([])
  })

  it('tells what the provider says about a key that it does not know', async () => {
    const other = await startGateway(settings(byKey('other-key.pem')))
    expect(nextOf(await other.request('/orders', { token: provider.mint({ exp: soon() }) }))).toBeNull()
    await eventually(() => expect(JSON.stringify(other.lines)).toMatch(/answers 401 \\"invalid_client\\"/))
    expect(JSON.stringify(other.lines)).not.toMatch(/eyJ/)
  })

  it('gives nothing outside the window', async () => {
    const asked = provider.exchanges.length
    const response = await gateway.request('/orders', { token: provider.mint({ jti: 'e-3' }) })
    expect(nextOf(response)).toBeNull()
    expect(provider.exchanges).toHaveLength(asked)
  })
})
