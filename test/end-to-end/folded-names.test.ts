// A client that spells a protected name in another way, at app servers that cannot tell the spellings apart: none of them ever
// reads what the client wrote.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appServers, type RunningServer } from '../support/app-servers.ts'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { exchangeRaw } from '../support/raw-client.ts'

const separators = ['_', '.', '~', '+', '!', "'", '^', '|', '*', '$', '%', '&', '#', '`']

/** Ways to write a name that an app may take for it, and the name itself. */
function spellingsOf(name: string): readonly string[] {
  const [first = '', ...rest] = name.split('-')
  const oneOther = (separator: string) => `${first}${separator}${rest.join('-')}`
  return [
    ...[name, name.toLowerCase(), name.toUpperCase()],
    ...separators.map((separator) => name.replaceAll('-', separator)),
    ...(rest.length > 1 ? separators.map(oneOther) : []),
    ...[name.replaceAll('-', '_').toUpperCase(), name.replaceAll('-', '.').toLowerCase()],
    ...[name.replaceAll('-', '--'), name.replaceAll('-', '-_'), name.replaceAll('-', '._')],
    ...[`-${name}`, `${name}-`, `_${name}`, `${name}_`, `.${name}`, `${name}.`],
  ]
}

const identity = ['X-Auth-Subject', 'X-Auth-Scope']
/** In their own spelling, too, nobody but the gate says them. */
const protectedNames = [
  ...identity,
  ...['X-Refreshed-Token', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Real-IP', 'X-Forwarded-For'],
  ...['X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-User', 'Remote-User', 'Client-IP', 'SSL-Client-Verify'],
  ...['X-Accel-Redirect', 'X-Sendfile-Type', 'Proxy'],
]
/** In their own spelling they are the message itself, and cross or are written anew. */
const messageNames = ['Content-Type', 'Content-Length', 'Transfer-Encoding', 'Authorization', 'Cookie', 'Host']

let world: World
let settings: string
beforeAll(() => {
  world = createWorld()
  settings = `routes: [{ path: /public/*, access: public }]\nrefresh: { key: ${world.signingKey()} }\n`
})
afterAll(() => world.remove())

test('there are at least 28 spellings of an identity header', () => {
  expect(new Set(spellingsOf('X-Auth-Subject')).size).toBeGreaterThanOrEqual(28)
})

for (const server of appServers) {
  const title = server.missing === undefined ? server.name : `${server.name}, skipped: ${server.missing} is not here`
  describe.skipIf(server.missing !== undefined)(title, () => {
    let app: RunningServer
    let gate: Gateway
    let shadow: Gateway
    let open: Gateway
    beforeAll(async () => {
      app = await server.start()
      gate = await startGateway(world.settings(app.url, settings))
      open = await startGateway(world.settings(app.url, `${settings}forward: { headerNames: token }\n`))
      shadow = await startGateway(world.settings(app.url, `${settings}mode: shadow\n`))
    })
    afterAll(async () => {
      await stopGateways()
      app.stop()
    })

    /** What the app made of a request with these header lines: `NAME=value`, a line each. */
    async function variables(port: number, path: string, headers: readonly string[]): Promise<readonly string[]> {
      const lines = [`GET ${path} HTTP/1.1`, 'Host: shop.example', 'Connection: close', ...headers]
      const text = await exchangeRaw(port, `${lines.join('\r\n')}\r\n\r\n`)
      expect(text).toMatch(/^HTTP\/1\.[01] 200 /)
      return text.split(/\r?\n/)
    }

    /** The lines in which the app would look for this header. */
    function readings(lines: readonly string[], name: string): readonly string[] {
      const variable = name.toUpperCase().replaceAll('-', '_')
      const names = [`HTTP_${variable}=`, `header:${name.toUpperCase()}=`]
      if (/^content/i.test(name)) names.push(`${variable}=`)
      return lines.filter((line) => names.some((each) => line.toUpperCase().startsWith(each.toUpperCase())))
    }

    test.skipIf(server.confuses === undefined)('the app confuses names when nothing stands before it', async () => {
      const lines = await variables(app.port, '/', [`${server.confuses}: FORGED`])
      expect(readings(lines, 'X-Auth-Subject').join()).toContain('FORGED')
    })

    const ways: Record<string, (name: string) => Promise<readonly string[]>> = {
      // holds: identity-under-folded-name
      'with a token that has every claim': (name) =>
        forge(gate, '/', name, world.mint({ sub: 'alice', scope: 'read' })),
      'with a token that has no such claim': (name) =>
        forge(gate, '/', name, world.mint({ sub: undefined, scope: undefined })),
      // holds: identity-under-folded-name
      'on a public path': (name) => forge(gate, '/public/a', name, undefined),
      'where every name may cross': (name) => forge(open, '/', name, world.mint({ sub: 'alice', scope: 'read' })),
      'in shadow mode with a token that would be refused': (name) =>
        forge(shadow, '/', name, world.mint({ sub: 'alice', aud: 'other' })),
    }
    async function forge(at: Gateway, path: string, name: string, token: string | undefined) {
      const isItself = (spelling: string) => spelling.toLowerCase() === name.toLowerCase()
      const spellings = spellingsOf(name).filter((each) => protectedNames.includes(name) || !isItself(each))
      const headers = [...new Set(spellings)].map((spelling) => `${spelling}: FORGED`)
      if (token !== undefined) headers.push(`Authorization: Bearer ${token}`)
      return readings(await variables(at.port, path, headers), name)
    }
    for (const [way, ask] of Object.entries(ways)) {
      test(`${way}, no header is forged`, async () => {
        const forged: string[] = []
        for (const name of [...protectedNames, ...messageNames]) {
          const read = await ask(name)
          if (read.join().includes('FORGED')) forged.push(...read)
        }
        expect(forged).toEqual([])
      })
    }

    test('with a token, the identity is that of its claims', async () => {
      const headers = [`Authorization: Bearer ${world.mint({ sub: 'alice', scope: 'read' })}`]
      const lines = await variables(gate.port, '/', headers)
      expect(lines).toContain('HTTP_X_AUTH_SUBJECT=alice')
      expect(lines).toContain('HTTP_X_AUTH_SCOPE=read')
    })
  })
}
