import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/model/refusal.ts'
import { createRoutes, type RoutePolicy } from '../../src/route/routes.ts'
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
    ['/healthz', 'HEAD', NO_RULE],
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
