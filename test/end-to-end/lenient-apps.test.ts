// Apps that take several spellings for one page, as Express does without any setting: no spelling of a path that needs a scope
// gets there without it, though everything else is public.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorld, type Gateway, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { exchangeRaw } from '../support/raw-client.ts'

const express = await import('express').then(
  (library) => library.default,
  () => undefined,
)

const ROUTES = `routes:
  - { path: /api/admin/*, scopes: [admin] }
  - { path: /report, methods: [GET], scopes: [report] }
  - { path: '/users/{id}', scopes: [users] }
  - { path: /*, access: public }
`

/** Each letter of a text in upper case, then all of them, then every second one. */
const casings = (text: string): string[] => {
  const letters = [...text]
  const raised = (isRaised: (index: number) => boolean) =>
    letters.map((letter, index) => (isRaised(index) ? letter.toUpperCase() : letter)).join('')
  return [...letters.map((_, at) => raised((index) => index === at)), raised(() => true), raised((at) => at % 2 === 0)]
}
const percent = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`

function spellings(path: string): string[] {
  const places = [...path].flatMap((letter, index) => (/[a-z]/.test(letter) ? [index] : []))
  const encoded = places.flatMap((at) => {
    const [before, letter, behind] = [path.slice(0, at), path[at] ?? '', path.slice(at + 1)]
    return [percent(letter), percent(letter.toUpperCase())].map((code) => `${before}${code}${behind}`)
  })
  const odd = ['', '/', '?', '/?x', '%20', '%2f', ';x', '.', '/.', '/x/..', '%3f', '%23', '%00', '#', '//', '%c2%a0']
  const unicode = [path.replace('i', '%C4%B1'), path.replace('s', '%C5%BF'), path.replace('a', '%EF%BD%81')]
  return [...casings(path), ...encoded, ...unicode]
    .flatMap((text) => [text, `${text}/`])
    .concat(odd.map((end) => path + end))
}

describe.skipIf(express === undefined)('Express as it is installed (skipped without it: npm ci)', () => {
  const world = createWorld()
  const reached: string[] = []
  let app: Awaited<ReturnType<typeof startApp>>
  let gate: Gateway

  beforeAll(async () => {
    if (express === undefined) return
    const shop = express()
    const page = (name: string) => (_: unknown, response: { end: (text: string) => void }) => {
      reached.push(name)
      response.end(name)
    }
    shop.use('/api/admin', page('admin'))
    shop.get('/report', page('report'))
    shop.get('/users/:id', page('user'))
    shop.use(page('public'))
    app = await startApp(shop)
    gate = await startGateway(world.settings(app.url, ROUTES))
  })
  afterAll(async () => {
    await stopGateways()
    await app?.close()
    world.remove()
  })

  async function pagesReached(
    port: number,
    method: string,
    paths: readonly string[],
    token?: string,
  ): Promise<string[]> {
    reached.length = 0
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
    for (const path of paths)
      await exchangeRaw(port, `${method} ${path} HTTP/1.1\r\nHost: app\r\n${authorization}Connection: close\r\n\r\n`)
    return reached.filter((name) => name !== 'public')
  }

  const stories: readonly (readonly [method: string, path: string, page: string])[] = [
    ['GET', '/api/admin/users', 'admin'],
    ['DELETE', '/api/admin', 'admin'],
    ['GET', '/report', 'report'],
    ['HEAD', '/report', 'report'],
    ['GET', '/users/7', 'user'],
  ]
  for (const [method, path, page] of stories) {
    // holds: letter-case-past-rule, head-past-rule-for-get
    it(`${method} ${path}: no spelling gets there without a token or without the scope`, async () => {
      const paths = spellings(path)
      const direct = await pagesReached(Number(app.url.port), method, paths)
      expect(direct.filter((name) => name === page).length).toBeGreaterThan(20)
      expect(await pagesReached(gate.port, method, paths)).toEqual([])
      expect(await pagesReached(gate.port, method, paths, world.mint({ scope: 'other' }))).toEqual([])
    })
  }

  it('gets there with the scope, in every spelling that is not refused as such', async () => {
    const token = world.mint({ scope: 'admin report users' })
    const paths = casings('/api/admin/users')
    expect(await pagesReached(gate.port, 'GET', paths, token)).toEqual(paths.map(() => 'admin'))
    expect(await pagesReached(gate.port, 'GET', ['/report', '/Report', '/REPORT/'], token)).toHaveLength(3)
  })

  it('leaves public what is no spelling of them', async () => {
    for (const path of ['/', '/api', '/reports', '/users', '/Orders/AbC', '/caf%C3%A9'])
      expect((await gate.request(path)).status, path).toBe(200)
  })
})
