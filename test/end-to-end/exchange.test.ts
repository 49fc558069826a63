// Refresh by the identity provider: a real provider, a whole gate, real HTTP on every side.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Gateway, nextOf, startGateway, stopGateways } from '../support/gateway.ts'
import { CLIENT_ID, CLIENT_SECRET, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { claimsOf } from '../support/tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'sidegate-exchange-'))
let provider: IdentityProvider
let app: EchoOrigin
let gateway: Gateway

const settings = (secretFile: string) => `
listen: 127.0.0.1:0
upstream: ${app.url.origin}
admin: { listen: 127.0.0.1:0 }
issuers:
  - { issuer: "${provider.issuer}", audiences: [orders], keys: { discovery: true } }
refresh:
  window: 60s
  exchange:
    tokenEndpoint: ${provider.tokenEndpoint}
    clientId: "${CLIENT_ID}"
    clientSecretFile: ${secretFile}
    timeout: 2s
`

beforeAll(async () => {
  writeFileSync(join(folder, 'secret'), `${CLIENT_SECRET}\n`)
  writeFileSync(join(folder, 'wrong-secret'), 'wrong\n')
  provider = await startIdentityProvider()
  app = await startEchoOrigin()
  gateway = await startGateway(settings(join(folder, 'secret')))
  await eventually(async () => expect((await gateway.admin('/readyz')).status).toBe(200))
})
afterAll(async () => {
  await stopGateways()
  await app.close()
  await provider.close()
  rmSync(folder, { recursive: true })
})

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
    const failing = await startGateway(settings(join(folder, 'wrong-secret')))
    const token = provider.mint({ jti: 'e-2', exp: soon() })
    const response = await failing.request('/orders', { token })
    expect(response.status).toBe(200)
    expect(nextOf(response)).toBeNull()
    expect(await failing.metric('sidegate_refresh_total', { result: 'failed' })).toBe(1)
    await eventually(() =>
      expect(failing.lines).toContainEqual(
        expect.objectContaining({ problem: 'Cannot exchange a token: the provider answers 401 "invalid_client"' }),
      ),
    )
    const log = JSON.stringify([...failing.lines, ...gateway.lines])
    expect(log).not.toContain(token.split('.')[1])
    expect(log).not.toContain(CLIENT_SECRET)
  })

  it('gives nothing outside the window', async () => {
    const asked = provider.exchanges.length
    const response = await gateway.request('/orders', { token: provider.mint({ jti: 'e-3' }) })
    expect(nextOf(response)).toBeNull()
    expect(provider.exchanges).toHaveLength(asked)
  })
})
