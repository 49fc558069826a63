// A page of another origin: the app answers CORS, the gate lets preflights pass and exposes its header, and the scripts of
// the page see the next token and each refusal.
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPages, describeInBrowser, runInPage, startBrowser } from '../support/browser.ts'
import { ADMIN_TOKEN, createWorld, type Gateway, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'

describeInBrowser('a page of another origin', () => {
  const world = createWorld()
  let browser: Browser
  let pages: Awaited<ReturnType<typeof startApp>>
  let app: Awaited<ReturnType<typeof startApp>>
  let gate: Gateway
  let page: Page
  const methods: (string | undefined)[] = []

  beforeAll(async () => {
    browser = await startBrowser()
    const servePage = await createPages()
    pages = await startApp((request, response) => {
      if (!servePage(request, response)) response.writeHead(404).end()
    })
    app = await startApp((request, response) => {
      methods.push(request.method)
      response.setHeader('access-control-allow-origin', pages.url.origin)
      response.setHeader('access-control-allow-methods', 'GET, PUT')
      response.setHeader('access-control-allow-headers', 'authorization')
      response.setHeader('access-control-expose-headers', 'x-own')
      response.setHeader('x-own', 'of the app')
      response.end(request.headers.authorization)
    })
  })

  afterAll(async () => {
    await browser.close()
    await Promise.all([pages.close(), app.close()])
    world.remove()
  })

  beforeEach(async () => {
    methods.length = 0
    gate = await startGateway(settings([pages.url.origin]))
    page = await browser.newPage()
    await page.goto(`${pages.url.origin}/page`)
  })

  afterEach(async () => {
    await page.close()
    await stopGateways()
  })

  function settings(origins: readonly string[]): string {
    const key = world.signingKey()
    return world.settings(
      app.url,
      `refresh: { window: 60s, key: ${key} }\ncors: { origins: ${JSON.stringify(origins)} }\n`,
    )
  }

  /** Begins a session in the page with a token in its refresh window. */
  async function signIn(): Promise<string> {
    const nowSeconds = Math.floor(Date.now() / 1000)
    const token = world.mint({ iat: nowSeconds - 100, exp: nowSeconds + 30 })
    await runInPage(
      page,
      `const { withRefresh } = await import('/client.js')
       window.gate = 'http://127.0.0.1:${gate.port}'
       window.ended = []
       window.api = withRefresh(fetch, sessionStorage, { origins: [gate], onSessionEnd: (reason) => ended.push(reason) })
       api.setToken('${token}')`,
    )
    return token
  }

  test('gets the next token with the answer to a request that was preflighted, and sends it', async () => {
    const token = await signIn()
    const seen = await runInPage<Record<string, string>>(
      page,
      `const first = await api(gate + '/orders', { method: 'PUT', body: 'new' })
       const next = api.token()
       const second = await api(gate + '/orders')
       return { first: await first.text(), second: await second.text(), next, own: first.headers.get('x-own') }`,
    )
    expect(seen.first).toBe(`Bearer ${token}`)
    expect(seen.next).not.toBe(token)
    expect(seen.second).toBe(`Bearer ${seen.next}`)
    expect(seen.own).toBe('of the app')
    expect(methods.slice(0, 2)).toEqual(['OPTIONS', 'PUT'])
    expect(await gate.metric('sidegate_decisions_total', { decision: 'refuse' })).toBe(0)
  })

  test('reads why it was refused, and is told that the session is over', async () => {
    await signIn()
    const body = JSON.stringify({ kind: 'subject', value: 'alice' })
    await gate.admin('/revocations', { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body })
    const seen = await runInPage<Record<string, unknown>>(
      page,
      `const response = await api(gate + '/orders')
       const challenge = response.headers.get('www-authenticate')
       return { status: response.status, challenge, ...(await response.json()), ended, token: api.token() }`,
    )
    expect(seen).toMatchObject({ status: 401, reason: 'token_revoked', ended: ['token_revoked'], token: null })
    expect(seen.challenge).toContain('error="invalid_token"')
  })

  test('gets nothing where the gate does not know its origin', async () => {
    await gate.reload(settings(['https://app.example.com']))
    await signIn()
    const script = "return api(gate + '/orders').then(() => 'answered', (error) => error.message)"
    expect(await runInPage(page, script)).toBe('Failed to fetch')
    expect(methods).toEqual([])
  })

  test('and a page that the app does not know gets nothing from the app', async () => {
    const other = await browser.newPage()
    const origin = pages.url.origin.replace('127.0.0.1', 'localhost')
    await gate.reload(settings([origin]))
    await other.goto(`${origin}/page`)
    const url = `http://127.0.0.1:${gate.port}/orders`
    const script = `return fetch('${url}', { method: 'PUT' }).then(() => 'answered', (error) => error.message)`
    expect(await runInPage(other, script)).toBe('Failed to fetch')
    expect(methods).toEqual(['OPTIONS'])
    await other.close()
  })
})
