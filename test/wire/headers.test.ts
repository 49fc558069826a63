// Whose word is it? Identity, forwarding and hop-by-hop headers, in both directions and on every kind of path.
import { afterEach, expect, test } from 'vitest'
import type { Refresh } from '../../src/model/next-token.ts'
import { okAnswer, type RawOrigin, startScriptedOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy, tokenPermit, verifiedToken } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { hasVectors, readVectors } from '../support/vectors.ts'

const host = 'Host: app.example\r\n'
let origin: RawOrigin
let proxy: TestProxy

afterEach(async () => {
  await proxy.close()
  await origin.close()
})

async function start(options: Parameters<typeof startProxy>[1] = {}, answer = okAnswer): Promise<void> {
  origin = await startScriptedOrigin(answer)
  proxy = await startProxy(origin.url, options)
}

/** Sends one GET and answers the header lines that the application got, and those that the client got. */
async function ask(headers: string, target = '/'): Promise<{ app: string[]; client: string[] }> {
  const client = rawClient(proxy.port)
  client.send(`GET ${target} HTTP/1.1\r\n${host}${headers}\r\n`)
  const text = await client.until((sofar) => sofar.includes('\r\n\r\n') && !sofar.endsWith('\r\n\r\n'))
  client.socket.destroy()
  return { app: lines(origin.text()), client: lines(text) }
}

function lines(text: string): string[] {
  return (text.split('\r\n\r\n')[0] ?? '').split('\r\n')
}

const forged = [
  'X-Auth-Subject: root',
  'x-auth-subject: root',
  'X-AUTH-SUBJECT:   root',
  'X_Auth_Subject: root',
  'X-Auth_Subject: root',
  'X_AUTH_SCOPE: root',
  'X-Auth-Scope: root',
  'X-Refreshed-Token: root',
  'X_Refreshed_Token: root',
  'X-Original-URL: root',
  'X-Rewrite-URL: root',
  'X-Original-URI: root',
  'X.Auth.Subject: root',
  "X'Auth`Subject: root",
  'X~Auth-Scope: root',
  'X|Refreshed|Token: root',
  'X.HTTP.Method.Override: root',
]

// holds: identity-headers-from-outside
test('an identity header from outside never arrives, in no spelling, on a public path', async () => {
  await start()
  const { app } = await ask(`${forged.join('\r\n')}\r\n`)
  expect(app.join('\n')).not.toMatch(/root|auth|refreshed|original/i)
})

// holds: identity-headers-from-outside
test('an identity header from outside never arrives where the identity is proven; ours comes once', async () => {
  const permit = tokenPermit(verifiedToken({ sub: 'alice', scope: 'read write' }))
  await start({ decide: () => permit })
  const { app } = await ask(`${forged.join('\r\n')}\r\n`)
  expect(app.join('\n')).not.toMatch(/root/i)
  expect(app.filter((line) => /auth/i.test(line))).toEqual(['x-auth-subject: alice', 'x-auth-scope: read write'])
})

test('a claim that the token lacks gives no header, and leaves no room for one from outside', async () => {
  const permit = tokenPermit(verifiedToken())
  await start({ decide: () => permit })
  const { app } = await ask('X-Auth-Scope: root\r\n')
  expect(app.filter((line) => /auth-scope/i.test(line))).toEqual([])
})

test('in shadow mode nobody vouches for a token that would have been refused', async () => {
  const permit = { ...tokenPermit(verifiedToken()), decision: 'shadow' } as const
  await start({ decide: () => permit })
  expect((await ask('')).app.join('\n')).not.toMatch(/x-auth/)
})

// holds: claims-that-end-a-header-line
test('a claim cannot start a header line', async () => {
  const permit = tokenPermit(verifiedToken({ sub: 'a\r\nX-Admin: 1', scope: 'größe' }))
  await start({ decide: () => permit })
  const { app } = await ask('')
  expect(app).toContain('x-auth-subject: a%0D%0AX-Admin: 1')
  expect(app).toContain('x-auth-scope: gr%C3%B6%C3%9Fe')
})

// holds: forwarding-headers
test('forwarding headers of a stranger are replaced by what we know', async () => {
  await start()
  const { app } = await ask(
    'X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\n' +
      'X-Forwarded-User: root\r\nX-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n',
  )
  expect(app.filter((line) => /forwarded|real-ip/i.test(line))).toEqual([
    'x-forwarded-for: 127.0.0.1',
    'x-forwarded-proto: http',
    'x-forwarded-host: app.example',
    'x-forwarded-port: 80',
    'forwarded: for=127.0.0.1;host="app.example";proto=http',
  ])
})

test('forwarding headers of a trusted proxy are believed and continued', async () => {
  await start({ isTrustedProxy: (peer) => peer === '127.0.0.1' })
  const { app } = await ask(
    'X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\nForwarded: for=10.6.6.6\r\n' +
      'X-Forwarded-User: jane\r\nX-Real-IP: 10.0.0.1\r\n',
  )
  expect(app).toContain('x-forwarded-for: 10.0.0.1, 10.0.0.2, 127.0.0.1')
  expect(app).toContain('x-forwarded-proto: https')
  expect(app).toContain('x-forwarded-port: 443')
  expect(app).toContain(
    'forwarded: for=10.0.0.1;proto=https, for=10.0.0.2, for=127.0.0.1;host="app.example";proto=http',
  )
  expect(app).toContain('x-forwarded-user: jane')
  expect(app).toContain('x-real-ip: 10.0.0.1')
})

test('Forwarded alone, from a trusted proxy, is told in every header', async () => {
  await start({ isTrustedProxy: () => true })
  const { app } = await ask('Forwarded: for="[2001:db8::7]:1";proto=https;host="api.example.com:8443"\r\n')
  expect(app.filter((line) => /forwarded/i.test(line))).toEqual([
    'x-forwarded-for: 2001:db8::7, 127.0.0.1',
    'x-forwarded-proto: https',
    'x-forwarded-host: api.example.com:8443',
    'x-forwarded-port: 8443',
    'forwarded: for="[2001:db8::7]:1";proto=https;host="api.example.com:8443", for=127.0.0.1;host="app.example";proto=http',
  ])
})

const clientFacts =
  'True-Client-IP: 10.1.1.1\r\nClient-IP: 10.1.1.1\r\nX-SSL-Client-Verify: SUCCESS\r\nSSL-Client-S-DN: CN=jane\r\n' +
  'Client-Cert: :AAAA:\r\nX-Client-Cert: AAAA\r\n'
const otherSpellings = 'True_Client_IP: 10.6.6.6\r\nSSL.Client.Verify: FORGED\r\nX_Forwarded_For: 10.6.6.6\r\n'

test('who the client is, and with which certificate, a trusted proxy may say, in the right spelling', async () => {
  await start({ isTrustedProxy: () => true, headerNames: { mode: 'token', allow: [], drop: [], sources: [] } })
  const { app } = await ask(clientFacts + otherSpellings)
  expect(app).toContain('true-client-ip: 10.1.1.1')
  expect(app).toContain('x-ssl-client-verify: SUCCESS')
  expect(app).toContain('ssl-client-s-dn: CN=jane')
  expect(app).toContain('client-cert: :AAAA:')
  expect(app.join('\n')).not.toMatch(/10\.6\.6\.6|FORGED/)
})

test('a stranger may not say it', async () => {
  await start()
  const { app } = await ask(clientFacts + otherSpellings)
  expect(app.join('\n')).not.toMatch(/10\.1\.1\.1|10\.6\.6\.6|SUCCESS|jane|AAAA|FORGED/)
})

const internal = [
  ...[
    'Proxy',
    'X-Envoy-Original-Path',
    'X-Host',
    'X-HTTP-Host-Override',
    'X-Middleware-Subrequest',
    'X-Accel-Redirect',
  ],
  ...['X-Sendfile-Type', 'X-Accel-Mapping', 'Remote-User', 'X-Remote-User', 'X-Auth-Request-User', 'X-WebAuth-User'],
  ...['X-Middleware-Rewrite', 'X-Original-Host', 'X-Method-Override', 'Script-Name', 'X-Envoy-Internal'],
]

// holds: httpoxy
test('what is internal to proxies and frameworks crosses from nobody, not from a trusted proxy either', async () => {
  for (const isTrustedProxy of [() => false, () => true]) {
    await start({ isTrustedProxy })
    const { app } = await ask(internal.map((name) => `${name}: http://evil/\r\n`).join(''))
    expect(app.join('\n')).not.toContain('evil')
    expect(proxy.leftOut).toEqual({ listed: internal.length })
    await proxy.close()
    await origin.close()
  }
  await start()
})

// holds: list-of-headers-around-gate
test.skipIf(!hasVectors)(
  'no header of a public list of ways around a gate reaches the app from a stranger',
  async () => {
    await start()
    const { headers } = readVectors<{ lists: { headers: string[] } }>('http/nomore403_payloads.json').lists
    // What every browser sends, or what says nothing of the request itself
    const ordinary = /^(?:host|origin|(?:x-)?referr?er|x-wap-profile)$/i
    const names = headers.filter((name) => !ordinary.test(name))
    const { app } = await ask(names.map((name) => `${name}: forged.example\r\n`).join(''))
    expect(names.length).toBeGreaterThan(25)
    expect(app.join('\n')).not.toContain('forged')
  },
)

test('where every name may cross, only what folds to a listed one does not', async () => {
  await start({ headerNames: { mode: 'token', allow: [], drop: [], sources: ['x-token'] } })
  const odd = ['x.a', 'x_b', "x'c", 'x|d', 'x`e', 'x!f', 'x~g', 'x^h', 'x*i', 'x$j', 'x%k', 'x&l', 'x#m', 'x+n']
  const { app } = await ask(
    [...odd, 'X_Token', 'X.Auth.Subject', 'Script_Name', 'Path.Info', 'X|Host']
      .map((name) => `${name}: 1\r\n`)
      .join(''),
  )
  expect(app.filter((line) => line.endsWith(': 1'))).toEqual(odd.map((name) => `${name}: 1`))
})

test('answers are not filtered by name', async () => {
  await start({}, 'HTTP/1.1 200 OK\r\nX_Odd.Name: 1\r\nX-Auth-Subject: 2\r\nProxy: 3\r\nContent-Length: 2\r\n\r\nok')
  expect((await ask('')).client).toEqual(expect.arrayContaining(['X_Odd.Name: 1', 'X-Auth-Subject: 2', 'Proxy: 3']))
})

test('the settings let names through and leave names out', async () => {
  await start({
    headerNames: { mode: 'strict', allow: ['x_legacy', 'proxy'], drop: ['x-debug-*', 'accept'], sources: [] },
  })
  const { app } = await ask(
    'X_Legacy: 1\r\nProxy: 2\r\nX.Legacy: no\r\nX-Debug-SQL: no\r\nAccept: no/no\r\nX-Debugger: 3\r\n',
  )
  expect(app).toEqual(expect.arrayContaining(['x_legacy: 1', 'proxy: 2', 'x-debugger: 3']))
  expect(app.join('\n')).not.toMatch(/: no/)
  expect(proxy.leftOut).toEqual({ name: 1, listed: 2 })
})

test('what is left out is counted by why; what speaks about the connection, or is replaced, is not', async () => {
  await start()
  await ask(
    'X_Custom: 1\r\nX.Auth.Subject: root\r\nX-Auth-Subject: root\r\nClient-IP: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\n' +
      'Keep-Alive: timeout=5\r\nTE: trailers\r\nAccept: a/b\r\n',
  )
  expect(proxy.leftOut).toEqual({ name: 1, folded: 1, listed: 2 })
})

test('a WebSocket handshake is cleaned of them too', async () => {
  const permit = tokenPermit(verifiedToken({ sub: 'alice' }))
  await start({ decide: () => permit })
  const { app } = await ask(
    `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
      `${[...forged, 'Sec_WebSocket_Protocol: root', 'Proxy: root', 'Client-IP: root', 'X_Forwarded_For: root'].join('\r\n')}\r\n`,
  )
  expect(app).toContain('sec-websocket-version: 13')
  expect(app).toContain('x-auth-subject: alice')
  expect(app.join('\n')).not.toMatch(/root/)
})

test('trailers of a request do not become headers of the app', async () => {
  await start()
  const client = rawClient(proxy.port)
  client.send(
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTrailer: X-Auth-Subject\r\n\r\n` +
      '1\r\na\r\n0\r\nX-Auth-Subject: root\r\nX.Auth.Subject: root\r\n\r\n',
  )
  await client.until((text) => text.includes('\r\n\r\nok'))
  client.socket.destroy()
  expect(origin.text()).not.toContain('root')
})

// holds: hop-by-hop-headers
test('hop-by-hop headers and those that Connection names do not reach the application', async () => {
  await start()
  const { app } = await ask(
    'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n' +
      'Trailer: X-A\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nProxy-Authorization: Basic eA==\r\nX-Kept: 1\r\n',
  )
  expect(app).toContain('x-kept: 1')
  expect(app.join('\n')).not.toMatch(/hop|keep-alive: |proxy|^te:|trailer|upgrade|http2/im)
})

// holds: hop-by-hop-headers, nothing-unpacked-rewritten
test('hop-by-hop headers and those that its Connection names do not reach the client; the rest does, byte for byte', async () => {
  await start(
    {},
    'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop, Upgrade\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n' +
      'Upgrade: h2c\r\nTrailer: X-A\r\nX-Refreshed-Token: forged\r\nSet-Cookie: a=1\r\nX-Caf: \xe9\xff\r\nSet-Cookie: b=2\r\n' +
      'Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nServer: app\r\nContent-Length: 2\r\n\r\nok',
  )
  const { client } = await ask('')
  expect(client).toEqual([
    'HTTP/1.1 200 OK',
    'Set-Cookie: a=1',
    'X-Caf: \xe9\xff',
    'Set-Cookie: b=2',
    'Date: Tue, 01 Jan 2030 00:00:00 GMT',
    'Server: app',
    'Content-Length: 2',
    'Connection: keep-alive',
    'Keep-Alive: timeout=75',
  ])
})

// holds: answer-headers-stay
test('8-bit bytes in a request header arrive as they were', async () => {
  await start()
  expect((await ask('X-Name: Gr\xfc\xdfe\r\n')).app).toContain('x-name: Gr\xfc\xdfe')
})

test('the token is left in place, or taken out where it was found', async () => {
  const token = verifiedToken()
  await start({ decide: () => tokenPermit(token) })
  expect((await ask('Authorization: Bearer t\r\n')).app).toContain('authorization: Bearer t')

  origin.received.length = 0
  proxy.setPolicy({ stripToken: true })
  expect((await ask('Authorization: Bearer t\r\n')).app.join()).not.toContain('Bearer')

  origin.received.length = 0
  proxy.setPolicy({ decide: () => tokenPermit(token, { cookie: 'session' }) })
  const { app } = await ask('Authorization: Bearer t\r\nCookie: a=1; session=t; sessionx=2\r\n')
  expect(app).toContain('cookie: a=1; sessionx=2')
  expect(app).toContain('authorization: Bearer t')

  origin.received.length = 0
  proxy.setPolicy({ decide: () => tokenPermit(token, { query: 'access_token' }) })
  expect((await ask('', '/a?x=1&access_token=t&y=%20')).app[0]).toBe('GET /a?x=1&y=%20 HTTP/1.1')

  origin.received.length = 0
  expect((await ask('', '/a?%61ccess_token=t')).app[0]).toBe('GET /a HTTP/1.1')
})

const delivery = [
  { name: 'x-refreshed-token', value: 'next' },
  { name: 'set-cookie', value: 'session=next; HttpOnly' },
]

test('the next token comes with the answer, which nobody may store', async () => {
  await start(
    { decide: () => tokenPermit(verifiedToken()), refresh: () => Promise.resolve(delivery) },
    'HTTP/1.1 404 Not Found\r\nCache-Control: public, max-age=60, no-transform\r\nCDN-Cache-Control: max-age=60\r\nSet-Cookie: a=1\r\n' +
      'Access-Control-Allow-Origin: https://a.example\r\nAccess-Control-Expose-Headers: x-a\r\nX-Refreshed-Token: forged\r\nContent-Length: 2\r\n\r\nok',
  )
  const { client } = await ask('')
  expect(client).toContain('HTTP/1.1 404 Not Found')
  expect(client).toContain('x-refreshed-token: next')
  expect(client).toContain('Set-Cookie: a=1')
  expect(client).toContain('set-cookie: session=next; HttpOnly')
  expect(client).toContain('cache-control: no-transform, no-store')
  expect(client).toContain('access-control-expose-headers: x-a, x-refreshed-token')
  expect(client.join('\n')).not.toMatch(/forged|max-age|public/)
})

test('the next token comes at once where it is at hand, and without CORS nothing is exposed', async () => {
  await start({ decide: () => tokenPermit(verifiedToken()), refresh: () => delivery })
  const { client } = await ask('')
  expect(client).toContain('x-refreshed-token: next')
  expect(client.join('\n')).not.toMatch(/expose/i)
})

test('the next token comes with a 304 and with the answer to HEAD', async () => {
  await start(
    { decide: () => tokenPermit(verifiedToken()), refresh: async () => delivery },
    'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
  )
  const client = rawClient(proxy.port)
  client.send(`HEAD / HTTP/1.1\r\n${host}\r\n`)
  const text = await client.until((sofar) => sofar.endsWith('\r\n\r\n'))
  client.socket.destroy()
  expect(text).toMatch(/^HTTP\/1\.1 304/)
  expect(text).toContain('x-refreshed-token: next')
})

const unhelpful: Record<string, Refresh> = {
  throws: () => {
    throw new Error('broken')
  },
  rejects: () => Promise.reject(new Error('broken')),
  'has nothing': () => undefined,
  'never ends': () => new Promise(() => {}),
}
for (const [sentence, refresh] of Object.entries(unhelpful)) {
  test(`a refresh that ${sentence} does not touch the answer`, async () => {
    await start({ decide: () => tokenPermit(verifiedToken()), refresh })
    const { client } = await ask('')
    expect(client[0]).toBe('HTTP/1.1 200 OK')
    expect(client.join('\n')).not.toMatch(/refreshed|cache-control/i)
  })
}
