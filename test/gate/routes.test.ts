import { describe, expect, it, test } from 'vitest'
import { createRoutes, type RoutePolicy } from '../../src/gate/routes.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { verifiedToken } from '../support/tokens.ts'

const policies: readonly RoutePolicy[] = [
  { path: '/healthz', methods: ['GET'], access: 'public' },
  { path: '/assets/*', access: 'public' },
  { path: '/admin/*', access: 'token', scopes: ['admin', 'write'] },
  { path: '/billing/*', access: 'token', claims: { tenant: ['acme', 'initech'], level: ['3'] } },
]
const routes = createRoutes(policies)
const NO_RULE = 'no rule, so it needs a token'
const find = (path: string, method = 'GET') => routes({ method, path, query: '', headers: [] })

describe('finding the rule for a request', () => {
  const cases: [path: string, method: string, rule: string][] = [
    ['/healthz', 'GET', '/healthz'],
    ['/%68ealthz', 'GET', '/healthz'],
    ['/healthz', 'POST', NO_RULE],
    ['/healthz', 'get', NO_RULE],
    ['/healthz', 'HEAD', '/healthz'],
    ['/healthz/', 'GET', NO_RULE],
    ['/healthz2', 'GET', NO_RULE],
    ['/HEALTHZ', 'GET', NO_RULE],
    ['/assets', 'GET', '/assets/*'],
    ['/assets/', 'GET', '/assets/*'],
    ['/assets/a/b', 'DELETE', '/assets/*'],
    ['/assetsx', 'GET', NO_RULE],
    ['/admin', 'GET', '/admin/*'],
    ['/%61dmin/users', 'GET', '/admin/*'],
    ['/', 'GET', NO_RULE],
  ]
  for (const [path, method, rule] of cases) {
    it(`${method} ${path} is covered by ${rule}`, () => expect(find(path, method)).toMatchObject({ path: rule }))
  }

  it('takes nothing for a preflight where no origin is known', () => {
    const headers = ['origin', 'https://app.example.com', 'access-control-request-method', 'PUT']
    expect(routes({ method: 'OPTIONS', path: '/orders', query: '', headers })).toMatchObject({ isPublic: false })
  })

  it('needs a token where no rule matches', () => expect(find('/orders')).toMatchObject({ isPublic: false }))

  it('does not judge a path that can be read in two ways', () => {
    expect(find('/assets/..%2fadmin')).toMatchObject({ decision: 'refuse', reason: 'path_ambiguous' })
  })
})

describe('a rule that asks for something is asked in every spelling that an app could take for its path', () => {
  const strict = createRoutes([
    { path: '/api/admin/*', access: 'token', scopes: ['admin'] },
    { path: '/report', methods: ['GET'], access: 'token', scopes: ['report'] },
    { path: '/straße', access: 'token', scopes: ['street'] },
    { path: '/users/{id}', access: 'token', scopes: ['users'] },
    { path: '/*', access: 'public' },
  ])
  const scopeFor = (path: string, method = 'GET') => {
    const route = strict({ method, path, query: '', headers: [] })
    if (isRefusal(route)) return route.reason
    if (route.isPublic) return 'public'
    return route.lacks(verifiedToken({}))?.detail
  }
  const asksFor = (scope: string) => `it lacks the scope "${scope}"`

  test.each([
    ['/api/admin/users', 'GET'],
    ['/api/Admin/users', 'GET'],
    ['/API/ADMIN', 'GET'],
    ['/Api/admin/', 'GET'],
    ['/api/adm%C4%B1n/x', 'GET'],
    ['/api/ADM%C4%B0N/x', 'GET'],
    ['/api/%EF%BD%81%EF%BD%84%EF%BD%8D%EF%BD%89%EF%BD%8E', 'GET'],
    ['/api%EF%BC%8Fadmin/x', 'GET'],
    ['/x/%EF%BC%8E%EF%BC%8E/api/admin', 'GET'],
    ['/x/%E2%80%A5/api/admin', 'GET'],
    ['/api%EF%BC%BCadmin', 'GET'],
    ['/api/admin%EF%BC%9Bx/y', 'GET'],
    ['/api/admin%EF%BC%9Fx', 'GET'],
    ['/api%EF%BC%852Fadmin', 'GET'],
    ['/api/admin./users', 'GET'],
    ['/api/admin%20/users', 'GET'],
    ['/api/admin%3Fx', 'GET'],
    ['/api/admin%23x', 'GET'],
    ['/api/admin::$DATA', 'GET'],
  ])('%s needs the scope of /api/admin/*', (path, method) => {
    expect(scopeFor(path, method)).toBe(asksFor('admin'))
  })

  test.each([
    ['GET', '/report'],
    ['HEAD', '/report'],
    ['GET', '/report/'],
    ['HEAD', '/Report'],
    ['get', '/report'],
    ['Head', '/report'],
  ])('%s %s needs the scope of GET /report', (method, path) => {
    expect(scopeFor(path, method)).toBe(asksFor('report'))
  })

  test.each(['/stra%C3%9Fe', '/STRASSE', '/Stra%E1%BA%9Ee', '/%C5%BFtra%C5%BF%C5%BFe'])(
    '%s needs the scope of /straße',
    (path) => expect(scopeFor(path)).toBe(asksFor('street')),
  )

  test.each(['/users/7', '/users/7/', '/Users/A%2Ec', '/users/%20'])('%s needs the scope of /users/{id}', (path) =>
    expect(scopeFor(path)).toBe(asksFor('users')),
  )

  test.each(['/', '/api', '/api/administrators', '/reports', '/users', '/users/', '/users/7/photo', '/a.b/C:d'])(
    '%s stays public',
    (path) => expect(scopeFor(path)).toBe('public'),
  )

  it('asks for what both need where the letter finds another rule that asks', () => {
    const both = createRoutes([
      { path: '/admin', access: 'token', scopes: ['admin'] },
      { path: '/*', access: 'token', scopes: ['user'] },
    ])
    const route = both({ method: 'GET', path: '/ADMIN', query: '', headers: [] })
    if (isRefusal(route)) throw new Error(route.reason)
    expect(route.path).toBe('/admin in another spelling, and /*')
    expect(route.lacks(verifiedToken({ scope: 'user' }))?.detail).toBe(asksFor('admin'))
    expect(route.lacks(verifiedToken({ scope: 'admin' }))?.detail).toBe(asksFor('user'))
    expect(route.lacks(verifiedToken({ scope: 'admin user' }))).toBeUndefined()
  })

  it('asks nothing of rules that come after the one that the letter finds', () => {
    const first = createRoutes([
      { path: '/Admin', access: 'public' },
      { path: '/admin/*', access: 'token' },
    ])
    expect(first({ method: 'GET', path: '/Admin', query: '', headers: [] })).toMatchObject({ isPublic: true })
    expect(first({ method: 'GET', path: '/ADMIN', query: '', headers: [] })).toMatchObject({ isPublic: false })
  })

  it('never takes a public rule for another spelling', () => {
    const open = createRoutes([{ path: '/Public/*', access: 'public' }])
    for (const path of ['/public', '/PUBLIC/x', '/Public/x/..', '/%EF%BC%B0ublic'])
      expect(open({ method: 'GET', path, query: '', headers: [] })).not.toMatchObject({ isPublic: true })
    expect(open({ method: 'get', path: '/Public', query: '', headers: [] })).toMatchObject({ isPublic: true })
  })
})

describe('one segment by name', () => {
  const named = createRoutes([
    { path: '/users/{id}', access: 'public' },
    { path: '/orgs/{org}/repos/{repo}/*', access: 'public' },
  ])
  const isOpen = (path: string) => {
    const route = named({ method: 'GET', path, query: '', headers: [] })
    return !isRefusal(route) && route.isPublic
  }
  test.each(['/users/7', '/users/a%20b', '/users/{id}', '/orgs/a/repos/b', '/orgs/a/repos/b/', '/orgs/a/repos/b/c/d'])(
    '%s is one of them',
    (path) => expect(isOpen(path)).toBe(true),
  )
  test.each(['/users', '/users/', '/users/7/', '/users/7/x', '/orgs/a/repos', '/orgs/a/repos/', '/orgs/a/b/repos/c'])(
    '%s is none of them',
    (path) => expect(isOpen(path)).toBe(false),
  )
})

describe('what a rule asks of a token', () => {
  function lacks(path: string, claims: Record<string, unknown>) {
    const route = find(path)
    if (isRefusal(route)) throw new Error(route.reason)
    return route.lacks(verifiedToken(claims))?.reason
  }
  const cases: [name: string, path: string, claims: Record<string, unknown>, reason: string | undefined][] = [
    ['every scope is there', '/admin/x', { scope: 'read admin write' }, undefined],
    ['one scope is missing', '/admin/x', { scope: 'admin' }, 'scope_insufficient'],
    ['a scope only begins like it', '/admin/x', { scope: 'administrator write' }, 'scope_insufficient'],
    ['there are no scopes', '/admin/x', {}, 'scope_insufficient'],
    ['the claims have allowed values', '/billing/x', { tenant: 'acme', level: 3 }, undefined],
    ['a claim is a list that holds one', '/billing/x', { tenant: ['other', 'initech'], level: '3' }, undefined],
    ['a claim has another value', '/billing/x', { tenant: 'evil', level: 3 }, 'claim_mismatch'],
    ['a claim is missing', '/billing/x', { tenant: 'acme' }, 'claim_mismatch'],
    ['a claim is an object', '/billing/x', { tenant: { acme: true }, level: 3 }, 'claim_mismatch'],
  ]
  for (const [name, path, claims, reason] of cases) {
    it(`${name}: ${reason ?? 'admitted'}`, () => expect(lacks(path, claims)).toBe(reason))
  }
})
