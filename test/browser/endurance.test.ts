// A token that lives ten seconds, used for a minute.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPages, describeInBrowser, runInPage, startBrowser } from '../support/browser.ts'
import { createWorld, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'

const MINUTE_MS = 60_000

describeInBrowser('a session of short tokens', () => {
  const world = createWorld()
  let browser: Browser
  let app: Awaited<ReturnType<typeof startApp>>

  beforeAll(async () => {
    browser = await startBrowser()
    const servePage = await createPages()
    app = await startApp((request, response) => {
      if (!servePage(request, response)) response.end('ok')
    })
  })

  afterAll(async () => {
    await browser.close()
    await stopGateways()
    await app.close()
    world.remove()
  })

  test(
    'a token that lives ten seconds is used for a minute without one failed request',
    async () => {
      const gate = await startGateway(
        world
          .settings(
            app.url,
            `routes: [{ path: /page, access: public }, { path: /client.js, access: public }]
refresh:
  window: 5s
  lifetime: 10s
  key: ${world.signingKey()}
`,
          )
          // Ten seconds are ten seconds.
          .replace('audiences: [orders]', 'audiences: [orders]\n    clockTolerance: 0s'),
      )
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${gate.port}/page`)
      const nowSeconds = Math.floor(Date.now() / 1000)
      const seen = await runInPage<{
        statuses: Record<string, number>
        tokens: number
        ended: string[]
        first: string
      }>(
        page,
        `const { withRefresh } = await import('/client.js')
         const ended = [], statuses = {}, tokens = new Set()
         const api = withRefresh(fetch, localStorage, { onSessionEnd: (reason) => ended.push(reason) })
         const first = '${world.mint({ iat: nowSeconds, exp: nowSeconds + 10 })}'
         api.setToken(first)
         const endMs = performance.now() + ${MINUTE_MS}
         while (performance.now() < endMs) {
           const answers = await Promise.all([1, 2, 3].map(() => api('/orders')))
           for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1
           tokens.add(api.token())
           await new Promise((resolve) => setTimeout(resolve, 100))
         }
         return { statuses, tokens: tokens.size, ended, first: (await fetch('/orders', { headers: { authorization: 'Bearer ' + first } })).status }`,
      )
      expect(Object.keys(seen.statuses)).toEqual(['200'])
      expect(seen.statuses[200]).toBeGreaterThan(100)
      expect(seen.tokens).toBeGreaterThanOrEqual(10)
      expect(seen.ended).toEqual([])
      expect(seen.first).toBe(401)
    },
    MINUTE_MS * 2,
  )
})
