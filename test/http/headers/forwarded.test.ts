import { expect, test } from 'vitest'
import { addForwardingLines, type ForwardedFields, noForwardedFields } from '../../../src/http/headers/forwarded.ts'

const hop = { peer: '10.0.0.9', host: 'app.svc', scheme: 'http' } as const
const ours = 'for=10.0.0.9;host="app.svc";proto=http'

/** The lines for the app by their name; without fields no trusted proxy said anything. */
function linesFor(fields?: Partial<ForwardedFields>, at: Partial<typeof hop> | Record<string, string> = {}) {
  const lines: string[] = []
  addForwardingLines(lines, fields && { ...noForwardedFields(), ...fields }, { ...hop, ...at } as typeof hop)
  return Object.fromEntries(lines.flatMap((name, i) => (i % 2 === 0 ? [[name, lines[i + 1]]] : [])))
}

const untold = {
  'x-forwarded-for': '10.0.0.9',
  'x-forwarded-proto': 'http',
  'x-forwarded-host': 'app.svc',
  'x-forwarded-port': '80',
  forwarded: ours,
}

const stories: Record<string, [fields: Partial<ForwardedFields> | undefined, host: string, expected: object]> = {
  'no trusted proxy: our own hop': [undefined, 'app.svc', untold],
  'a trusted proxy that says nothing: our own hop': [{}, 'app.svc', untold],
  'our own hop with a port': [
    undefined,
    'app.svc:8080',
    {
      ...untold,
      'x-forwarded-host': 'app.svc:8080',
      'x-forwarded-port': '8080',
      forwarded: ours.replace('svc', 'svc:8080'),
    },
  ],
  'https and nothing else: its port is 443': [
    { proto: 'https' },
    'api.example.com',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-port': '443',
      forwarded: 'for=10.0.0.9;host="api.example.com";proto=https',
    },
  ],
  'a host with a port: that port': [
    { proto: 'https', host: 'h:8443', for: '1.2.3.4' },
    'app.svc',
    {
      'x-forwarded-for': '1.2.3.4, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'h:8443',
      'x-forwarded-port': '8443',
      forwarded: `for=1.2.3.4;host="h:8443";proto=https, ${ours}`,
    },
  ],
  'a host with a port and another port: that of the host': [
    { proto: 'https', host: 'h:8443', port: '443' },
    'app.svc',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'h:8443',
      'x-forwarded-port': '8443',
      forwarded: 'for=10.0.0.9;host="h:8443";proto=https',
    },
  ],
  'a port beside a host without one: Forwarded has no other place for it than the host': [
    { proto: 'https', host: 'h', port: '8443' },
    'app.svc',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'h',
      'x-forwarded-port': '8443',
      forwarded: 'for=10.0.0.9;host="h:8443";proto=https',
    },
  ],
  'a port beside a Host that the proxy wrote: the port of the client': [
    { proto: 'https', port: '443', for: '1.2.3.4' },
    'app.svc:8080',
    {
      'x-forwarded-for': '1.2.3.4, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'app.svc',
      'x-forwarded-port': '443',
      forwarded: 'for=1.2.3.4;host="app.svc";proto=https, for=10.0.0.9;host="app.svc:8080";proto=http',
    },
  ],
  'Forwarded alone goes on, and says the same in X-Forwarded-*': [
    { forwarded: 'for=1.2.3.4;proto=https;host="shop.example:8443";by=_edge, for="[2001:db8::1]:4711"' },
    'app.svc',
    {
      'x-forwarded-for': '1.2.3.4, 2001:db8::1, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example:8443',
      'x-forwarded-port': '8443',
      forwarded: `for=1.2.3.4;proto=https;host="shop.example:8443";by=_edge, for="[2001:db8::1]:4711", ${ours}`,
    },
  ],
  'Forwarded in capitals, with a host that is not quoted, of somebody hidden': [
    { forwarded: 'For=_hidden;Proto=HTTPS;Host=shop.example:8443' },
    'app.svc',
    {
      'x-forwarded-for': 'unknown, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example:8443',
      'x-forwarded-port': '8443',
      forwarded: `For=_hidden;Proto=HTTPS;Host=shop.example:8443, ${ours}`,
    },
  ],
  // holds: forwarding-headers-contradict
  'Forwarded beside X-Forwarded-*: those count, as many proxies pass on a Forwarded of the client': [
    { forwarded: 'for=6.6.6.6;proto=http;host=evil.example', proto: 'https', for: '1.2.3.4', host: 'shop.example' },
    'app.svc',
    {
      'x-forwarded-for': '1.2.3.4, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-port': '443',
      forwarded: `for=1.2.3.4;host="shop.example";proto=https, ${ours}`,
    },
  ],
  'Forwarded beside X-Forwarded-For alone says what that does not': [
    { forwarded: 'for=1.2.3.4;proto=https;host=shop.example', for: '1.2.3.4' },
    'app.svc',
    {
      'x-forwarded-for': '1.2.3.4, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-port': '443',
      forwarded: `for=1.2.3.4;host="shop.example";proto=https, ${ours}`,
    },
  ],
  'a Forwarded that cannot be read says nothing': [{ forwarded: 'for="1.2.3.4;proto=https' }, 'app.svc', untold],
  'a Forwarded that says a thing twice says nothing': [{ forwarded: 'proto=https;proto=http' }, 'app.svc', untold],
  'several values: the first, which is the one of the client': [
    { proto: 'https, http', host: 'shop.example, inner.example', port: '443, 80', for: '1.2.3.4, 10.0.0.1' },
    'app.svc',
    {
      'x-forwarded-for': '1.2.3.4, 10.0.0.1, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-port': '443',
      forwarded: `for=1.2.3.4;host="shop.example";proto=https, for=10.0.0.1, ${ours}`,
    },
  ],
  'the words of other proxies for https': [
    { scheme: 'https', ssl: 'on' },
    'app.svc',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'app.svc',
      'x-forwarded-port': '443',
      'x-forwarded-scheme': 'https',
      'x-forwarded-ssl': 'on',
      forwarded: 'for=10.0.0.9;host="app.svc";proto=https',
    },
  ],
  'what contradicts X-Forwarded-Proto is brought in line with it': [
    { proto: 'http', scheme: 'https', ssl: 'on' },
    'app.svc',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'app.svc',
      'x-forwarded-port': '80',
      'x-forwarded-scheme': 'http',
      'x-forwarded-ssl': 'off',
      forwarded: 'for=10.0.0.9;host="app.svc";proto=http',
    },
  ],
  'a WebSocket in the words of Traefik': [
    { proto: 'wss', host: 'shop.example' },
    'app.svc',
    {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'wss',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-port': '443',
      forwarded: 'for=10.0.0.9;host="shop.example";proto=wss',
    },
  ],
  'addresses of IPv6, and such with ports, are quoted': [
    { for: '2001:db8::1, [2001:db8::2]:80, 1.2.3.4:5' },
    'app.svc',
    {
      ...untold,
      'x-forwarded-for': '2001:db8::1, [2001:db8::2]:80, 1.2.3.4:5, 10.0.0.9',
      forwarded: `for="[2001:db8::1]", for="[2001:db8::2]:80", for="1.2.3.4:5", ${ours}`,
    },
  ],
  'what is no address, no scheme, no host and no port says nothing, and cannot add an element': [
    { for: 'a"b, x;proto=https, 1.2.3.4 5', proto: 'https;for=1', host: 'a"b', port: '0x50' },
    'app.svc',
    {
      ...untold,
      'x-forwarded-for': 'a"b, x;proto=https, 1.2.3.4 5, 10.0.0.9',
      forwarded: `for=unknown, for=unknown, for=unknown, ${ours}`,
    },
  ],
}
for (const [sentence, [fields, host, expected]] of Object.entries(stories)) {
  test(sentence, () => {
    expect(linesFor(fields, { host })).toEqual(expected)
  })
}

test('our own address of IPv6 is in brackets', () => {
  expect(linesFor(undefined, { peer: '::1' }).forwarded).toBe('for="[::1]";host="app.svc";proto=http')
})

test('a client that came over https has the port of https', () => {
  expect(linesFor(undefined, { scheme: 'https' })['x-forwarded-port']).toBe('443')
})

// holds: forwarding-headers-contradict
test('a Forwarded of one megabyte is read in the time of its length', () => {
  const spaces = ' '.repeat(500_000)
  expect(linesFor({ forwarded: `${spaces}x${spaces}` })).toEqual(untold)
  expect(linesFor({ forwarded: `for="${'\\'.repeat(500_000)}` })).toEqual(untold)
})
