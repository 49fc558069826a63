// The examples for app developers in docs/refresh.md: they compile, they import what there is, and the first one does what
// it says.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { expect, test, vi } from 'vitest'
import * as client from '../../src/client/client.ts'

const page = readFileSync(new URL('../../docs/refresh.md', import.meta.url), 'utf8')
const chapter = page.slice(page.indexOf('\n## In a browser\n')).split(/\n## (?!In a browser)/)[0] ?? ''
const examples = [...chapter.matchAll(/```jsx?\n([\s\S]+?)```/g)].map(([, text = '']) => text)

test('there are examples for plain scripts, React and axios', () => {
  expect(examples).toHaveLength(3)
  for (const word of ['signIn', "from 'react'", "from 'axios'"])
    expect(examples.filter((text) => text.includes(word)).length).toBeGreaterThan(0)
})

test('every example compiles and imports from the module what it has', async () => {
  for (const text of examples) {
    await transform(text, { loader: 'jsx' })
    const [, names = ''] = /import \{ ([^}]+) \} from 'sidegate\/client'/.exec(text) ?? []
    for (const name of names.split(', ')) expect(Object.keys(client)).toContain(name)
  }
})

test('the table of options names each option, and no other', () => {
  const source = readFileSync(fileURLToPath(new URL('../../src/client/client.ts', import.meta.url)), 'utf8')
  const [, options = ''] = /interface RefreshOptions \{([\s\S]+?)\n\}/.exec(source) ?? []
  const names = [...options.matchAll(/readonly (\w+)\?:/g)].map(([, name]) => name)
  const listed = [...chapter.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name)
  expect(listed).toEqual(names)
})

test('the first example signs in, asks, and leaves for the sign-in when the session is over', async () => {
  const [first = ''] = examples
  const values = new Map<string, string>()
  const answers = [
    Response.json({ token: 'a.b.c' }),
    Response.json(['an order']),
    new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }),
  ]
  const asked: (string | null)[] = []
  const location = { origin: 'https://app.example.com', assign: vi.fn() }
  const surroundings = {
    location,
    withRefresh: client.withRefresh,
    fetch: async (_: unknown, init?: RequestInit) => {
      asked.push(new Headers(init?.headers).get('authorization'))
      return answers.shift()
    },
    localStorage: {
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => values.set(key, value),
      removeItem: (key: string) => values.delete(key),
    },
  }
  vi.stubGlobal('location', location)
  vi.stubGlobal(
    'Request',
    class extends Request {
      constructor(input: string) {
        super(new URL(input, location.origin))
      }
    },
  )
  const body = `${first.replace(/^import.*$/m, '').replaceAll('export ', '')}; return { signIn, orders, api }`
  const example = new Function(...Object.keys(surroundings), body)(...Object.values(surroundings))
  await example.signIn('alice', 'secret')
  expect(await example.orders()).toEqual(['an order'])
  await example.api('/orders')
  vi.unstubAllGlobals()
  expect(asked).toEqual([null, 'Bearer a.b.c', 'Bearer a.b.c'])
  expect(location.assign.mock.calls).toEqual([['/sign-in?because=invalid_token']])
})
