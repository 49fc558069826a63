// Which servers are asked through a proxy, for each setting and each variable that names one.
import { describe, expect, it } from 'vitest'
import { createProxyChoice, proxyWarnings, withoutCredentials } from '../../src/assembly/proxy-choice.ts'

const PROXY = 'http://proxy.example.com:3128'
const wayTo = (url: string, environment: Record<string, string> = {}, setting = PROXY) =>
  createProxyChoice(setting, environment)(new URL(url))

describe('what is never proxied', () => {
  for (const url of [
    ...['http://127.0.0.1:9000/jwks', 'http://127.8.8.8/jwks', 'https://[::1]/jwks', 'https://localhost/jwks'],
    ...['https://keycloak/realms/a', 'https://KEYCLOAK./realms/a', 'https://keycloak.auth.svc/realms/a'],
    ...['https://keycloak.auth.svc.cluster.local/', 'https://keycloak.auth.svc.cluster.local./'],
  ])
    it(url, () => expect(wayTo(url)).toBeUndefined())

  it('the API server of the cluster', () => {
    const cluster = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    expect(wayTo('https://10.96.0.1/openid/v1/jwks', cluster)).toBeUndefined()
    expect(wayTo('https://10.96.0.2/openid/v1/jwks', cluster)).toBe(PROXY)
    expect(wayTo('https://[fd00::1]/', { KUBERNETES_SERVICE_HOST: 'fd00:0::1' })).toBeUndefined()
  })

  const rules: [rule: string, url: string, isDirect: boolean][] = [
    ['*', 'https://id.example.com/', true],
    ['example.com', 'https://example.com/', true],
    ['example.com', 'https://id.EXAMPLE.com/', true],
    ['.example.com', 'https://id.example.com/', true],
    ['*.example.com', 'https://id.example.com/', true],
    ['example.com', 'https://badexample.com/', false],
    ['example.com', 'https://example.com.evil.org/', false],
    ['id.example.com:8443', 'https://id.example.com:8443/', true],
    ['id.example.com:8443', 'https://id.example.com/', false],
    ['id.example.com:443', 'https://id.example.com/', true],
    ['10.0.0.0/8', 'https://10.1.2.3/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/8', 'https://id.example.com/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['[fd00::]/8', 'https://[fe80::1]/', false],
    ['192.0.2.7', 'https://192.0.2.7:8443/', true],
    ['192.0.2.7:8443', 'https://192.0.2.7/', false],
    ['2001:db8::1', 'https://[2001:DB8:0::1]/', true],
    ['[2001:db8::1]:443', 'https://[2001:db8::1]/', true],
    ['one.example, two.example  id.example.com', 'https://id.example.com/', true],
    ['10.0.0.0/99', 'https://10.1.2.3/', false],
  ]
  for (const [rule, url, isDirect] of rules)
    it(`${isDirect ? 'NO_PROXY' : 'not by NO_PROXY'} ${rule}: ${url}`, () => {
      expect(wayTo(url, { NO_PROXY: rule })).toBe(isDirect ? undefined : PROXY)
      expect(wayTo(url, { no_proxy: rule, HTTPS_PROXY: PROXY }, 'env')).toBe(isDirect ? undefined : PROXY)
    })
})

describe('the setting', () => {
  const all = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'http://plain:2' }

  it('"env" goes by the variable of the scheme, the name in small letters first, and by no empty one', () => {
    expect(wayTo('https://id.example.com/', all, 'env')).toBe('http://secure:1')
    expect(wayTo('http://id.example.com/', all, 'env')).toBe('http://plain:2')
    expect(wayTo('https://id.example.com/', { ...all, https_proxy: 'http://small:3' }, 'env')).toBe('http://small:3')
    expect(wayTo('https://id.example.com/', { ...all, https_proxy: ' ' }, 'env')).toBe('http://secure:1')
    expect(wayTo('https://id.example.com/', { HTTP_PROXY: PROXY }, 'env')).toBeUndefined()
  })

  it('"none" uses no proxy, whatever the variables say; a URL is used whatever they say', () => {
    expect(wayTo('https://id.example.com/', all, 'none')).toBeUndefined()
    expect(wayTo('https://id.example.com/', all)).toBe(PROXY)
  })

  it('takes a variable without a scheme for http, as curl does', () => {
    expect(wayTo('https://id.example.com/', { https_proxy: 'u:p@proxy:3128' }, 'env')).toBe('http://u:p@proxy:3128')
  })
})

describe('a variable that holds no proxy', () => {
  const secret = { HTTPS_PROXY: 'socks5://user:hunter2@proxy:1080' }

  it('is said without its value, and never means the direct way', () => {
    const choose = createProxyChoice('env', secret)
    expect(() => choose(new URL('https://id.example.com/'))).toThrow(
      /^Cannot use the proxy of HTTPS_PROXY: Expected a proxy that is spoken to by http or https/,
    )
    expect(() => choose(new URL('https://id.example.com/'))).not.toThrow('hunter2')
    expect(choose(new URL('https://localhost/'))).toBeUndefined()
  })

  it('is a warning of check, unless it is not asked for', () => {
    expect(proxyWarnings('env', secret)).toEqual([
      {
        where: 'HTTPS_PROXY',
        message: expect.stringContaining('Expected a proxy that is spoken to by http or https'),
        hint: 'or set "outbound.proxy: none"',
      },
    ])
    expect(JSON.stringify(proxyWarnings('env', secret))).not.toContain('hunter2')
    expect(proxyWarnings('none', secret)).toEqual([])
    expect(proxyWarnings('env', { HTTPS_PROXY: PROXY })).toEqual([])
  })
})

it('a proxy is shown without user and password', () => {
  expect(withoutCredentials('http://user:hunter2@proxy:3128')).toBe('http://proxy:3128')
  expect(withoutCredentials('http://token@proxy:3128')).toBe('http://proxy:3128')
})
