// Every rule of the message gate, as bytes against a listening proxy: what is refused never reaches the application, and
// the connection on which it came is closed.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type RawOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'

let origin: RawOrigin
let proxy: TestProxy

beforeAll(async () => {
  origin = await startRawOrigin()
  proxy = await startProxy(origin.url, { limits: { bodyBytes: 1_000 } })
})
afterAll(async () => {
  await proxy.close()
  await origin.close()
})
beforeEach(() => {
  origin.received.length = 0
  proxy.outcomes.length = 0
})

const get = (headers: string, target = '/', line = 'HTTP/1.1'): string => `GET ${target} ${line}\r\n${headers}\r\n`
const host = 'Host: app.example\r\n'

const refused: Record<string, [bytes: string, status: number]> = {
  // holds: h1spec
  'no Host': [get(''), 400],
  'an empty Host': [get('Host:\r\n'), 400],
  // holds: hosts-that-are-none
  'two Hosts, even the same': [get(host + host), 400],
  // holds: hosts-that-are-none
  'a Host with a user': [get('Host: user@app.example\r\n'), 400],
  'a Host with a path': [get('Host: app.example/admin\r\n'), 400],
  'a Host with a list': [get('Host: app.example, other.example\r\n'), 400],
  'a Host with a port that is no number': [get('Host: app.example:http\r\n'), 400],
  'a Host with a port beyond 65535': [get('Host: app.example:65536\r\n'), 400],
  'a Host with an empty port': [get('Host: app.example:\r\n'), 400],
  // holds: hosts-that-are-none
  'a Host with an IPv6 zone': [get('Host: [fe80::1%25eth0]\r\n'), 400],
  'a Host with a broken IPv6 address': [get('Host: [1::2::3]\r\n'), 400],
  'a Host with a quote': [get('Host: app"example\r\n'), 400],
  'a header before the request line ends in a space': [get('Host : app.example\r\n'), 400],
  'a target with a fragment': [get(host, '/admin#/public'), 400],
  'a target with an 8-bit byte': [get(host, '/caf\xe9'), 400],
  'a target with a tab': [get(host, '/a\tb'), 400],
  'a target that is no path': [get(host, 'admin'), 400],
  'a target of another scheme': [get(host, 'ftp://app.example/'), 400],
  'an absolute target with a user': [get(host, 'http://user@app.example/'), 400],
  'GET *': [get(host, '*'), 400],
  // holds: options-connect
  'OPTIONS *': [`OPTIONS * HTTP/1.1\r\n${host}\r\n`, 405],
  // holds: trace-and-loops
  TRACE: [`TRACE / HTTP/1.1\r\n${host}\r\n`, 405],
  // holds: options-connect
  CONNECT: [`CONNECT app.example:443 HTTP/1.1\r\n${host}\r\n`, 405],
  // holds: trace-and-loops
  'OPTIONS with Max-Forwards 0': [`OPTIONS / HTTP/1.1\r\n${host}Max-Forwards: 0\r\n\r\n`, 405],
  'version 2.0 on the request line': [get(host, '/', 'HTTP/2.0'), 400],
  'version 1.2': [get(host, '/', 'HTTP/1.2'), 400],
  // holds: other-protocols
  'the HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  // holds: other-protocols
  'a TLS hello': ['\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', 400],
  // holds: http11probe
  'Transfer-Encoding beside Content-Length': [
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    400,
  ],
  'Content-Length beside Transfer-Encoding': [
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  // holds: transfer-encoding-beside-length
  'two Transfer-Encodings': [
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  // holds: payloads-of-http-garden
  'Transfer-Encoding ",chunked"': [`POST / HTTP/1.1\r\n${host}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`, 400],
  'Transfer-Encoding "chunked,"': [`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n`, 400],
  'Transfer-Encoding "identity"': [`POST / HTTP/1.1\r\n${host}Transfer-Encoding: identity\r\n\r\n`, 400],
  'Transfer-Encoding "gzip, chunked"': [
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  // holds: transfer-encoding-beside-length
  'an empty Transfer-Encoding': [`POST / HTTP/1.1\r\n${host}Transfer-Encoding:\r\n\r\n`, 400],
  // holds: transfer-encoding-beside-length
  'Transfer-Encoding in HTTP/1.0': [`POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  // holds: content-length-in-every-form
  'Content-Length with leading zeros': [`POST / HTTP/1.1\r\n${host}Content-Length: 005\r\n\r\nhello`, 400],
  'Content-Length with a sign': [`POST / HTTP/1.1\r\n${host}Content-Length: +5\r\n\r\nhello`, 400],
  'Content-Length in hexadecimal': [`POST / HTTP/1.1\r\n${host}Content-Length: 0x5\r\n\r\nhello`, 400],
  'Content-Length as a list': [`POST / HTTP/1.1\r\n${host}Content-Length: 5, 5\r\n\r\nhello`, 400],
  // holds: content-length-in-every-form
  'Content-Length twice': [`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400],
  'an empty Content-Length': [`POST / HTTP/1.1\r\n${host}Content-Length:\r\n\r\n`, 400],
  'Content-Length beyond what a number can hold': [
    `POST / HTTP/1.1\r\n${host}Content-Length: 9007199254740993\r\n\r\n`,
    400,
  ],
  // holds: content-length-in-every-form
  'Content-Length of 2^64': [`POST / HTTP/1.1\r\n${host}Content-Length: 18446744073709551616\r\n\r\n`, 400],
  'a body longer than the bound': [`POST / HTTP/1.1\r\n${host}Content-Length: 1001\r\n\r\n`, 413],
  // holds: headers-may-stand-once
  'a Content-Type twice': [get(`${host}Content-Type: a/b\r\ncontent-type: c/d\r\n`), 400],
  // holds: headers-may-stand-once
  'a Cookie twice': [get(`${host}Cookie: a=1\r\nCookie: b=2\r\n`), 400],
  'an If-Range twice': [get(`${host}If-Range: "a"\r\nIf-Range: "b"\r\n`), 400],
  // holds: bare-cr-lf-nul
  'a bare CR in a value': [get(`${host}X-A: a\rX-B: b\r\n`), 400],
  // holds: bare-cr-lf-nul
  'a NUL in a value': [get(`${host}X-A: a\0b\r\n`), 400],
  'a vertical tab in a value': [get(`${host}X-A: a\x0bb\r\n`), 400],
  // holds: bare-cr-lf-nul
  'a folded value': [get(`${host}X-A: a\r\n b\r\n`), 400],
  'a name that is no token': [get(`${host}X(A): a\r\n`), 400],
  'Connection that names Host': [get(`${host}Connection: close, Host\r\n`), 400],
  'Connection that names Authorization': [get(`${host}Connection: authorization\r\n`), 400],
  'Connection that names Content-Length': [get(`${host}Connection: content-length\r\n`), 400],
  // holds: connection-names-our-headers
  'Connection that names an identity header': [get(`${host}Connection: keep-alive, X-AUTH-Subject\r\n`), 400],
  'Connection that names the refresh header': [get(`${host}Connection: x-refreshed-token\r\n`), 400],
  'Connection that names a forwarding header': [get(`${host}Connection: X-Forwarded-For\r\n`), 400],
  'Connection that names an identity header in another spelling': [get(`${host}Connection: X.Auth.Subject\r\n`), 400],
  'Connection that names a forwarding header in another spelling': [get(`${host}Connection: X_Forwarded_For\r\n`), 400],
  'Connection that names the certificate of the client': [get(`${host}Connection: X-SSL-Client-Verify\r\n`), 400],
  'two Connections of which the second names Cookie': [get(`${host}Connection: close\r\nConnection: cookie\r\n`), 400],
  'Connection that is no list of names': [get(`${host}Connection: a b\r\n`), 400],
  // holds: desynchronisation-by-expect
  'an unknown expectation': [`POST / HTTP/1.1\r\n${host}Expect: y 100-continue\r\nContent-Length: 5\r\n\r\n`, 417],
  // holds: too-many-headers
  '101 headers': [get(host + 'a: b\r\n'.repeat(100)), 431],
  // holds: too-many-headers
  'a header of 20 KiB': [get(`${host}X-A: ${'a'.repeat(20_000)}\r\n`), 431],
  // holds: flood-headers-hides-framing
  '1,300 tiny headers that hide a Content-Length (CVE-2026-58044)': [
    `POST / HTTP/1.1\r\n${host}${'a:\r\n'.repeat(1_300)}Content-Length: 39\r\n\r\nGET /admin HTTP/1.1\r\nHost: app.example\r\n\r\n`,
    431,
  ],
}

for (const [sentence, [bytes, status]] of Object.entries(refused)) {
  test(`refuses ${sentence}`, async () => {
    // What follows a refused message must not be served: it may be the inside of that message
    const text = await exchangeRaw(proxy.port, `${bytes}GET /smuggled HTTP/1.1\r\n${host}\r\n`)
    expect(statuses(text)).toEqual([status])
    expect(text).toMatch(/connection: close/i)
    expect(text).toContain('"type":"urn:sidegate:refusal:')
    expect(origin.text()).toBe('')
    expect(proxy.outcomes).toHaveLength(1)
    expect(proxy.outcomes[0]?.status).toBe(status)
  })
}

// holds: headers-may-stand-once
test('two Authorization headers are refused as two tokens', async () => {
  const text = await exchangeRaw(proxy.port, get(`${host}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n`))
  expect(text).toContain('urn:sidegate:refusal:token_multiple')
  expect(origin.text()).toBe('')
})

test('405 says which methods there are', async () => {
  expect(await exchangeRaw(proxy.port, `TRACE / HTTP/1.1\r\n${host}\r\n`)).toMatch(/^allow: GET, HEAD, POST/m)
})

const taken: Record<string, [bytes: string, firstLine: string]> = {
  'a Host with a port': [get('Host: app.example:8080\r\n'), 'GET / HTTP/1.1\r\nhost: app.example:8080\r\n'],
  'a Host that is an IPv6 address': [get('Host: [::1]:8080\r\n'), 'GET / HTTP/1.1\r\nhost: [::1]:8080\r\n'],
  'an absolute target, whose authority replaces Host': [
    get(host, 'http://Other.example:81/a?b'),
    'GET /a?b HTTP/1.1\r\nhost: Other.example:81\r\n',
  ],
  'an absolute target without a path': [
    get(host, 'http://other.example?b'),
    'GET /?b HTTP/1.1\r\nhost: other.example\r\n',
  ],
  'HTTP/1.0 with a Host': [get(host, '/', 'HTTP/1.0'), 'GET / HTTP/1.1\r\nhost: app.example\r\n'],
  'HTTP/1.0 without a Host, as load balancers check': [get('', '/', 'HTTP/1.0'), 'GET / HTTP/1.1\r\nhost: 127.0.0.1:'],
  'a method that is extended': [`PROPFIND / HTTP/1.1\r\n${host}\r\n`, 'PROPFIND / HTTP/1.1\r\nhost: app.example\r\n'],
  'exactly 100 headers': [get(host + 'a: b\r\n'.repeat(99)), 'GET / HTTP/1.1\r\nhost: app.example\r\n'],
  'names that mean something to JavaScript': [
    get(`${host}__proto__: a\r\nconstructor: b\r\ntoString: c\r\n`),
    'GET / HTTP/1.1\r\nhost: app.example\r\n',
  ],
}

for (const [sentence, [bytes, firstLine]] of Object.entries(taken)) {
  test(`takes ${sentence}`, async () => {
    const client = rawClient(proxy.port)
    client.send(bytes)
    await client.until((text) => text.endsWith('ok'))
    client.socket.destroy()
    expect(origin.text().startsWith(firstLine), origin.text()).toBe(true)
  })
}

const targets = [
  '//a//b',
  '/a/../b',
  '/a%2fb',
  '/a\\b',
  '/a;b=c',
  '/a?b#'.slice(0, 4),
  '/?',
  '/a?',
  '/a?x=/../y',
  '/%00',
  '/a\'b(c)*|{}^`<>"',
]

for (const target of targets) {
  // holds: path-judged-another-sent
  test(`forwards the target ${target} byte for byte`, async () => {
    const client = rawClient(proxy.port)
    client.send(get(host, target))
    await client.until((text) => text.endsWith('ok'))
    client.socket.destroy()
    expect(origin.text().split(' ')[1]).toBe(target)
  })
}
