import { expect, test } from 'vitest'
import { forwardedValue, type Said } from '../../src/proxy/forwarded.ts'

const hop = { peer: '10.0.0.9', host: 'app.svc', scheme: 'http' } as const
const ours = 'for=10.0.0.9;host="app.svc";proto=http'
const value = (said: Partial<Said>) =>
  forwardedValue({ for: '', proto: '', host: '', port: '', forwarded: '', ...said }, hop)

const cases: Record<string, [said: Partial<Said>, value: string]> = {
  'nothing said: our own hop': [{}, ours],
  'what a proxy said in Forwarded goes on, and ours is the last': [
    { forwarded: 'for=1.2.3.4;proto=https', proto: 'http', for: '5.6.7.8' },
    `for=1.2.3.4;proto=https, ${ours}`,
  ],
  'an ingress that ends TLS and says so in X-Forwarded-* alone: the first element is the client, and https': [
    { for: '1.2.3.4', proto: 'https', host: 'shop.example' },
    `for=1.2.3.4;host="shop.example";proto=https, ${ours}`,
  ],
  'more proxies than one': [
    { for: '1.2.3.4, 10.0.0.1', proto: 'https,http' },
    `for=1.2.3.4;proto=https, for=10.0.0.1, ${ours}`,
  ],
  'a proxy that says nothing about the client': [
    { proto: 'https', host: 'shop.example:8443' },
    'for=10.0.0.9;host="shop.example:8443";proto=https',
  ],
  'addresses of IPv6, and such with ports, are quoted': [
    { for: '2001:db8::1, [2001:db8::2]:80, 1.2.3.4:5' },
    `for="[2001:db8::1]", for="[2001:db8::2]:80", for="1.2.3.4:5", ${ours}`,
  ],
  'what is no address is unknown, and cannot add an element': [
    { for: 'a"b, x;proto=https, 1.2.3.4 5', proto: 'https;for=1', host: 'a"b' },
    `for=unknown, for=unknown, for=unknown, ${ours}`,
  ],
}
for (const [sentence, [said, expected]] of Object.entries(cases)) {
  test(sentence, () => {
    expect(value(said)).toBe(expected)
  })
}

test('our own address of IPv6 is in brackets', () => {
  const said = { for: '', proto: '', host: '', port: '', forwarded: '' }
  expect(forwardedValue(said, { ...hop, peer: '::1' })).toBe('for="[::1]";host="app.svc";proto=http')
})
