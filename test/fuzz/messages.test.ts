// Is whatever the message gate takes exactly one request for a reader that shares nothing with it? Once on what a parser
// may hand over, once as raw bytes through a listening proxy.
import fc from 'fast-check'
import { afterAll, beforeAll, expect } from 'vitest'
import { inspectMessage } from '../../src/http/message.ts'
import { fuzz, pieces } from '../support/fuzz.ts'
import { type RawOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { readRequestStrictly } from '../support/strict-request.ts'

const name = fc.oneof(
  fc.constantFrom('Host', 'Host', 'host', 'Content-Length', 'Transfer-Encoding', 'transfer-encoding', 'Connection'),
  fc.constantFrom(
    'X-A',
    'Cookie',
    'Expect',
    'Upgrade',
    'Content_Length',
    'X-Auth-Subject',
    '',
    'X A',
    'X:',
    'X\0',
    'é',
  ),
)
const value = fc.oneof(
  fc.constantFrom('app.example', 'app.example', '5', '0', '05', '+5', '5, 5', '0x5', '9007199254740993', 'chunked'),
  fc.constantFrom('chunked', 'Chunked', ',chunked', 'chunked, chunked', 'identity', '', 'close', 'host', 'x-a', 'é'),
  pieces(
    4,
    'a',
    ' ',
    '\r',
    '\n',
    '\0',
    '\r\n',
    'Host: b',
    '\x0b',
    'chunked',
    '\u0100',
    ',',
    '100-continue',
    'websocket',
  ),
)
const framing = fc.constantFrom<[string, string]>(
  ...(['5', '0', '05', '5, 5', '+5', ''].map((length) => ['Content-Length', length]) as [string, string][]),
  ...(['chunked', 'CHUNKED', 'chunked', 'x'].map((coding) => ['Transfer-Encoding', coding]) as [string, string][]),
)
const message = fc.record({
  method: fc.constantFrom('GET', 'POST', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'HEAD'),
  target: pieces(
    5,
    '/',
    '/',
    'a',
    '*',
    '#',
    '?',
    ' ',
    '\r\n',
    'http://',
    'app.example',
    '@',
    ':80',
    '\\',
    '\x80',
    '%0d',
  ),
  httpVersion: fc.constantFrom('1.1', '1.1', '1.1', '1.0', '0.9', '2.0'),
  peer: fc.constant('192.0.2.1'),
  rawHeaders: fc
    .array(fc.oneof(framing, framing, fc.tuple(name, value)), { maxLength: 4 })
    .map((lines) => ['Host', 'app.example', ...lines.flat()])
    .chain((lines) => fc.constantFrom(lines, lines, lines.slice(2))),
})
const protectedNames = new Set(['host', 'content-length', 'transfer-encoding'])
const rules = {
  headers: 100,
  bodyBytes: 0,
  isProtected: (name: string) => protectedNames.has(name),
  upstreamAuthority: 'upstream.example',
}

fuzz(
  // holds: random-messages
  'what the message gate takes is one request for a strict reader, with one Host and one framing',
  6_000,
  fc.property(message, (raw) => {
    const taken = inspectMessage(raw, rules)
    if ('reason' in taken) return
    // As it is forwarded: an HTTP/1.0 request may have come without Host
    const lines = [`host: ${taken.host}`]
    for (let at = 0; at < taken.headers.length; at += 2)
      if (taken.headers[at] !== 'host') lines.push(`${taken.headers[at]}: ${taken.headers[at + 1] ?? ''}`)
    const bytes = `${taken.method} ${taken.target} HTTP/${raw.httpVersion}\r\n${lines.join('\r\n')}\r\n\r\n`
    const body = { none: '', length: 'x'.repeat(Math.min(taken.contentLength, 10_000)), chunked: '1\r\na\r\n0\r\n\r\n' }
    if (taken.contentLength > 10_000) return
    expect(readRequestStrictly(bytes + body[taken.framing])).toEqual({ count: 1, problem: undefined })
    const hosts = raw.rawHeaders.filter((_, at) => at % 2 === 0 && /^host$/i.test(raw.rawHeaders[at] ?? ''))
    expect(hosts.length === 1 || (hosts.length === 0 && raw.httpVersion === '1.0')).toBe(true)
  }),
)

let origin: RawOrigin
let proxy: TestProxy
beforeAll(async () => {
  origin = await startRawOrigin((socket, sofar) => {
    if (readRequestStrictly(sofar).count > 0)
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
  })
  proxy = await startProxy(origin.url)
})
afterAll(async () => {
  await proxy.close()
  await origin.close()
})

const wire = fc
  .record({
    first: fc.constantFrom(
      'GET / HTTP/1.1',
      'POST /a HTTP/1.1',
      'POST / HTTP/1.0',
      'GET  / HTTP/1.1',
      'GET / HTTP/1.1 ',
    ),
    lines: fc.array(
      fc.constantFrom(
        ...[
          'Content-Length: 5',
          'Content-Length: 0',
          'Content-Length : 5',
          'Content-Length: 5 5',
          ' Content-Length: 5',
        ],
        ...[
          'Transfer-Encoding: chunked',
          'Transfer-Encoding : chunked',
          'Transfer-Encoding:\tchunked',
          'X: a\rb',
          'X: a\nb',
        ],
        ...[
          'Transfer-Encoding: xchunked',
          'Connection: close',
          'Connection: content-length',
          'Expect: 100-continue',
          'X-A: b',
        ],
      ),
      { maxLength: 3 },
    ),
    end: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r'),
    body: pieces(
      5,
      'hello',
      '5\r\nhello\r\n',
      '0\r\n\r\n',
      '0\r\n',
      '\r\n',
      'GET /b HTTP/1.1\r\nHost: b\r\n\r\n',
      '1;a=b\r\nx\r\n',
      'f\r\n',
    ),
  })
  .map(({ first, lines, end, body }) => [first, 'Host: app.example', ...lines, '', ''].join(end) + body)

fuzz(
  // holds: random-messages
  'of raw bytes the application gets well-framed requests and nothing besides',
  150,
  fc.asyncProperty(wire, async (bytes) => {
    origin.received.length = 0
    const client = rawClient(proxy.port)
    client.send(bytes)
    client.socket.end()
    await client.closed()
    for (const received of origin.received) {
      const { count, problem } = readRequestStrictly(received)
      expect(
        count <= 1 && (problem === undefined || problem === 'not whole'),
        JSON.stringify({ bytes, received }),
      ).toBe(true)
    }
    for (const socket of origin.sockets) socket.destroy()
  }),
)
