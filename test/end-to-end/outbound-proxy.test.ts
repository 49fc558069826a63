// Keys and tokens through a proxy of the company: whole gates, a real CONNECT proxy, real TLS with a private authority. The
// provider has a name that no name server knows: what arrives has gone through the proxy.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createOutbound } from '../../src/assembly/outbound.ts'
import { fetchBounded } from '../../src/outbound-http/fetch.ts'
import { makeCertificates, type TestCertificates, type TestPair } from '../support/certificates.ts'
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type Gateway, reasonOf, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { answerWith, type KeyServer, startKeyServer } from '../support/key-server.ts'
import { startApp } from '../support/origin.ts'
import { issue, startTokenEndpoint } from '../support/token-endpoint.ts'
import { goodClaims, jwksOf, makeKey, signToken } from '../support/tokens.ts'

const HOST = 'id.example.test'
let world: World
let certificates: TestCertificates
let pair: TestPair
let app: Awaited<ReturnType<typeof startApp>>
let provider: KeyServer
let proxy: ConnectProxy
const key = makeKey('ES256', 'provider-key')
const closing: (() => unknown)[] = []

beforeEach(async () => {
  world = createWorld()
  certificates = makeCertificates()
  pair = certificates.issue(HOST, `DNS:${HOST}`)
  app = await startApp((_req, res) => res.end('hello'))
  provider = await startKeyServer(answerWith(jwksOf(key)), pair)
  proxy = await startConnectProxy(Number(new URL(provider.url).port))
  closing.push(world.remove, certificates.remove, app.close, provider.close, proxy.close)
})
afterEach(async () => {
  await stopGateways()
  for (const close of closing.splice(0)) await close()
})

const ISSUER = `https://${HOST}`
const settings = (keys: string, more = '') =>
  world.settings(
    app.url,
    `
  - { issuer: "${ISSUER}", audiences: [orders], keys: { ${keys}, caFile: "${certificates.authorityFile}" } }
${more}`,
  )
const byUri = `jwksUri: "${ISSUER}/jwks"`
const ask = async (gate: Gateway) => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const token = signToken(key, goodClaims({ iss: ISSUER, jti: String(Math.random()) }, nowSeconds))
  const answer = await gate.request('/', { token })
  return answer.status === 200 ? 200 : [answer.status, await reasonOf(answer)]
}
const withPassword = () => `http://gate:hunter%402@127.0.0.1:${proxy.port}`

describe('keys through a proxy', () => {
  it('come where HTTPS_PROXY names it, and the log says so without its password', async () => {
    const gate = await startGateway(settings(byUri), Date.now, { HTTPS_PROXY: withPassword() })
    expect(await ask(gate)).toBe(200)
    expect(proxy.asked).toEqual([`CONNECT ${HOST}:443`])
    expect(proxy.headers[0]?.['proxy-authorization']).toBe(`Basic ${btoa('gate:hunter@2')}`)
    expect(gate.lines).toContainEqual(
      expect.objectContaining({ msg: 'Other servers are asked through a proxy', proxy: proxy.url, host: HOST }),
    )
    expect(JSON.stringify(gate.lines)).not.toMatch(/hunter/)
  })

  it('come by discovery where the setting names it, whatever the variables say', async () => {
    provider.answer = (res, req) =>
      answerWith(req.url === '/jwks' ? jwksOf(key) : JSON.stringify({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }))(
        res,
        req,
      )
    const more = `outbound: { proxy: "${proxy.url}" }`
    const gate = await startGateway(settings('discovery: true', more), Date.now, { HTTPS_PROXY: 'http://127.0.0.1:1' })
    expect(await ask(gate)).toBe(200)
    expect(provider.asked).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  // holds: proxy-leads-to-another-server
  it('do not come from a provider that another authority vouches for: the tunnel is no proof', async () => {
    const others = makeCertificates()
    closing.push(others.remove)
    const trusting = settings(byUri).replace(certificates.authorityFile, others.authorityFile)
    const gate = await startGateway(trusting, Date.now, { HTTPS_PROXY: proxy.url })
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    expect(provider.asked).toEqual([])
    expect(JSON.stringify(gate.lines)).toContain('set keys.caFile to a file')
  })

  it('are asked for directly with "none", and where NO_PROXY names the provider', async () => {
    for (const [more, environment] of [
      ['outbound: { proxy: none }', {}],
      ['', { NO_PROXY: `.example.test` }],
    ] as const) {
      const gate = await startGateway(settings(byUri, more), Date.now, { HTTPS_PROXY: proxy.url, ...environment })
      expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    }
    expect(proxy.asked).toEqual([])
  })

  it('that another setting turns to a proxy come after a reload', async () => {
    const gate = await startGateway(settings(byUri, 'outbound: { proxy: none }'))
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    await gate.reload(settings(byUri, `outbound: { proxy: "${proxy.url}" }`))
    await vi.waitFor(async () => expect(await ask(gate)).toBe(200), { timeout: 10_000 })
  })

  it('are fetched from this machine without it', async () => {
    const near = await startKeyServer(answerWith(jwksOf(key)))
    closing.push(near.close)
    const keys = `jwksUri: "${near.url}"`
    const gate = await startGateway(settings(keys).replace(/, caFile: "[^"]*"/, ''), Date.now, {
      ...{ HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url },
    })
    expect(await ask(gate)).toBe(200)
    expect(proxy.asked).toEqual([])
  })
})

describe('a proxy that fails', () => {
  const problemOf = async (environment: Record<string, string>) => {
    const gate = await startGateway(settings(byUri), Date.now, environment)
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    expect(JSON.stringify(gate.lines)).not.toMatch(/hunter/)
    return String(gate.lines.find(({ msg }) => msg === 'Cannot fetch keys')?.problem)
  }

  it('is named in the log, with what it answered', async () => {
    proxy.behaviour = 'refuse'
    expect(await problemOf({ HTTPS_PROXY: withPassword() })).toContain(
      `through the proxy "${proxy.url}": it answered CONNECT with status 407`,
    )
  })

  it('is named where nobody listens', async () => {
    await proxy.close()
    expect(await problemOf({ HTTPS_PROXY: withPassword() })).toContain(
      `through the proxy "${proxy.url}": connect ECONNREFUSED`,
    )
  })

  it('is told by its variable where that holds no proxy, and the provider is not asked around it', async () => {
    expect(await problemOf({ HTTPS_PROXY: 'socks5://gate:hunter2@proxy:1080' })).toContain(
      'Cannot use the proxy of HTTPS_PROXY: Expected a proxy that is spoken to by http or https',
    )
  })

  it('and hangs holds no connection of a question that was given up', async () => {
    proxy.behaviour = 'hang'
    const outbound = createOutbound({ proxy: () => proxy.url, environment: {}, log: { info: () => {} } })
    const fetchThrough = outbound.fetchTrusting(() => certificates.authority)
    const ask = () => fetchBounded(fetchThrough, `${ISSUER}/jwks`, {}, { timeoutMs: 1_000, maximumBytes: 10 })
    for (let i = 0; i < 3; i++) await expect(ask()).rejects.toThrow('No answer within 1000 ms')
    expect(proxy.open()).toBeGreaterThan(0)
    await eventually(() => expect(proxy.open()).toBe(0), 1_000)
  }, 30_000)

  it('and comes back is used again, though it hung before', async () => {
    proxy.behaviour = 'hang'
    const gate = await startGateway(settings(byUri), Date.now, { HTTPS_PROXY: proxy.url })
    expect(await ask(gate)).toEqual([503, 'keys_unavailable'])
    proxy.behaviour = 'serve'
    await vi.waitFor(async () => expect(await ask(gate)).toBe(200), { timeout: 20_000 })
  }, 40_000)
})

it('a server that is asked over http gets its request through the proxy in absolute form', async () => {
  const plain = await startKeyServer(answerWith('{"keys":[]}'))
  const throughPlain = await startConnectProxy(Number(new URL(plain.url).port))
  closing.push(plain.close, throughPlain.close)
  const environment = { http_proxy: `gate:hunter2@127.0.0.1:${throughPlain.port}` }
  const outbound = createOutbound({ proxy: () => 'env', environment, log: { info: () => {} } })
  const answer = await outbound.fetchTrusting(() => undefined)('http://id.example.test/jwks')
  expect(await answer.text()).toBe('{"keys":[]}')
  expect(throughPlain.asked).toEqual(['GET http://id.example.test/jwks'])
  expect(throughPlain.headers[0]?.['proxy-authorization']).toBe(`Basic ${btoa('gate:hunter2')}`)
})

it('the next token comes from a token endpoint behind the proxy', async () => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const session = { sid: 's', auth_time: nowSeconds - 20 }
  const next = world.mint({ ...session, exp: nowSeconds + 300 })
  const endpoint = await startTokenEndpoint(issue(next), pair)
  const throughEndpoint = await startConnectProxy(Number(new URL(endpoint.url).port))
  closing.push(endpoint.close, throughEndpoint.close)
  const refresh = `refresh:
  exchange: { tokenEndpoint: "https://${HOST}/token", clientId: c, clientSecretFile: "${world.folder}/admin-token", timeout: 2s, caFile: "${certificates.authorityFile}" }`
  const gate = await startGateway(world.settings(app.url, refresh), Date.now, { HTTPS_PROXY: throughEndpoint.url })
  const answer = await gate.request('/', { token: world.mint({ ...session, exp: nowSeconds + 30 }) })
  expect(answer.headers.get('x-refreshed-token')).toBe(next)
  expect(throughEndpoint.asked).toEqual([`CONNECT ${HOST}:443`])
})
