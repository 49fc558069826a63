// The page of `sidegate demo`, as somebody sees it who opens it: it works with nothing but the mouse or the keyboard, on a
// phone too, and loads nothing from elsewhere.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type DemoStage, openStage } from '../../src/demo/stage.ts'
import { createLog } from '../../src/telemetry/logs/log.ts'
import { describeInBrowser, runInPage, startBrowser } from '../support/browser.ts'

describeInBrowser('the page of the demo', () => {
  let browser: Browser
  let stage: DemoStage
  let context: BrowserContext
  let page: Page
  const complaints: string[] = []
  const urls: string[] = []

  beforeAll(async () => {
    browser = await startBrowser()
    const log = createLog({ level: 'silent', format: 'json' }, { isTerminal: false, to: { write: () => {} } })
    stage = await openStage({ log, clock: Date.now })
  })

  afterAll(async () => {
    await browser.close()
    await stage.close()
  })

  beforeEach(async () => {
    complaints.length = 0
    urls.length = 0
    context = await browser.newContext()
    page = await open()
  })

  afterEach(() => context.close())

  async function open(): Promise<Page> {
    const opened = await context.newPage()
    opened.on('pageerror', ({ message }) => complaints.push(message))
    opened.on('console', (line) => {
      // A refusal is what some buttons are for.
      if (line.type() !== 'log' && !/status of 40[13]/.test(line.text())) complaints.push(line.text())
    })
    opened.on('request', (request) => urls.push(request.url()))
    await opened.goto(stage.places.gate)
    await opened.getByText('admitted as robin').first().waitFor()
    return opened
  }

  const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
  const textOf = (id: string, of = page) => of.locator(`#${id}`).innerText()
  const newestAnswer = () => page.locator('#answers li').first().innerText()
  const answerIs = (pattern: RegExp) => vi.waitFor(async () => expect(await newestAnswer()).toMatch(pattern), 10_000)

  test('shows the token grow old and jump at each refresh', async () => {
    expect(await textOf('subject')).toBe('robin')
    const first = await textOf('token')
    await page.locator('#refreshes li').first().waitFor({ timeout: 60_000 })
    const refresh = await page.locator('#refreshes li').first().innerText()
    expect(refresh).toContain(`${first} → ${await textOf('token')}`)
    expect(Number(await page.getByRole('progressbar').getAttribute('aria-valuenow'))).toBeGreaterThan(20)
    expect(await textOf('count')).toBe('once')
    expect(await textOf('news')).toBe('The token was refreshed')
  }, 90_000)

  test('shows the reason and the challenge of each refusal', async () => {
    await page.getByLabel('Keep asking').uncheck()
    await press('Ask for /admin/users')
    await answerIs(/403.*GET \/admin\/users.*scope_insufficient.*error="insufficient_scope"/s)
    await press('Ask without a token')
    await answerIs(/401.*GET \/orders.*token_missing.*WWW-Authenticate: Bearer/s)
    await press('Ask for /orders')
    await answerIs(/200.*GET \/orders.*admitted as robin/s)
  })

  for (const [button, effect] of [
    ['Revoke my session', /every token of session/],
    ['Revoke me', /every token of subject "robin" issued at or before/],
  ] as const) {
    test(`"${button}" ends the session in every tab, and one can sign in again`, async () => {
      const other = await open()
      expect(await textOf('session', other)).toBe(await textOf('session'))
      for (const tab of [page, other]) await tab.getByLabel('Keep asking').uncheck()
      await press(button)
      await answerIs(effect)
      await press('Ask for /orders')
      await answerIs(/401.*token_revoked/s)
      for (const tab of [page, other]) await tab.getByText('Session over: token_revoked').waitFor()
      await press('Sign in again')
      for (const tab of [page, other]) await tab.getByText('Fresh', { exact: true }).waitFor()
      await press('Ask for /orders')
      await answerIs(/200.*admitted as robin/s)
      expect(await textOf('session', other)).toBe(await textOf('session'))
    })
  }

  test('works with the keyboard alone', async () => {
    await page.getByLabel('Keep asking').focus()
    await page.keyboard.press('Space')
    expect(await page.getByLabel('Keep asking').isChecked()).toBe(false)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await answerIs(/GET \/admin\/users.*scope_insufficient/s)
    const outline = 'return getComputedStyle(document.activeElement).outlineStyle'
    expect(await runInPage(page, outline)).toBe('solid')
  })

  test('fits a phone, and follows the colours and the motion that the system asks for', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    await press('Ask for /admin/users')
    await answerIs(/scope_insufficient/s)
    expect(await runInPage(page, 'return document.documentElement.scrollWidth')).toBe(360)
    const paper = 'return getComputedStyle(document.body).backgroundColor'
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await runInPage(page, paper)
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    expect(await runInPage(page, paper)).not.toBe(light)
    expect(await runInPage(page, "return getComputedStyle(document.querySelector('#fill')).transitionDuration")).toBe(
      '0s',
    )
  })

  test('loads nothing from elsewhere, runs nothing inline and complains of nothing', async () => {
    await press('Revoke my session')
    await answerIs(/every token of session/s)
    expect(urls.filter((url) => !url.startsWith(stage.places.gate))).toEqual([])
    const response = await fetch(stage.places.gate)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    const inline =
      "const made = document.createElement('script'); made.text = 'window.ran = 1'; document.body.append(made); return window.ran"
    expect(await runInPage(page, inline)).toBeUndefined()
    await expect.poll(() => complaints).toHaveLength(1)
    expect(complaints.filter((text) => !text.includes('Content Security Policy'))).toEqual([])
  })
})
