import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inspectMessage, type Message, type RawMessage } from '../../src/http/message.ts'

const rules = {
  headers: 100,
  bodyBytes: 0,
  isProtected: (name: string) => name === 'host' || name === 'x-auth-subject',
  upstreamAuthority: '127.0.0.1:3000',
}

function inspect(change: Partial<RawMessage> = {}, headers: string[] = []): ReturnType<typeof inspectMessage> {
  return inspectMessage(
    {
      method: 'GET',
      target: '/',
      httpVersion: '1.1',
      rawHeaders: ['Host', 'app.example', ...headers],
      peer: '192.0.2.1',
      ...change,
    },
    rules,
  )
}
function taken(answer: ReturnType<typeof inspectMessage>): Message {
  if ('reason' in answer) throw new Error(`refused: ${answer.detail}`)
  return answer
}

test('a message is its parts as they came: nothing decoded, names in lower case, order kept', () => {
  const message = taken(inspect({ target: '/a%2fb?c=%20?d' }, ['X-B', ' 1', 'x-a', '2', 'X-B', '3']))
  expect(message).toMatchObject({
    target: '/a%2fb?c=%20?d',
    path: '/a%2fb',
    query: 'c=%20?d',
    host: 'app.example',
    framing: 'none',
    upgrade: undefined,
    expectsContinue: false,
  })
  expect(message.headers).toEqual(['host', 'app.example', 'x-b', ' 1', 'x-a', '2', 'x-b', '3'])
})

test('a name that an app folds has no meaning for the message', () => {
  const message = taken(inspect({}, ['content_length', '5', 'Transfer.Encoding', 'chunked', 'HOST_', 'a']))
  expect(message).toMatchObject({ framing: 'none', host: 'app.example' })
})

test('a spelling that was read before is read in the same way, and one too many forgets those before', () => {
  const headers = ['Content-Length', '5', 'X-A', '1']
  const first = taken(inspect({}, headers))
  for (let count = 0; count < 2_000; count++) taken(inspect({}, [`x-${count}`, '']))
  expect(taken(inspect({}, headers))).toEqual(first)
  expect(inspect({}, [...headers, 'content-LENGTH', '5'])).toMatchObject({ reason: 'message_invalid' })
})

const authorities: Record<string, [change: Partial<RawMessage>, host: string | undefined]> = {
  'HTTP/1.0 without Host asks for the app': [{ httpVersion: '1.0', rawHeaders: [] }, '127.0.0.1:3000'],
  'HTTP/1.0 without Host asks for the authority of its target, where it has one': [
    { httpVersion: '1.0', rawHeaders: [], target: 'http://shop.example/' },
    'shop.example',
  ],
  'HTTP/1.0 with a Host asks for that': [{ httpVersion: '1.0' }, 'app.example'],
  'HTTP/1.0 with an empty Host is refused': [{ httpVersion: '1.0', rawHeaders: ['Host', ''] }, undefined],
  'HTTP/1.1 without Host is refused': [{ rawHeaders: [] }, undefined],
}
for (const [sentence, [change, host]] of Object.entries(authorities)) {
  test(sentence, () => {
    const answer = inspect(change)
    expect('reason' in answer ? undefined : answer.host).toBe(host)
  })
}

test('names that Connection nominates are told, close and keep-alive are not among them', () => {
  expect(taken(inspect({}, ['Connection', 'close, X-Hop', 'connection', 'Keep-Alive,,x-hop2'])).nominated).toEqual([
    'x-hop',
    'x-hop2',
  ])
})

// Node's own parser refuses most of these before; the gate does not lean on it
const framings: Record<string, [headers: string[], framing: string]> = {
  'both framings': [['Transfer-Encoding', 'chunked', 'Content-Length', '5'], 'refused'],
  'two lengths': [['Content-Length', '5', 'content-length', '5'], 'refused'],
  'a length with a leading zero': [['Content-Length', '05'], 'refused'],
  'a length with a sign': [['Content-Length', '+5'], 'refused'],
  'a length beyond the safe integers': [['Content-Length', '9007199254740992'], 'refused'],
  'two codings': [['Transfer-Encoding', 'gzip, chunked'], 'refused'],
  'a comma before chunked': [['Transfer-Encoding', ',chunked'], 'refused'],
  'a vertical tab before chunked': [['Transfer-Encoding', '\x0bchunked'], 'refused'],
  'a name with a space at its end': [['Content-Length ', '5'], 'refused'],
  'a value with a line end': [['X-A', 'a\r\nTransfer-Encoding: chunked'], 'refused'],
  'chunked in any case': [['Transfer-Encoding', 'Chunked'], 'chunked'],
  'a length': [['Content-Length', '5'], 'length'],
  'a length of 0': [['Content-Length', '0'], 'none'],
  neither: [[], 'none'],
}
for (const [sentence, [headers, framing]] of Object.entries(framings)) {
  test(`${sentence}: ${framing}`, () => {
    const answer = inspect({ method: 'POST' }, headers)
    expect('reason' in answer ? 'refused' : answer.framing).toBe(framing)
  })
}

test('an expectation in HTTP/1.0 is ignored', () => {
  expect(taken(inspect({ httpVersion: '1.0' }, ['Expect', '100-continue'])).expectsContinue).toBe(false)
})

test('Max-Forwards is told for OPTIONS alone', () => {
  expect(taken(inspect({ method: 'OPTIONS' }, ['Max-Forwards', '3'])).maxForwards).toBe(3)
  expect(taken(inspect({}, ['Max-Forwards', '0'])).maxForwards).toBe(undefined)
})

test('whatever the bytes, it answers and never throws, and what it takes has one Host and one framing', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'chunked',
      '5',
      'app.example',
      '*',
      '/',
    ),
    fc.string({ maxLength: 12 }),
  )
  fc.assert(
    fc.property(piece, piece, fc.array(piece, { maxLength: 12 }), (method, target, lines) => {
      const rawHeaders = lines.length % 2 === 0 ? lines : lines.slice(1)
      const answer = inspectMessage({ method, target, httpVersion: '1.1', rawHeaders, peer: '192.0.2.1' }, rules)
      if ('reason' in answer) return
      const count = (name: string) => answer.headers.filter((text, index) => index % 2 === 0 && text === name).length
      expect(count('host')).toBe(1)
      expect(count('content-length') + count('transfer-encoding')).toBeLessThanOrEqual(1)
      expect(answer.target.startsWith('/')).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
