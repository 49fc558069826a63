// Two tabs of one page: one refresh is enough for both, and both learn of the end.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPages, describeInBrowser, runInPage, startBrowser } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type Gateway, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'

describeInBrowser('two tabs', () => {
  const world = createWorld()
  let browser: Browser
  let context: BrowserContext
  let app: Awaited<ReturnType<typeof startApp>>
  let gate: Gateway
  let tabs: readonly [Page, Page]

  beforeAll(async () => {
    browser = await startBrowser()
    const servePage = await createPages()
    app = await startApp((request, response) => {
      if (servePage(request, response)) return
      if (request.url === '/sign-out') response.setHeader('clear-site-data', '"storage"')
      response.end(request.headers.authorization)
    })
  })

  afterAll(async () => {
    await browser.close()
    await app.close()
    world.remove()
  })

  beforeEach(async () => {
    const key = world.signingKey()
    const routes = `routes: [{ path: /page, access: public }, { path: /client.js, access: public }]\n`
    gate = await startGateway(world.settings(app.url, `${routes}refresh: { window: 60s, key: ${key} }\n`))
    context = await browser.newContext()
    tabs = [await context.newPage(), await context.newPage()]
  })

  afterEach(async () => {
    await context.close()
    await stopGateways()
  })

  async function open(storage: string, prepare = ''): Promise<void> {
    for (const tab of tabs) {
      await tab.goto(`http://127.0.0.1:${gate.port}/page`)
      await runInPage(
        tab,
        `${prepare}
         const { withRefresh } = await import('/client.js')
         window.ended = []
         window.api = withRefresh(fetch, ${storage}, { onSessionEnd: (reason) => ended.push(reason) })`,
      )
    }
  }

  function dueToken(): string {
    const nowSeconds = Math.floor(Date.now() / 1000)
    return world.mint({ iat: nowSeconds - 100, exp: nowSeconds + 30 })
  }

  const tokenOf = (tab: Page) => runInPage<string | null>(tab, 'return api.token()')
  const ask = (tab: Page) => runInPage<string>(tab, "return (await api('/orders')).text()")

  for (const storage of ['localStorage', 'sessionStorage']) {
    test(`share one refresh and one end, with ${storage}`, async () => {
      await open(storage)
      const token = dueToken()
      await runInPage(tabs[0], `api.setToken('${token}')`)
      await eventually(async () => expect(await tokenOf(tabs[1])).toBe(token))

      expect(await ask(tabs[1])).toBe(`Bearer ${token}`)
      const next = await tokenOf(tabs[1])
      expect(next).not.toBe(token)
      await eventually(async () => expect(await tokenOf(tabs[0])).toBe(next))
      expect(await ask(tabs[0])).toBe(`Bearer ${next}`)
      expect(await gate.metric('sidegate_refresh_total', { result: 'issued' })).toBe(1)

      await runInPage(tabs[0], 'api.signOut()')
      for (const tab of tabs) {
        await eventually(async () => expect(await runInPage(tab, 'return ended')).toEqual(['signed_out']))
        expect(await tokenOf(tab)).toBeNull()
      }
    })
  }

  // holds: sign-out-misses-tab
  test('sign out together with storages of their own, also where one holds a later token', async () => {
    await open('sessionStorage')
    const token = dueToken()
    await runInPage(tabs[0], `api.setToken('${token}')`)
    await eventually(async () => expect(await tokenOf(tabs[1])).toBe(token))
    // The other tab hears nothing of the next token, as if it slept.
    await runInPage(tabs[1], 'BroadcastChannel.prototype.postMessage = () => {}')
    await ask(tabs[1])
    expect(await tokenOf(tabs[1])).not.toBe(token)
    expect(await tokenOf(tabs[0])).toBe(token)
    await runInPage(tabs[0], 'api.signOut()')
    for (const tab of tabs) {
      await eventually(async () => expect(await runInPage(tab, 'return ended')).toEqual(['signed_out']))
      expect(await tokenOf(tab)).toBeNull()
    }
  })

  test('learn of a token that vanished from the storage, without a channel too', async () => {
    await open('localStorage', 'delete window.BroadcastChannel')
    await runInPage(tabs[0], `api.setToken('${dueToken()}')`)
    await eventually(async () => expect(await tokenOf(tabs[1])).not.toBeNull())
    await runInPage(tabs[0], `localStorage.clear()`)
    await eventually(async () => expect(await runInPage(tabs[1], 'return ended')).toEqual(['signed_out']))
    // A tab gets no event of what it does itself: it sees that with its next request.
    await ask(tabs[0])
    expect(await runInPage(tabs[0], 'return ended')).toEqual(['signed_out'])
  })

  test('sign out with an answer that clears the storage', async () => {
    await open('localStorage')
    await runInPage(tabs[0], `api.setToken('${dueToken()}')`)
    await eventually(async () => expect(await tokenOf(tabs[1])).not.toBeNull())
    expect(await runInPage(tabs[0], "return (await api('/sign-out')).status")).toBe(200)
    for (const tab of tabs) {
      await eventually(async () => {
        await ask(tab)
        expect(await runInPage(tab, 'return ended')).toEqual(['signed_out'])
      })
      expect(await tokenOf(tab)).toBeNull()
    }
  })

  test('a sandbox without a storage keeps the token in memory', async () => {
    await tabs[0].goto(`http://127.0.0.1:${gate.port}/page`)
    const answer = await runInPage(
      tabs[0],
      `const frame = document.createElement('iframe')
       frame.sandbox = 'allow-scripts'
       const source = await (await fetch('/client.js')).text()
       const script = source + \`
         let token = 'the module died'
         const api = withRefresh(fetch, () => localStorage)
         api.setToken('a.b.c')
         token = api.token()
         parent.postMessage(token, '*')\`
       frame.srcdoc = '<script type="module">' + script + '</' + 'script>'
       const heard = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data)))
       document.body.append(frame)
       return heard`,
    )
    expect(answer).toBe('a.b.c')
  })

  test('refuse to ask without the token in "no-cors"', async () => {
    await open('localStorage')
    await runInPage(tabs[0], `api.setToken('${dueToken()}')`)
    const script = "return api('/orders', { mode: 'no-cors' }).then(() => 'asked', (error) => error.name)"
    expect(await runInPage(tabs[0], script)).toBe('TypeError')
  })

  test('that ask at the same time, again and again, hold one token and fail no request', async () => {
    await open('localStorage')
    await runInPage(tabs[0], `api.setToken('${dueToken()}')`)
    const script = `
      const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await api('/orders')).status))
      return statuses.filter((status) => status !== 200)`
    expect(await Promise.all(tabs.map((tab) => runInPage(tab, script)))).toEqual([[], []])
    expect(await tokenOf(tabs[0])).toBe(await tokenOf(tabs[1]))
  })
})
