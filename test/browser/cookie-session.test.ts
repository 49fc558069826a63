// A session in a cookie that no script can read: the gate renews it, and what stays open under it, an event stream or a
// WebSocket, ends with its token.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { createPages, describeInBrowser, runInPage, startBrowser } from '../support/browser.ts'
import { ADMIN_TOKEN, createWorld, type Gateway, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'

describeInBrowser('a session in a cookie', () => {
  const world = createWorld()
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let app: Awaited<ReturnType<typeof startApp>>
  let sockets: WebSocketServer
  let gate: Gateway
  /** The token that the app hands out at its sign-in. */
  let firstToken = ''
  /** How far the clock of the gate was turned: what a browser needs to get going is never too long for a token. */
  let aheadMs = 0
  const clock = () => Date.now() + aheadMs

  beforeAll(async () => {
    browser = await startBrowser()
    const servePage = await createPages()
    app = await startApp((request, response) => {
      if (servePage(request, response)) return
      if (request.url === '/sign-in')
        response.setHeader('set-cookie', `session=${firstToken}; Path=/; HttpOnly; Secure; SameSite=Lax`)
      if (request.url === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('retry: 100\ndata: hello\n\n')
      } else response.end(request.headers.cookie)
    })
    sockets = new WebSocketServer({ server: app.server })
    sockets.on('connection', (socket) => socket.on('message', (bytes) => socket.send(String(bytes))))
  })

  afterAll(async () => {
    await browser.close()
    sockets.close()
    await app.close()
    world.remove()
  })

  beforeEach(async () => {
    context = await browser.newContext()
    page = await context.newPage()
  })

  afterEach(async () => {
    await context.close()
    await stopGateways()
  })

  /** Starts a gate, signs in, and answers when the browser has the cookie. */
  async function signIn(seconds: number, refresh = ''): Promise<void> {
    const open = ['/page', '/client.js', '/sign-in'].map((path) => `{ path: ${path}, access: public }`)
    const settings = world.settings(
      app.url,
      `tokens: { sources: [{ cookie: session }] }\nroutes: [${open.join(', ')}]\nlimits: { drainTimeout: 0s }\n${refresh}`,
    )
    aheadMs = 0
    gate = await startGateway(
      settings.replace('audiences: [orders]', 'audiences: [orders]\n    clockTolerance: 0s'),
      clock,
    )
    const nowSeconds = Math.floor(Date.now() / 1000)
    firstToken = world.mint({ iat: nowSeconds, exp: nowSeconds + seconds, sid: 'session-1' })
    await page.goto(`http://127.0.0.1:${gate.port}/page`)
    await runInPage(page, "await fetch('/sign-in')")
  }

  /** Turns the clock to the last three seconds of the first token. */
  function turnToTheEnd(): void {
    aheadMs = expiry(firstToken) * 1000 - 3000 - Date.now()
  }

  const cookie = async () => (await context.cookies()).find(({ name }) => name === 'session')

  async function revokeSession(): Promise<void> {
    const body = JSON.stringify({ kind: 'session', value: 'session-1' })
    await gate.admin('/revocations', { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body })
  }

  test('is renewed by the gate, keeps its attributes, and outlives its first token', async () => {
    const key = world.signingKey()
    await signIn(120, `refresh: { window: 90s, lifetime: 180s, key: ${key} }\n`)
    const statuses: number[] = []
    for (aheadMs = 0; aheadMs < 400_000; aheadMs += 20_000)
      statuses.push(await runInPage(page, "return (await fetch('/orders')).status"))
    expect(statuses).toEqual(Array(20).fill(200))
    expect(await runInPage(page, 'return document.cookie')).toBe('')
    const renewed = await cookie()
    expect(renewed).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })
    expect(renewed?.value).not.toBe(firstToken)
  })

  const watchEvents = `
    window.seen = []
    window.stream = new EventSource('/events')
    stream.onopen = () => seen.push('open')
    stream.onerror = () => seen.push(stream.readyState === EventSource.CLOSED ? 'closed' : 'broken')`
  const watchSocket = `
    window.seen = []
    window.socket = new WebSocket('ws://' + location.host + '/socket')
    socket.onopen = () => socket.send('hello')
    socket.onmessage = ({ data }) => seen.push(data)
    socket.onclose = ({ code, reason }) => seen.push('closed ' + code)`
  const seenIs = (wanted: readonly string[]) =>
    vi.waitFor(async () => expect(await runInPage(page, 'return seen')).toEqual(wanted), { timeout: 15_000 })

  test('an event stream ends with its token, and cannot be opened again', async () => {
    await signIn(120)
    await runInPage(page, watchEvents)
    await seenIs(['open'])
    turnToTheEnd()
    await seenIs(['open', 'broken', 'closed'])
    expect(clock() / 1000).toBeGreaterThanOrEqual(expiry(firstToken))
    expect(await gate.metric('sidegate_guarded_connections_ended_total', { reason: 'token_expired' })).toBe(1)
  })

  test('an event stream ends when its session is revoked', async () => {
    await signIn(300)
    await runInPage(page, watchEvents)
    await seenIs(['open'])
    await revokeSession()
    await seenIs(['open', 'broken', 'closed'])
  })

  test('an event stream goes on with the renewed cookie by itself', async () => {
    const key = world.signingKey()
    await signIn(120, `refresh: { window: 120s, lifetime: 300s, key: ${key} }\n`)
    await runInPage(page, watchEvents)
    await seenIs(['open'])
    turnToTheEnd()
    await seenIs(['open', 'broken', 'open'])
  })

  test('a WebSocket ends with its token', async () => {
    await signIn(120)
    await runInPage(page, watchSocket)
    await seenIs(['hello'])
    turnToTheEnd()
    await seenIs(['hello', 'closed 1008'])
    expect(clock() / 1000).toBeGreaterThanOrEqual(expiry(firstToken))
    expect(await gate.metric('sidegate_guarded_connections_ended_total', { reason: 'token_expired' })).toBe(1)
  })

  test('a WebSocket ends when its session is revoked', async () => {
    await signIn(300)
    await runInPage(page, watchSocket)
    await seenIs(['hello'])
    await revokeSession()
    await seenIs(['hello', 'closed 1008'])
  })

  function expiry(token: string): number {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).exp
  }
})
