// Which routes are asked? Held against a plain model of the sentence in docs/security.md: the first route that matches to the
// letter, and every route before it that asks for something and matches leniently. Over many sets of routes and spellings.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRoutes, type Route, type RoutePolicy } from '../../src/gate/routes.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { fuzz } from '../support/fuzz.ts'
import { verifiedToken } from '../support/tokens.ts'

type Rule = Pick<RoutePolicy, 'path' | 'methods' | 'access'>

/** Names that some app takes for one another, and some that stay different. */
const names = [
  ...['admin', 'ADMIN', 'Admin', 'admın', 'ADMİN', 'ａｄｍｉｎ', 'admin.json', 'admin.', 'admin '],
  ...[
    'secret',
    'ſecret',
    'Secret',
    'kilo',
    '\u212ailo',
    'straße',
    'STRASSE',
    'strasse',
    'STRAẞE',
    'ΟΔΟΣ',
    'οδος',
    'οδοσ',
  ],
  ...['caf\u00e9', 'cafe\u0301', 'CAFÉ', 'ﬁle', 'FILE', 'a／admin', '．．', 'admin；x', 'admin？x', '５', '5'],
]
const name = fc.constantFrom(...names)
const tail = fc.constantFrom('', '', '/')
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'get', 'Post', 'PROPFIND')

const rule: fc.Arbitrary<Rule> = fc
  .record({
    segments: fc.array(fc.oneof({ weight: 4, arbitrary: name }, fc.constantFrom('{id}', '{name}')), { maxLength: 3 }),
    end: fc.constantFrom('', '/', '/*', '/*'),
    methods: fc.option(fc.subarray(['GET', 'HEAD', 'POST'], { minLength: 1 }), { nil: undefined }),
    access: fc.constantFrom('public' as const, 'token' as const),
  })
  .map(({ segments, end, methods, access }) => ({
    path: segments.length === 0 && end === '' ? '/' : `${segments.map((one) => `/${one}`).join('')}${end}`,
    methods,
    access,
  }))
const rules = fc.array(rule, { maxLength: 5 })
const path = fc
  .tuple(fc.array(name, { maxLength: 3 }), tail)
  .map(([segments, end]) => (segments.length === 0 ? '/' : `${segments.map((one) => `/${one}`).join('')}${end}`))

const encoded = (decoded: string) => decoded.split('/').map(encodeURIComponent).join('/')

/** Each route that asks for something asks for a scope of its own, so that what is asked can be read from outside. */
const scopeOf = (index: number) => `route-${index}`
const policiesOf = (given: readonly Rule[]): RoutePolicy[] =>
  given.map((one, index) => (one.access === 'public' ? one : { ...one, scopes: [scopeOf(index)] }))

function routeFor(given: readonly Rule[], asked: string, by: string): Route {
  const route = createRoutes(policiesOf(given))({ method: by, path: encoded(asked), query: '', headers: [] })
  if (isRefusal(route)) throw new Error(`${asked} is ${route.reason}`)
  return route
}

/** The places of the routes whose scope the request needs. */
function asked(route: Route, count: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index)
  return all.filter((left) => {
    const scope = all.filter((index) => index !== left).map(scopeOf)
    return route.lacks(verifiedToken({ scope: scope.join(' ') })) !== undefined
  })
}

const matches = (pattern: string, decoded: string): boolean => {
  const isPrefix = pattern.endsWith('/*')
  const wanted = (isPrefix ? pattern.slice(0, -2) : pattern).split('/')
  const given = decoded.split('/')
  if (isPrefix ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((one, index) => (/^\{.*\}$/.test(one) ? given[index] !== '' : one === given[index]))
}
const coversMethod = (methods: readonly string[] | undefined, by: string) =>
  methods === undefined || methods.includes(by) || (by === 'HEAD' && methods.includes('GET'))
const literally = (one: Rule, decoded: string, by: string) =>
  matches(one.path, decoded) && coversMethod(one.methods, by)

const fold = (text: string) => text.normalize('NFKC').toUpperCase().toLowerCase()
const withoutSlash = (text: string) => (text.endsWith('/') && text !== '/' ? text.slice(0, -1) : text)
const leniently = (one: Rule, decoded: string, by: string) =>
  matches(withoutSlash(fold(one.path)), withoutSlash(fold(decoded))) && coversMethod(one.methods, by.toUpperCase())

/** The places of the routes that the sentence asks, or `none` where nothing is asked. */
function model(given: readonly Rule[], decoded: string, by: string): { isPublic: boolean; places: number[] } {
  const first = given.findIndex((one) => literally(one, decoded, by))
  const before = given.slice(0, first === -1 ? given.length : first)
  const places = before.flatMap((one, index) => (one.access === 'token' && leniently(one, decoded, by) ? [index] : []))
  if (given[first]?.access === 'token') places.push(first)
  return { isPublic: given[first]?.access === 'public' && places.length === 0, places }
}

/** What this gate reads in more ways than the sentence says: names that end in a dot, İ and ẞ, and what folding makes of odd signs. */
const mayAskMore = (decoded: string) => /[\\;%?#$]|\/\/|[. ](?:\/|$)|i\u0307|ß/.test(fold(decoded))

fuzz(
  // holds: methods-in-other-spellings
  'what is asked is what a plain model asks',
  8_000,
  fc.property(rules, path, method, (given, decoded, by) => {
    const route = routeFor(given, decoded, by)
    const expected = model(given, decoded, by)
    const found = asked(route, given.length)
    if ([decoded, ...given.map(({ path: own }) => own)].some(mayAskMore)) {
      expect(found).toEqual(expect.arrayContaining(expected.places))
      if (route.isPublic) expect(expected.isPublic).toBe(true)
    } else expect({ isPublic: route.isPublic, places: found }).toEqual(expected)
  }),
)

fuzz(
  // holds: letter-case-past-rule
  'leniency never admits what the letter refuses',
  8_000,
  fc.property(rules, path, method, fc.array(fc.nat(4)), (given, decoded, by, held) => {
    const route = routeFor(given, decoded, by)
    const literal = given.find((one) => literally(one, decoded, by))
    if (literal?.access !== 'public') expect(route.isPublic).toBe(false)
    if (literal?.access !== 'token' || route.isPublic) return
    const place = given.indexOf(literal)
    if (!held.includes(place)) {
      const token = verifiedToken({ scope: held.map(scopeOf).join(' ') })
      expect(route.lacks(token)).toMatchObject({ reason: 'scope_insufficient' })
    }
  }),
)

fuzz(
  'one more route that asks for something never makes a request ask for less',
  4_000,
  fc.property(rules, rule, path, method, (given, more, decoded, by) => {
    const longer = [{ ...more, access: 'token' as const }, ...given]
    const before = asked(routeFor(given, decoded, by), given.length)
    const after = routeFor(longer, decoded, by)
    if (literally(more, decoded, by)) return
    expect(asked(after, longer.length)).toEqual(expect.arrayContaining(before.map((index) => index + 1)))
    if (!routeFor(given, decoded, by).isPublic) expect(after.isPublic).toBe(false)
  }),
)

test('the model tells spellings apart that the letter does', () => {
  const given: Rule[] = [
    { path: '/admin/*', access: 'token', methods: undefined },
    { path: '/*', access: 'public', methods: undefined },
  ]
  expect(model(given, '/ADMİN', 'GET')).toMatchObject({ isPublic: true })
  expect(model(given, '/ａｄｍｉｎ/x', 'get')).toEqual({ isPublic: false, places: [0] })
  expect(asked(routeFor(given, '/ADMİN', 'GET'), 2)).toEqual([0])
})
