// Is whatever the gate admits by its path the same place for every server that could read it? Held against readers that
// decode, split and normalise in every order, and against a plain model of the rules.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPath } from '../../src/route/path.ts'
import { createRoutes, type RoutePolicy } from '../../src/route/routes.ts'
import { fuzz, pieces } from '../support/fuzz.ts'
import { pathReaders } from '../support/path-readers.ts'

const path = fc
  .tuple(
    fc.constantFrom('/public/', '/', '/public', '/admin/', '/admin', ''),
    pieces(
      9,
      ...['/', '/', '..', '.', 'admin', 'public', 'a', 'Admin', '~', ':', '@', '='],
      ...['%2f', '%2F', '%5c', '\\', '%2e', '%2E', '%2e%2e', '%00', '%0a', '%0d%0a', '%09', '%20', '%7f', ';', '%3b'],
      ...['%25', '%', '2', '5', 'f', 'e', '2f', '2e', '%32', '%35', '%66', '%65', '%36%31', '%61', '%u002e'],
      ...['%c0%af', '%c0%ae', '%e0%80%af', '%c3%a9', '%ff', 'é', '\u2215', ' ', '\t', '\0', 'jsessionid=1'],
    ),
  )
  .map((parts) => parts.join(''))

const isPublic = (read: string): boolean => read === '/public' || read.startsWith('/public/')

const routes = createRoutes([
  { path: '/public/*', access: 'public' },
  { path: '/admin/*', access: 'token', scopes: ['admin'] },
])

fuzz(
  'a path that is admitted as public is public for every reader',
  6_000,
  fc.property(path, (raw) => {
    const route = routes({ method: 'GET', path: raw, query: '', headers: [] })
    if ('reason' in route || !route.isPublic) return
    for (const [name, read] of Object.entries(pathReaders)) {
      const place = read(raw)
      if (name === 'as it stands') expect(place.startsWith('/')).toBe(true)
      else expect(`${name}: ${isPublic(place) ? 'public' : place}`).toBe(`${name}: public`)
    }
  }),
)

fuzz(
  'a path that is judged means the same to every reader',
  6_000,
  fc.property(path, (raw) => {
    const decoded = readPath(raw)
    if (decoded === undefined) return
    const expected = Buffer.from(decoded, 'utf8').toString('latin1')
    for (const [name, read] of Object.entries(pathReaders)) {
      if (name !== 'as it stands') expect(`${name} ${read(raw)}`).toBe(`${name} ${expected}`)
    }
  }),
)

const segment = fc.constantFrom('a', 'b', 'A', 'ab', 'a.b', '')
const ruleAndPath = fc.record({
  rules: fc.array(
    fc.record({
      segments: fc.array(segment, { maxLength: 3 }),
      isPrefix: fc.boolean(),
      methods: fc.option(fc.subarray(['GET', 'POST', 'get']), { nil: undefined }),
      access: fc.constantFrom('public' as const, 'token' as const),
    }),
    { maxLength: 4 },
  ),
  segments: fc.array(segment, { maxLength: 4 }),
  method: fc.constantFrom('GET', 'POST', 'get', 'HEAD', 'GETT'),
})

fuzz(
  'the rule that is chosen is the first that a plain model finds, and without one a token is needed',
  3_000,
  fc.property(ruleAndPath, ({ rules, segments, method }) => {
    const policies: RoutePolicy[] = rules.map((rule) => ({
      path: `/${rule.segments.join('/')}${rule.isPrefix ? '/*' : ''}`.replace('//*', '/*'),
      methods: rule.methods,
      access: rule.access,
    }))
    const asked = `/${segments.join('/')}`
    const route = createRoutes(policies)({ method, path: asked, query: '', headers: [] })
    if (asked.includes('//')) {
      expect(route).toMatchObject({ reason: 'path_ambiguous' })
      return
    }
    const first = policies.find(({ path: rule, methods }) => {
      if (methods !== undefined && !methods.some((one) => one === method)) return false
      const parts = rule.split('/')
      const places = asked.split('/')
      if (parts.at(-1) !== '*') return rule === asked
      const fixed = parts.slice(0, -1)
      return fixed.every((part, index) => part === places[index])
    })
    const isFree = 'isPublic' in route && route.isPublic
    expect(isFree).toBe(first?.access === 'public')
  }),
)

test('the readers differ where they should: the model can tell an attack', () => {
  const attacks = ['/public/%252e%252e/admin', '/public/..;/admin', '/public/..\\admin', '/public/..%c0%afadmin']
  for (const attack of attacks) expect(Object.values(pathReaders).some((read) => read(attack) === '/admin')).toBe(true)
})
