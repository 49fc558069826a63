// GHSA-7rh7-c77v-6434, GHSA-pxq7-h93f-9jrg: the rule was held against the query or the fragment, not the path alone.
import { expect, test } from 'vitest'
import { setStage } from '../support/advisory.ts'

const { tryLines, app } = setStage('routes: [{ path: /public/*, access: public }]\n')

// holds: query-fragment-absolute-form
test('a public path in the query, the fragment or the authority opens no protected one', async () => {
  const targets = ['/admin?/public/', '/admin?x=/public/y', 'http://public/admin', '/admin/public/x']
  for (const target of targets)
    expect(await tryLines(`GET ${target} HTTP/1.1`)).toMatch(/^HTTP\/1\.1 401 [\s\S]*token_missing/)
  expect(await tryLines('GET /admin#/public/ HTTP/1.1')).toMatch(/^HTTP\/1\.1 400 /)
  expect(app().seen).toEqual([])
})
