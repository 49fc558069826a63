// How does the next token reach the client, byte by byte? With every answer of the app and never with one of ours, kept by
// nobody on the way, and never against the word of the app about its own session.
import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Delivery, Refresh } from '../../src/model/next-token.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/listen.ts'
import { okAnswer, type RawOrigin, startRawOrigin, startScriptedOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'
import { exchangeRaw, rawClient, statuses } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const get = `GET / HTTP/1.1\r\n${host}\r\n`
const inHeader: Delivery = [{ name: 'x-refreshed-token', value: 'next' }]
const inCookie: Delivery = [...inHeader, { name: 'set-cookie', value: 'session=next; Path=/; HttpOnly' }]

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

type ProxyOptions = Parameters<typeof startProxy>[1]

/** A proxy that has a next token for everybody, before an app that answers with these bytes. */
async function start(answer: string | RawOrigin, options: ProxyOptions = {}): Promise<TestProxy> {
  const origin = typeof answer === 'string' ? await startScriptedOrigin(answer) : answer
  closing.push(origin.close)
  return open(origin.url, options)
}

async function open(upstream: URL, options: ProxyOptions = {}): Promise<TestProxy> {
  const permit = tokenPermit(verifiedToken())
  const proxy = await startProxy(upstream, { decide: () => permit, refresh: () => inHeader, ...options })
  closing.push(proxy.close)
  return proxy
}

/** Sends one request; answers the head of the answer as lines, status line first. */
async function ask(proxy: TestProxy, request = get): Promise<string[]> {
  const client = rawClient(proxy.port)
  client.send(request)
  const text = await client.until((sofar) => sofar.includes('\r\n\r\n'))
  client.socket.destroy()
  return (text.split('\r\n\r\n')[0] ?? '').split('\r\n')
}

/** An answer of the app with these header lines. */
const answerWith = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines, 'Content-Length: 2', '', 'ok'].join('\r\n')
/** The lines of this name, as they are. */
const linesOf = (head: readonly string[], name: string) =>
  head.filter((line) => line.toLowerCase().startsWith(`${name}:`))

describe('an answer that carries a token is kept by nobody on the way', () => {
  const cases: Record<string, readonly [app: string[], cacheControl: string]> = {
    'nothing said': [[], 'cache-control: no-store'],
    'public and s-maxage': [['Cache-Control: public, s-maxage=600, max-age=60'], 'cache-control: no-store'],
    'two lines': [
      ['Cache-Control: public', 'Cache-Control: max-age=60, no-transform'],
      'cache-control: no-transform, no-store',
    ],
    'private, which stays': [['Cache-Control: private, max-age=5'], 'cache-control: private, no-store'],
    'must-understand, which would make caches pass over no-store': [
      ['Cache-Control: must-understand, no-store'],
      'cache-control: no-store',
    ],
    'a quoted list': [['Cache-Control: no-cache="set-cookie, public", public'], 'cache-control: no-store'],
    'stale while it is asked again': [
      ['Cache-Control: max-age=1, stale-while-revalidate=60, immutable'],
      'cache-control: no-store',
    ],
  }
  for (const [sentence, [lines, cacheControl]] of Object.entries(cases)) {
    test(`where the app says ${sentence}`, async () => {
      const head = await ask(await start(answerWith(...lines)))
      expect(linesOf(head, 'cache-control')).toEqual([cacheControl])
      expect(linesOf(head, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
    })
  }

  // holds: next-token-in-cache
  test('whatever field a cache goes by', async () => {
    const head = await ask(
      await start(
        answerWith(
          'Expires: Tue, 01 Jan 2030 00:00:00 GMT',
          'Surrogate-Control: max-age=60',
          'CDN-Cache-Control: max-age=60',
          'Cloudflare-CDN-Cache-Control: max-age=60',
          'Edge-Control: max-age=60',
          'X-Accel-Expires: 60',
          'ETag: "a"',
          'Vary: Origin',
          'Vary: Accept-Encoding',
        ),
      ),
    )
    expect(head.slice(1, 6)).toEqual([
      'ETag: "a"',
      'Vary: Origin',
      'Vary: Accept-Encoding',
      'Content-Length: 2',
      'x-refreshed-token: next',
    ])
    expect(head.join('\n')).not.toMatch(/expires|max-age|edge|surrogate/i)
  })

  test('and without a token the app decides alone', async () => {
    const lines = ['Cache-Control: public, max-age=60', 'Expires: 0', 'X-Accel-Expires: 60']
    const head = await ask(await start(answerWith(...lines), { refresh: () => undefined }))
    expect(head.slice(1, 4)).toEqual(lines)
  })
})

// holds: next-token-hidden-from-pages
test('the header is added to those that the app exposes to other origins, in every spelling of that list', async () => {
  const exposedBy = async (...lines: string[]) =>
    linesOf(await ask(await start(answerWith(...lines))), 'access-control-expose-headers')
  const origin = 'Access-Control-Allow-Origin: https://a.example'
  const list = 'access-control-expose-headers: '
  expect(await exposedBy(origin)).toEqual([`${list}x-refreshed-token`])
  expect(
    await exposedBy(origin, 'Access-Control-Expose-Headers: x-a, x-b', 'access-control-expose-headers: x-c'),
  ).toEqual([`${list}x-a, x-b, x-c, x-refreshed-token`])
  expect(await exposedBy('Access-Control-Expose-Headers: *', origin)).toEqual([`${list}*, x-refreshed-token`])
  expect(await exposedBy('Access-Control-Expose-Headers: x-a')).toEqual([`${list}x-a`])
})

describe('a header of that name that is not ours', () => {
  // holds: next-token-header-forged
  test('never reaches the client: not in the head, not in early hints, not in trailers', async () => {
    const proxy = await start(
      'HTTP/1.1 103 Early Hints\r\nX-Refreshed-Token: forged\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nX-Refreshed-Token: forged\r\nx-refreshed-token: forged\r\nTransfer-Encoding: chunked\r\n' +
        'Trailer: X-Refreshed-Token\r\n\r\n2\r\nok\r\n0\r\nX-Refreshed-Token: forged\r\n\r\n',
      { refresh: () => undefined },
    )
    const text = await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
    expect(statuses(text)).toEqual([200])
    expect(text).toContain('ok')
    expect(text).not.toMatch(/forged|x-refreshed-token/i)
  })

  test('gives way to ours, which the app cannot take away by naming it in Connection', async () => {
    const head = await ask(
      await start(answerWith('Connection: X-Refreshed-Token, Set-Cookie', 'X-Refreshed-Token: forged'), {
        refresh: () => inCookie,
      }),
    )
    expect(linesOf(head, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
    expect(linesOf(head, 'set-cookie')).toEqual(['set-cookie: session=next; Path=/; HttpOnly'])
  })

  test('is none of our business where the refresh is off', async () => {
    const proxy = await start(answerWith('X-Refreshed-Token: of the app'), {
      refresh: undefined,
      refreshHeader: undefined,
    })
    expect(linesOf(await ask(proxy), 'x-refreshed-token')).toEqual(['X-Refreshed-Token: of the app'])
  })

  test('from the client does not reach the app, and cannot be named by Connection', async () => {
    const origin = await startScriptedOrigin(okAnswer)
    const proxy = await start(origin)
    await ask(proxy, `GET / HTTP/1.1\r\n${host}X-Refreshed-Token: forged\r\nX_Refreshed_Token: forged\r\n\r\n`)
    expect(origin.text()).not.toMatch(/forged/)
    const refused = await ask(proxy, `GET / HTTP/1.1\r\n${host}Connection: X-Refreshed-Token\r\n\r\n`)
    expect(refused[0]).toContain('400')
    expect(linesOf(refused, 'x-refreshed-token')).toEqual([])
  })
})

describe('the word of the app about its own session counts', () => {
  const words: Record<string, string> = {
    // holds: log-out-undone
    'a log-out, which clears the cookie': 'Set-Cookie: session=; Max-Age=0; Path=/',
    'a log-in as somebody else': 'set-cookie: session=other; HttpOnly',
    'a cookie with spaces around its name': 'Set-Cookie:  session =other',
    'a log-out that clears all cookies': 'Clear-Site-Data: "cache", "cookies"',
    'a log-out that clears everything': 'Clear-Site-Data: "*"',
  }
  for (const [sentence, line] of Object.entries(words)) {
    test(`${sentence}, gets no next token behind it`, async () => {
      const head = await ask(await start(answerWith(line, 'Cache-Control: max-age=1'), { refresh: () => inCookie }))
      expect(head.join('\n')).not.toMatch(/next/)
      expect(linesOf(head, 'cache-control')).toEqual(['Cache-Control: max-age=1'])
    })
  }

  test('other cookies of the app stand beside ours', async () => {
    const proxy = await start(answerWith('Set-Cookie: sessions=1', 'Set-Cookie: theme=session=dark'), {
      refresh: () => inCookie,
    })
    expect(linesOf(await ask(proxy), 'set-cookie')).toEqual([
      'Set-Cookie: sessions=1',
      'Set-Cookie: theme=session=dark',
      'set-cookie: session=next; Path=/; HttpOnly',
    ])
  })

  test('a log-out that clears what scripts have stored gets no next token in the header either', async () => {
    const head = await ask(await start(answerWith('Clear-Site-Data: "storage"')))
    expect(linesOf(head, 'x-refreshed-token')).toEqual([])
    const cacheOnly = await ask(await start(answerWith('Clear-Site-Data: "cache"')))
    expect(linesOf(cacheOnly, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
  })

  test('a cookie of that name is another one where the token came in a header', async () => {
    const head = await ask(await start(answerWith('Set-Cookie: session=1')))
    expect(linesOf(head, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
  })
})

test('a stream has the next token in its head, before the app has said anything', async () => {
  const origin = await startRawOrigin((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'),
  )
  for (const refresh of [() => inHeader, async () => inHeader]) {
    const head = await ask(await start(origin, { refresh }))
    expect(linesOf(head, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
  }
})

describe('an answer of ours carries no token', () => {
  const atOnce: Refresh = () => inCookie
  const later: Refresh = async () => inCookie
  /** Each way in which the app fails before its head is whole, or after. */
  const faults: Record<string, readonly [status: number, app: () => Promise<URL>]> = {
    'an app that is not there': [502, async () => new URL(`http://127.0.0.1:${await freePort()}`)],
    'an app that hangs up': [502, raw((socket) => socket.destroy())],
    'an app that resets': [502, raw((socket) => socket.resetAndDestroy())],
    'an app that does not speak HTTP': [502, raw((socket) => socket.write('hello\r\n\r\n'))],
    'an app whose head breaks off': [502, raw((socket) => socket.end('HTTP/1.1 200 OK\r\nX-A'))],
    'an app with an impossible status': [502, raw((socket) => socket.write('HTTP/1.1 999 Odd\r\n\r\n'))],
    'an app whose framing can be read in two ways': [
      502,
      raw((socket) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx')),
    ],
    // holds: next-token-before-its-time
    'an app that does not answer': [504, raw(() => {})],
  }
  function raw(onBytes: Parameters<typeof startRawOrigin>[0]) {
    return async () => {
      const origin = await startRawOrigin(onBytes)
      closing.push(origin.close)
      return origin.url
    }
  }
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='
  const upgrade = `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`

  for (const [sentence, [status, app]] of Object.entries(faults)) {
    test(`about ${sentence}`, async () => {
      const upstream = await app()
      const upstreamResponseTimeoutMs = status === 504 ? 150 : 60_000
      for (const refresh of [atOnce, later])
        for (const request of [get, upgrade]) {
          const proxy = await open(upstream, { refresh, limits: { upstreamResponseTimeoutMs } })
          const head = await ask(proxy, request)
          expect(head[0]).toContain(String(status))
          expect(head.join('\n')).not.toMatch(/next|x-refreshed-token/i)
        }
    })
  }

  test('an upgrade that the app takes carries it in the 101, and one that it declines in its answer', async () => {
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    const taken = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Refreshed-Token: forged\r\n\r\n`
    const declined = 'HTTP/1.1 403 Forbidden\r\nX-Refreshed-Token: forged\r\nContent-Length: 2\r\n\r\nno'
    for (const [answer, status] of [
      [taken, 101],
      [declined, 403],
    ] as const) {
      for (const refresh of [atOnce, later]) {
        const head = await ask(await start(answer, { refresh }), upgrade)
        expect(head[0]).toContain(String(status))
        expect(linesOf(head, 'x-refreshed-token')).toEqual(['x-refreshed-token: next'])
        expect(linesOf(head, 'set-cookie')).toEqual(['set-cookie: session=next; Path=/; HttpOnly'])
        expect(linesOf(head, 'cache-control')).toEqual(['cache-control: no-store'])
      }
    }
    const unproven = taken.replace(accept, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')
    const head = await ask(await start(unproven, { refresh: atOnce }), upgrade)
    expect(head[0]).toContain('502')
    expect(head.join('\n')).not.toMatch(/next|x-refreshed-token/i)
  })

  // holds: app-breaks-off-after-head
  test('an app that resets after its head: the token was whole, the body is seen not to be', async () => {
    const breaking: Record<string, string> = {
      'a length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart',
      chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
    }
    for (const answer of Object.values(breaking)) {
      const origin = await startScriptedOrigin(answer)
      const proxy = await start(origin)
      const client = rawClient(proxy.port)
      client.send(get)
      await client.until((sofar) => sofar.includes('part'))
      for (const socket of origin.sockets) socket.resetAndDestroy()
      const text = await client.closed()
      expect(text).toContain('x-refreshed-token: next\r\n')
      expect(text).not.toContain('0\r\n\r\n')
      expect((await ask(proxy))[0]).toContain('200')
    }
  })

  test('an app that resets while the next token is still being made: 502, and none', async () => {
    const origin = await startScriptedOrigin('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
    let give: (delivery: Delivery) => void = () => {}
    const refresh = vi.fn(() => new Promise<Delivery>((resolve) => (give = resolve)))
    const proxy = await start(origin, { refresh })
    const client = rawClient(proxy.port)
    client.send(get)
    await eventually(() => expect(refresh).toHaveBeenCalled())
    for (const socket of origin.sockets) socket.resetAndDestroy()
    const text = await client.until((sofar) => sofar.includes('upstream_failed'))
    give(inCookie)
    client.socket.destroy()
    expect(statuses(text)).toEqual([502])
    expect(text).not.toMatch(/next|x-refreshed-token/i)
    expect(proxy.errors).toEqual([])
  })

  test('a token that is revoked while its next one is being made: the refusal arrives whole, without it', async () => {
    const origin = await startRawOrigin((socket, sofar) => {
      if (sofar.includes('first')) socket.write(okAnswer)
    })
    let give: (delivery: Delivery) => void = () => {}
    const refresh = vi.fn(() => new Promise<Delivery>((resolve) => (give = resolve)))
    const proxy = await start(origin, { refresh })
    const client = rawClient(proxy.port)
    client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\nfirst`)
    await eventually(() => expect(refresh).toHaveBeenCalled())
    proxy.revoke('token_revoked')
    proxy.lifetime.askAll()
    await eventually(() => expect(proxy.ended).toEqual([['stream', 'token_revoked']]))
    give(inCookie)
    const text = await client.until((sofar) => sofar.includes('refusal:token_revoked'))
    expect(statuses(text)).toEqual([401])
    expect(text).not.toMatch(/next|x-refreshed-token/i)
    client.socket.destroy()
    await eventually(() => expect(proxy.outcomes).toMatchObject([{ status: 401, fault: 'token_revoked' }]))
  })
})
