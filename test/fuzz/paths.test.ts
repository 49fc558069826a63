// Is whatever the gate admits by its path the same place for every server that could read it? Held against readers that
// decode, split and normalise in every order.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPath } from '../../src/gate/path.ts'
import { createRoutes } from '../../src/gate/routes.ts'
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
  // holds: encodings-and-normal-forms
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
  // holds: encodings-and-normal-forms
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

test('the readers differ where they should: the model can tell an attack', () => {
  const attacks = ['/public/%252e%252e/admin', '/public/..;/admin', '/public/..\\admin', '/public/..%c0%afadmin']
  for (const attack of attacks) expect(Object.values(pathReaders).some((read) => read(attack) === '/admin')).toBe(true)
})
