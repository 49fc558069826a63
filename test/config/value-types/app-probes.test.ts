// The targets of the app's probes: only this machine, in whatever way it is spelled.
import { describe, expect, test } from 'vitest'
import { configOf, issuersLine, problemsOf } from '../../support/settings.ts'

const withTarget = (target: string) => `admin: { appProbes: { app: { readiness: ${target} } } }\n${issuersLine}`

test('a target is a URL, or a URL with headers, whose names become lower case', () => {
  expect(configOf(withTarget('"http://127.0.0.1:3000/health?full=1"')).admin.appProbes).toEqual({
    app: { readiness: 'http://127.0.0.1:3000/health?full=1' },
  })
  expect(configOf(withTarget('{ url: "https://[::1]:3000/", headers: { X-Probe: yes } }')).admin.appProbes).toEqual({
    app: { readiness: { url: 'https://[::1]:3000/', headers: { 'x-probe': 'yes' } } },
  })
  expect(configOf(issuersLine).admin.appProbes).toEqual({})
})

test('what a pod spec writes as JSON is read', () => {
  const probes = { app: { startup: 'tcp://localhost:3000', liveness: 'http://127.0.0.1:3000/' } }
  const environment = { SIDEGATE_ADMIN_APP_PROBES: JSON.stringify(probes) }
  expect(configOf(issuersLine, { environment }).admin.appProbes).toEqual(probes)
})

describe('a target that is not on this machine, or not one URL, is refused', () => {
  test.each([
    'http://orders:3000/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://127.0.0.1.evil.example/',
    'http://127.0.0.1@evil.example/',
    'http://user:word@127.0.0.1/',
    'http://localhost.evil.example/',
    'http://0.0.0.0:3000/',
    'http://[::ffff:10.0.0.1]/',
    'file:///etc/passwd',
    'unix:///run/app.sock',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:3000/path',
    '127.0.0.1:3000',
    'http://127.0.0.1:3000/#x',
    'http://127.0.0.1:3000/a b',
    'http:\\\\127.0.0.1:3000',
    '',
  ])('%j', (url) => {
    expect(problemsOf(withTarget(JSON.stringify(url)))).toEqual([
      expect.stringContaining('admin.appProbes.app.readiness: Expected a URL of this machine'),
    ])
  })

  test('a header that could not be sent, or end the head of the message', () => {
    for (const headers of ['{ "x y": a }', '{ x: "a\\r\\nhost: b" }'])
      expect(problemsOf(withTarget(`{ url: "http://127.0.0.1:3000/", headers: ${headers} }`)).join()).toContain(
        'Cannot send the header',
      )
  })

  test('the admin port itself, which would ask itself again and again', () => {
    expect(problemsOf(withTarget('"http://127.0.0.1:9090/app-probe/app/readiness"')).join()).toContain(
      'which is "admin.listen" itself',
    )
  })

  test('a container that no pod can have, and a kind that is none', () => {
    const probe = '"http://127.0.0.1:3000/"'
    expect(problemsOf(`admin: { appProbes: { "My App": { readiness: ${probe} } } }\n${issuersLine}`).join()).toContain(
      'Expected the name of a container',
    )
    expect(problemsOf(`admin: { appProbes: { app: { readyness: ${probe} } } }\n${issuersLine}`).join()).toContain(
      'did you mean "readiness"',
    )
  })
})
