// `sidegate/client` against servers that answer as a gate does, and against a gate: to whom the token goes, which one is
// kept, what is sent again, and when the session is over.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type RefreshOptions, type TokenStorage, withRefresh } from '../../src/client/client.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, startGateway, stopGateways } from '../support/gateway.ts'
import { startApp, startEchoOrigin } from '../support/origin.ts'
import { goodClaims, makeKey, signToken } from '../support/tokens.ts'

const SOURCE = fileURLToPath(new URL('../../src/client/client.ts', import.meta.url))
const KEY = 'sidegate.token'
const key = makeKey('EdDSA')
/** A token that ends in so many seconds; of one session where nothing else is said. */
const tokenFor = (seconds: number, claims: Record<string, unknown> = {}) =>
  signToken(key, goodClaims({ sid: 'one', exp: 2_000_000_000 + seconds, ...claims }))
const [OLD, NEW, NEWER] = [tokenFor(1), tokenFor(2), tokenFor(3)]

const servers: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serve(listener: RequestListener) {
  const app = await startApp(listener)
  servers.push(app)
  return app.url.origin
}

function memory(token?: string): TokenStorage {
  const values = new Map(token === undefined ? [] : [[KEY, token]])
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => void values.set(name, value),
    removeItem: (name) => void values.delete(name),
  }
}

/** A storage that does whatever is said, and holds nothing. */
function storageThat(act: () => string | null): TokenStorage {
  return { getItem: act, setItem: act, removeItem: act }
}

function clientOf(origin: string, token?: string, options: RefreshOptions = {}) {
  const ended: string[] = []
  const onSessionEnd = (reason: string) => ended.push(reason)
  return { api: withRefresh(fetch, memory(token), { origins: [origin], onSessionEnd, ...options }), ended }
}

const tokenOf = (request: IncomingMessage) => request.headers.authorization?.replace('Bearer ', '')

/** Refuses as the gate does. */
function refuse(response: Parameters<RequestListener>[1], reason: string): void {
  response.writeHead(401, {
    'content-type': 'application/problem+json',
    'www-authenticate': 'Bearer error="invalid_token", error_description="no"',
  })
  response.end(JSON.stringify({ type: `urn:sidegate:refusal:${reason}`, status: 401, reason }))
}

describe('to whom the token goes', () => {
  test('to the named origins, as a bearer token', async () => {
    const origin = await serve((request, response) => response.end(request.headers.authorization))
    const { api } = clientOf(`${origin}/`, OLD)
    expect(await (await api(`${origin}/orders`)).text()).toBe(`Bearer ${OLD}`)
    expect(await (await api(new URL(`${origin}/orders`))).text()).toBe(`Bearer ${OLD}`)
    expect(await (await api(new Request(`${origin}/orders`, { headers: { 'x-a': 'b' } }))).text()).toBe(`Bearer ${OLD}`)
  })

  test('to no other origin, and in Node to none that was not named', async () => {
    const origin = await serve((request, response) => response.end(String(request.headers.authorization)))
    expect(await (await clientOf('https://api.example.com', OLD).api(origin)).text()).toBe('undefined')
    expect(await (await withRefresh(fetch, memory(OLD))(origin)).text()).toBe('undefined')
    expect(() => withRefresh(fetch, memory(), { origins: ['api.example.com'] })).toThrow(TypeError)
  })

  test('not along with a redirect to another origin, which cannot hand out a token either', async () => {
    const seen: unknown[] = []
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization)
      response.setHeader('x-refreshed-token', NEW)
      response.end()
    })
    const origin = await serve((_, response) => response.writeHead(307, { location: other }).end())
    const { api } = clientOf(origin, OLD)
    await api(`${origin}/`)
    expect(seen).toEqual([undefined])
    expect(api.token()).toBe(OLD)
  })

  // holds: challenge-of-another-origin
  test('not along with a redirect to another origin, whose 401 ends nothing', async () => {
    const other = await serve((_, response) => refuse(response, 'token_revoked'))
    const origin = await serve((_, response) => response.writeHead(307, { location: other }).end())
    const { api, ended } = clientOf(origin, OLD)
    expect((await api(`${origin}/`)).status).toBe(401)
    expect([ended, api.token()]).toEqual([[], OLD])
  })

  test('never silently not: "no-cors" is refused while a token is held', async () => {
    const origin = await serve((_, response) => response.end('ok'))
    const { api } = clientOf(origin, OLD)
    await expect(api(origin, { mode: 'no-cors' })).rejects.toThrow(TypeError)
    await expect(api(new Request(origin, { mode: 'no-cors' }))).rejects.toThrow('mode: no-cors')
    api.signOut()
    expect((await api(origin, { mode: 'no-cors' })).status).toBe(200)
  })

  test('not with a request that brings its own Authorization', async () => {
    const origin = await serve((request, response) => {
      response.setHeader('x-refreshed-token', NEW)
      response.end(request.headers.authorization)
    })
    const { api } = clientOf(origin, OLD)
    expect(await (await api(origin, { headers: { Authorization: 'Basic YTpi' } })).text()).toBe('Basic YTpi')
    const request = new Request(origin, { headers: { authorization: 'Basic YTpi' } })
    expect(await (await api(request)).text()).toBe('Basic YTpi')
    expect(api.token()).toBe(OLD)
  })

  test('other headers, the method and the body stay as they are', async () => {
    const origin = await serve(async (request, response) => {
      const body = (await request.toArray()).join('')
      response.end(`${request.method} ${request.headers['x-a']} ${body}`)
    })
    const { api } = clientOf(origin, OLD)
    const init = { method: 'PUT', headers: { 'x-a': 'b' }, body: 'c' }
    expect(await (await api(origin, init)).text()).toBe('PUT b c')
    expect(await (await api(new Request(origin, init))).text()).toBe('PUT b c')
  })
})

describe('which token is kept', () => {
  test('the next one, whatever the answer was', async () => {
    for (const status of [200, 204, 304, 404, 500]) {
      const origin = await serve((_, response) => response.writeHead(status, { 'x-refreshed-token': NEW }).end())
      const { api } = clientOf(origin, OLD)
      expect((await api(origin)).status).toBe(status)
      expect(api.token(), String(status)).toBe(NEW)
    }
  })

  test('the one that lives longest, in whatever order the responses come', async () => {
    const next: Record<string, string> = { '/slow': NEW, '/fast': NEWER }
    let answerSlow = () => {}
    const origin = await serve((request, response) => {
      const answer = () => response.writeHead(200, { 'x-refreshed-token': next[request.url ?? ''] ?? '' }).end()
      if (request.url === '/slow') answerSlow = answer
      else answer()
    })
    const { api } = clientOf(origin, OLD)
    const slow = api(`${origin}/slow`)
    await eventually(() => expect(answerSlow.name).toBe('answer'))
    await api(`${origin}/fast`)
    answerSlow()
    await slow
    expect(api.token()).toBe(NEWER)
  })

  test('the one that is held, where a late answer brings one of another session or after a sign-out', async () => {
    const open: (() => void)[] = []
    const origin = await serve((_, response) => {
      open.push(() => response.writeHead(200, { 'x-refreshed-token': NEWER }).end())
    })
    const others = [tokenFor(2, { sid: 'two' }), tokenFor(2, { sub: 'bob', sid: undefined }), undefined]
    for (const other of others) {
      const { api } = clientOf(origin, OLD)
      const late = api(origin)
      await eventually(() => expect(open).toHaveLength(1))
      if (other === undefined) api.signOut()
      else api.setToken(other)
      open.pop()?.()
      await late
      expect(api.token()).toBe(other ?? null)
    }
  })

  const begun: Record<string, (api: ReturnType<typeof clientOf>['api']) => string> = {
    'signed out and in again': (api) => {
      api.signOut()
      api.setToken(tokenFor(2, { jti: 'again' }))
      return api.token() ?? ''
    },
    'stepped up': (api) => {
      api.setToken(tokenFor(2, { acr: '2' }))
      return api.token() ?? ''
    },
    'signed in as the same person without a session id': (api) => {
      api.setToken(tokenFor(2, { sid: undefined }))
      return api.token() ?? ''
    },
  }
  // holds: late-next-token
  test.each(Object.entries(begun))(
    'not the late next of the session before, once somebody has %s',
    async (_, beginAnew) => {
      let answer: (() => void) | undefined
      const origin = await serve((_request, response) => {
        answer = () => response.writeHead(200, { 'x-refreshed-token': NEWER }).end()
      })
      const { api } = clientOf(origin, OLD)
      const late = api(origin)
      await eventually(() => expect(answer).toBeDefined())
      const fresh = beginAnew(api)
      answer?.()
      await late
      expect(api.token()).toBe(fresh)
    },
  )

  test('not the late next of a token that somebody else replaced in the storage', async () => {
    let answer: (() => void) | undefined
    const origin = await serve((_, response) => {
      answer = () => response.writeHead(200, { 'x-refreshed-token': NEWER }).end()
    })
    const storage = memory(OLD)
    const api = withRefresh(fetch, storage, { origins: [origin] })
    const late = api(origin)
    await eventually(() => expect(answer).toBeDefined())
    storage.setItem(KEY, NEW)
    answer?.()
    await late
    expect(api.token()).toBe(NEW)
  })

  test('the late next of a token that was held before, where it lives longer', async () => {
    const open: Record<string, () => void> = {}
    const origin = await serve((request, response) => {
      const next = { '/one': NEW, '/two': NEWER }[request.url ?? ''] ?? ''
      open[request.url ?? ''] = () => response.writeHead(200, { 'x-refreshed-token': next }).end()
    })
    const { api } = clientOf(origin, OLD)
    const both = [api(`${origin}/one`), api(`${origin}/two`)]
    await eventually(() => expect(Object.keys(open)).toHaveLength(2))
    for (const path of ['/one', '/two']) {
      open[path]?.()
      await both.shift()
    }
    expect(api.token()).toBe(NEWER)
  })

  test('not what is no token', async () => {
    for (const text of ['', 'x', 'a.b.c', `a.${Buffer.from('null').toString('base64url')}.c`]) {
      const origin = await serve((_, response) => response.writeHead(200, { 'x-refreshed-token': text }).end())
      const { api } = clientOf(origin, OLD)
      await api(origin)
      expect(api.token()).toBe(OLD)
    }
  })

  test('a first token without a session id is followed by one that has it', async () => {
    const first = tokenFor(1, { sid: undefined, jti: 'one' })
    const origin = await serve((_, response) => response.writeHead(200, { 'x-refreshed-token': NEW }).end())
    const { api } = clientOf(origin, first)
    await api(origin)
    expect(api.token()).toBe(NEW)
  })

  test('a storage that is full fails no request', async () => {
    const origin = await serve((_, response) => response.writeHead(200, { 'x-refreshed-token': NEW }).end('ok'))
    const full: TokenStorage = {
      ...memory(OLD),
      setItem: () => {
        throw new Error('full')
      },
    }
    expect(await (await withRefresh(fetch, full, { origins: [origin] })(origin)).text()).toBe('ok')
  })

  const failing: Record<string, () => TokenStorage> = {
    'throws at every touch': () =>
      storageThat(() => {
        throw new Error('denied')
      }),
    'keeps nothing': () => storageThat(() => null),
    'is not there': () => null as unknown as TokenStorage,
    'is full': () => ({
      ...memory(),
      setItem: () => {
        throw new Error('full')
      },
    }),
  }
  test.each(Object.entries(failing))('in memory, where the storage %s', async (_, storage) => {
    const origin = await serve((request, response) => {
      if (tokenOf(request) === OLD) response.setHeader('x-refreshed-token', NEW)
      response.end(request.headers.authorization)
    })
    const ended: string[] = []
    const options = { origins: [origin], onSessionEnd: (reason: string) => ended.push(reason) }
    const api = withRefresh(fetch, storage(), options)
    expect(api.token()).toBeNull()
    api.setToken(OLD)
    expect(await (await api(origin)).text()).toBe(`Bearer ${OLD}`)
    expect(await (await api(origin)).text()).toBe(`Bearer ${NEW}`)
    api.signOut()
    expect([api.token(), ended]).toEqual([null, ['signed_out']])
  })

  test('in memory, where the browser forbids to name the storage', () => {
    const api = withRefresh(fetch, () => {
      throw new DOMException('denied', 'SecurityError')
    })
    api.setToken(OLD)
    expect(api.token()).toBe(OLD)
    const storage = memory(NEW)
    expect(withRefresh(fetch, () => storage).token()).toBe(NEW)
  })

  test('as long as the storage can be read: after that, in memory', async () => {
    const storage = memory(OLD)
    const api = withRefresh(fetch, storage)
    expect(api.token()).toBe(OLD)
    storage.getItem = () => {
      throw new Error('denied')
    }
    expect(api.token()).toBe(OLD)
  })

  test('in memory, where the browser forbids the channel too', () => {
    vi.stubGlobal(
      'BroadcastChannel',
      class {
        constructor() {
          throw new DOMException('denied', 'SecurityError')
        }
      },
    )
    const { api } = clientOf('https://api.example.com', undefined, { channel: 'forbidden' })
    vi.unstubAllGlobals()
    api.setToken(OLD)
    expect(api.token()).toBe(OLD)
  })

  test('not a text in the storage that is no token', () => {
    for (const text of ['undefined', 'null', '', '[object Object]'])
      expect(withRefresh(fetch, memory(text)).token()).toBeNull()
  })

  test('under the key and from the header that are named', async () => {
    const origin = await serve((_, response) => response.writeHead(200, { 'x-next': NEW }).end())
    const storage = memory()
    const api = withRefresh(fetch, storage, { origins: [origin], key: 'mine', header: 'x-next' })
    api.setToken(OLD)
    await api(origin)
    expect(storage.getItem('mine')).toBe(NEW)
  })
})

describe('a 401', () => {
  /** Refuses OLD only once NEW is held, and answers everything else with the body that came. */
  async function serveLate(during: () => void) {
    const tokens: unknown[] = []
    const origin = await serve(async (request, response) => {
      const body = (await request.toArray()).join('')
      tokens.push(tokenOf(request))
      if (tokenOf(request) === OLD) {
        during()
        refuse(response, 'token_expired')
      } else response.end(body)
    })
    return { origin, tokens }
  }

  const bodies: Record<string, () => RequestInit> = {
    'without a body': () => ({}),
    'with a text': () => ({ method: 'POST', body: 'again' }),
    'with bytes': () => ({ method: 'POST', body: new TextEncoder().encode('again') }),
    'with a form': () => ({ method: 'POST', body: new URLSearchParams({ again: '1' }) }),
  }
  for (const [what, init] of Object.entries(bodies)) {
    test(`that a newer token explains is asked again, once, ${what}`, async () => {
      const { origin, tokens } = await serveLate(() => api.setToken(NEW))
      const { api, ended } = clientOf(origin, OLD)
      const response = await api(origin, init())
      expect(response.status).toBe(200)
      expect(await response.text()).toMatch(init().body === undefined ? /^$/ : /again/)
      expect(tokens).toEqual([OLD, NEW])
      expect(ended).toEqual([])
    })
  }

  test('is asked again for a Request without a body, and not for one whose body is gone', async () => {
    for (const [init, status] of [[{}, 200] as const, [{ method: 'POST', body: 'gone' }, 401] as const]) {
      const { origin } = await serveLate(() => api.setToken(NEW))
      const { api, ended } = clientOf(origin, OLD)
      expect((await api(new Request(origin, init))).status).toBe(status)
      expect(api.token()).toBe(NEW)
      expect(ended).toEqual([])
    }
  })

  test('is not asked again where the body is a stream', async () => {
    const { origin, tokens } = await serveLate(() => api.setToken(NEW))
    const { api } = clientOf(origin, OLD)
    const body = new Blob(['stream']).stream()
    const response = await api(origin, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect([response.status, tokens]).toEqual([401, [OLD]])
  })

  test('is not asked again with the token of somebody else', async () => {
    const { origin, tokens } = await serveLate(() => api.setToken(tokenFor(2, { sub: 'bob' })))
    const { api, ended } = clientOf(origin, OLD)
    expect((await api(origin)).status).toBe(401)
    expect([tokens, ended]).toEqual([[OLD], []])
  })

  test('is asked again once, not for ever', async () => {
    const tokens: unknown[] = []
    const origin = await serve((request, response) => {
      tokens.push(tokenOf(request))
      api.setToken(tokenFor(tokens.length + 10))
      refuse(response, 'token_expired')
    })
    const { api, ended } = clientOf(origin, OLD)
    expect((await api(origin)).status).toBe(401)
    expect([tokens.length, ended]).toEqual([2, []])
  })

  test('that nothing explains ends the session: once, with its reason, and the token is forgotten', async () => {
    const origin = await serve((_, response) => refuse(response, 'token_revoked'))
    const { api, ended } = clientOf(origin, OLD)
    const responses = await Promise.all(Array.from({ length: 20 }, () => api(origin)))
    expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(401))
    expect(await responses[0]?.json()).toMatchObject({ reason: 'token_revoked' })
    expect([ended, api.token()]).toEqual([['token_revoked'], null])
    api.setToken(NEW)
    await api(origin)
    expect(ended).toEqual(['token_revoked', 'token_revoked'])
  })

  test('of which the second try fails too ends the session', async () => {
    const origin = await serve((request, response) => {
      if (tokenOf(request) === OLD) api.setToken(NEW)
      refuse(response, 'token_revoked')
    })
    const { api, ended } = clientOf(origin, OLD)
    await api(origin)
    expect([ended, api.token()]).toEqual([['token_revoked'], null])
  })

  test('without a readable document ends it too, as invalid_token', async () => {
    const origin = await serve((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end('no'),
    )
    const { api, ended } = clientOf(origin, OLD)
    expect((await api(origin, { method: 'HEAD' })).status).toBe(401)
    expect(ended).toEqual(['invalid_token'])
  })

  test('of the app, a 403 and a missing token are no end', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/own') response.writeHead(401).end('wrong password')
      else if (request.url === '/missing') response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
      else response.writeHead(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }).end()
    })
    const { api, ended } = clientOf(origin, OLD)
    for (const path of ['/own', '/missing', '/forbidden']) await api(`${origin}${path}`)
    expect([ended, api.token()]).toEqual([[], OLD])
  })

  const challenges: Record<string, [challenge: string, endsTheSession: boolean]> = {
    'with the error in quotes': ['Bearer error="invalid_token"', true],
    'with the error as a token': ['Bearer error=invalid_token', true],
    'in other letters and spaces': ['bEARER realm = "a" , ERROR = "invalid_token"', true],
    'after another scheme': ['Basic realm="a, b", Negotiate abc==, Bearer realm="c", error="invalid_token"', true],
    'before another scheme': ['Bearer error="invalid_token", Basic realm="a"', true],
    'with escaped characters': ['Bearer realm="a \\"b\\", ", error="invalid_token"', true],
    'with an error that only begins so': ['Bearer error="invalid_token_format"', false],
    'with an error that only ends so': ['Bearer error="not_invalid_token"', false],
    'with another parameter': ['Bearer old_error="invalid_token", x-error=invalid_token', false],
    'of another scheme': ['Basic realm="a", error="invalid_token"', false],
    'that quotes it': ['Basic realm="error=invalid_token"', false],
    // holds: challenge-of-another-origin
    'that quotes a whole challenge': ['Basic realm="a, Bearer error=\\"invalid_token\\""', false],
    'whose description says so': ['Bearer error="insufficient_scope", error_description="error=invalid_token"', false],
    'of a scheme that begins so': ['BearerX error="invalid_token"', false],
    'that ends in the middle': ['Bearer error="invalid_token', false],
  }
  test.each(Object.entries(challenges))('%s', async (_, [challenge, endsTheSession]) => {
    const origin = await serve((_request, response) => response.writeHead(401, { 'www-authenticate': challenge }).end())
    const { api, ended } = clientOf(origin, OLD)
    expect((await api(origin)).status).toBe(401)
    expect(ended).toEqual(endsTheSession ? ['invalid_token'] : [])
  })

  const endless: Record<string, (response: Parameters<RequestListener>[1]) => void> = {
    'that says nothing': (response) => void response.write('{'),
    'that drips': (response) => {
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    },
    'that floods': (response) => {
      const flood = () => {
        while (!response.destroyed && response.write(' '.repeat(16_384)));
      }
      response.on('drain', flood)
      flood()
    },
  }
  test.each(Object.entries(endless))(
    'with a body %s and never ends, ends the session and is answered',
    async (_, answer) => {
      const origin = await serve((_request, response) => {
        const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }
        response.writeHead(401, { 'content-type': 'application/problem+json', ...challenge })
        answer(response)
      })
      const { api, ended } = clientOf(origin, OLD)
      const response = await api(origin)
      expect([response.status, ended]).toEqual([401, ['invalid_token']])
      await response.body?.cancel()
    },
  )

  test('is answered where `onSessionEnd` throws, and the page is told of that', async () => {
    const origin = await serve((_, response) => refuse(response, 'token_revoked'))
    const reported = vi.spyOn(console, 'error').mockImplementation(() => {})
    const bug = new Error('a bug of the page')
    const onSessionEnd = () => {
      throw bug
    }
    const { api } = clientOf(origin, OLD, { onSessionEnd })
    expect((await api(origin)).status).toBe(401)
    expect([api.token(), reported.mock.calls]).toEqual([null, [[bug]]])
    reported.mockRestore()
  })

  test('without a token held is nobody’s end', async () => {
    const origin = await serve((_, response) => refuse(response, 'token_missing'))
    const { api, ended } = clientOf(origin)
    expect((await api(origin)).status).toBe(401)
    expect(ended).toEqual([])
  })
})

describe('several tabs', () => {
  let count = 0
  /** Two tabs, each with a storage of its own. */
  function tabs(origin: string, token?: string) {
    const channel = `tabs-${++count}`
    return [clientOf(origin, token, { channel }), clientOf(origin, token, { channel })] as const
  }

  test('share the beginning, the next token and the end', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/end') refuse(response, 'token_revoked')
      else response.writeHead(200, { 'x-refreshed-token': NEW }).end()
    })
    const [one, two] = tabs(origin)
    one.api.setToken(OLD)
    await eventually(() => expect(two.api.token()).toBe(OLD))
    await two.api(origin)
    await eventually(() => expect(one.api.token()).toBe(NEW))
    await one.api(`${origin}/end`)
    await eventually(() => expect(two.ended).toEqual(['token_revoked']))
    expect([one.ended, one.api.token(), two.api.token()]).toEqual([['token_revoked'], null, null])
  })

  test('that found out by themselves are not told again by another', async () => {
    const origin = await serve((_, response) => refuse(response, 'token_expired'))
    const [one, two] = tabs(origin, OLD)
    await one.api(origin)
    await eventually(() => expect(two.ended).toEqual(['token_expired']))
    const channel = new BroadcastChannel(`tabs-${count}`)
    channel.postMessage({ ended: OLD, reason: 'token_expired' })
    // Messages come in order: when this one is heard, so is the one before.
    channel.postMessage({ began: NEW })
    await eventually(() => expect([one.api.token(), two.api.token()]).toEqual([NEW, NEW]))
    channel.close()
    expect([one.ended, two.ended]).toEqual([['token_expired'], ['token_expired']])
  })

  test('of which one signed in by the storage alone are told of the end', async () => {
    const origin = await serve((_, response) => refuse(response, 'token_expired'))
    const storage = memory()
    const ended: string[] = []
    const api = withRefresh(fetch, storage, { origins: [origin], onSessionEnd: (reason) => ended.push(reason) })
    storage.setItem(KEY, OLD)
    await api(origin)
    expect(ended).toEqual(['token_expired'])
  })

  test('sign out together', async () => {
    const [one, two] = tabs('https://api.example.com', OLD)
    one.api.signOut()
    await eventually(() => expect(two.ended).toEqual(['signed_out']))
    expect([one.ended, two.api.token()]).toEqual([['signed_out'], null])
  })

  test('sign out together, also where one holds a later token than the other', async () => {
    const origin = await serve((_, response) => response.writeHead(200, { 'x-refreshed-token': NEW }).end())
    const [one, two] = tabs(origin, OLD)
    await two.api(origin)
    // The next token is on its way to the first tab.
    expect([one.api.token(), two.api.token()]).toEqual([OLD, NEW])
    one.api.signOut()
    await eventually(() => expect(two.ended).toEqual(['signed_out']))
    expect([one.ended, one.api.token(), two.api.token()]).toEqual([['signed_out'], null, null])
  })

  test.each([
    ['the same session', OLD, NEWER, true],
    [
      'a session of the same person, where none has an id',
      tokenFor(1, { sid: undefined }),
      tokenFor(3, { sid: undefined }),
      true,
    ],
    ['another session', OLD, tokenFor(3, { sid: 'two' }), false],
    ['somebody else', OLD, tokenFor(3, { sub: 'bob', sid: undefined }), false],
  ])('that were opened with tokens of %s', async (_, first, second, isOneSession) => {
    const channel = `tabs-${++count}`
    const one = clientOf('https://api.example.com', first, { channel })
    const two = clientOf('https://api.example.com', second, { channel })
    one.api.signOut()
    if (isOneSession) await eventually(() => expect(two.ended).toEqual(['signed_out']))
    // Messages come in order: when this one is heard, so is the one before.
    one.api.setToken(tokenFor(9, { sub: 'carol' }))
    await eventually(() => expect(two.api.token()).toBe(one.api.token()))
    expect(two.ended).toEqual(isOneSession ? ['signed_out'] : [])
  })

  test('sign out together where one of them holds no token', async () => {
    const channel = `tabs-${++count}`
    const one = clientOf('https://api.example.com', undefined, { channel })
    const two = clientOf('https://api.example.com', OLD, { channel })
    one.api.signOut()
    await eventually(() => expect(two.ended).toEqual(['signed_out']))
  })

  test('do not lose a session that one began to the sign-out of another from the session before', async () => {
    const [one, two] = tabs('https://api.example.com', OLD)
    two.api.setToken(NEW)
    one.api.signOut()
    await eventually(() => expect(one.api.token()).toBe(NEW))
    await eventually(() => expect(two.api.token()).toBe(NEW))
    expect(two.ended).toEqual([])
  })

  test('do not take the late next of the session before from another one', async () => {
    let answer: (() => void) | undefined
    const origin = await serve((_, response) => {
      answer = () => response.writeHead(200, { 'x-refreshed-token': NEWER }).end()
    })
    const [one, two] = tabs(origin, OLD)
    const late = two.api(origin)
    await eventually(() => expect(answer).toBeDefined())
    const steppedUp = tokenFor(2, { acr: '2' })
    one.api.setToken(steppedUp)
    await eventually(() => expect(two.api.token()).toBe(steppedUp))
    answer?.()
    await late
    expect([one.api.token(), two.api.token()]).toEqual([steppedUp, steppedUp])
    const channel = new BroadcastChannel(`tabs-${count}`)
    channel.postMessage({ next: NEWER, of: OLD })
    channel.postMessage({ ended: 'heard', reason: 'token_expired' })
    channel.postMessage(null)
    channel.postMessage({ began: 'no token' })
    channel.postMessage({ began: NEW })
    await eventually(() => expect(one.api.token()).not.toBe(steppedUp))
    channel.close()
    expect([one.api.token(), one.ended]).toEqual([NEW, []])
  })

  test('do not lose a newer token to the end of an old one', async () => {
    const [one, two] = tabs('https://api.example.com', OLD)
    const apart = clientOf('https://api.example.com', OLD, { channel: 'apart' })
    two.api.setToken(NEW)
    await eventually(() => expect(one.api.token()).toBe(NEW))
    const channel = new BroadcastChannel(`tabs-${count}`)
    channel.postMessage({ ended: OLD, reason: 'token_expired' })
    channel.postMessage({ next: NEWER })
    await eventually(() => expect(one.api.token()).toBe(NEWER))
    channel.close()
    expect([one.ended, two.ended, apart.api.token()]).toEqual([[], [], OLD])
  })

  test('in one process of Node nothing is shared unless the channel is named', async () => {
    const [alice, bob] = [clientOf('https://api.example.com'), clientOf('https://api.example.com')]
    const channel = new BroadcastChannel(KEY)
    const heard = vi.fn()
    channel.onmessage = heard
    alice.api.setToken(OLD)
    channel.postMessage({ began: NEW })
    await new Promise(setImmediate)
    channel.close()
    expect([bob.api.token(), alice.api.token(), heard.mock.calls]).toEqual([null, OLD, []])
  })
})

test('a gate hands over the next token, and takes it', async () => {
  const world = createWorld()
  const app = await startEchoOrigin()
  try {
    const refresh = `refresh: { window: 60s, key: ${world.signingKey()} }\n`
    const gate = await startGateway(world.settings(app.url, refresh))
    const origin = `http://127.0.0.1:${gate.port}`
    const nowSeconds = Math.floor(Date.now() / 1000)
    const first = world.mint({ iat: nowSeconds - 100, exp: nowSeconds + 30 })
    const { api, ended } = clientOf(origin, first)
    expect((await api(`${origin}/orders`)).status).toBe(200)
    const next = api.token()
    expect(next).not.toBe(first)
    expect((await api(`${origin}/orders`)).status).toBe(200)
    expect(app.seen.at(-1)?.rawHeaders).toContain(`Bearer ${next}`)
    api.setToken(`${next}x`)
    expect((await api(`${origin}/orders`)).status).toBe(401)
    expect(ended).toEqual(['token_malformed'])
  } finally {
    await stopGateways()
    await app.close()
    world.remove()
  }
})

describe('a token that vanishes from the storage', () => {
  test('ends the session, once, with the next request or answer', async () => {
    const seen: unknown[] = []
    const origin = await serve((request, response) => {
      seen.push(tokenOf(request))
      if (request.url === '/clear') storage.removeItem(KEY)
      response.end()
    })
    const storage = memory(OLD)
    const ended: string[] = []
    const api = withRefresh(fetch, storage, { origins: [origin], onSessionEnd: (reason) => ended.push(reason) })
    storage.removeItem(KEY)
    await api(origin)
    await api(origin)
    expect([seen, ended]).toEqual([[undefined, undefined], ['signed_out']])
    api.setToken(NEW)
    await api(`${origin}/clear`)
    expect(ended).toEqual(['signed_out', 'signed_out'])
  })
})

describe('setToken', () => {
  test.each([
    [undefined],
    [null],
    [''],
    ['undefined'],
    [7],
    [{ token: OLD }],
    [`Bearer ${OLD}`],
    [` ${OLD}`],
    [`${OLD}\n`],
    ['a.b'],
  ])('throws for %j, which is no token, and leaves the session as it is', (text) => {
    const { api, ended } = clientOf('https://api.example.com', OLD)
    expect(() => api.setToken(text as string)).toThrow(TypeError)
    expect([api.token(), ended]).toEqual([OLD, []])
  })
})

describe('the module', () => {
  test('imports nothing, and is smaller than 2.3 kB compressed', async () => {
    expect(readFileSync(SOURCE, 'utf8')).not.toMatch(/^\s*(import|export .* from)\b|\bimport\(|\brequire\(/m)
    const { outputFiles } = await build({ entryPoints: [SOURCE], minify: true, format: 'esm', write: false })
    expect(gzipSync(outputFiles[0]?.contents ?? '').length).toBeLessThan(2_300)
  })

  test('does not keep a process from ending', async () => {
    const script = `
      import { withRefresh } from ${JSON.stringify(SOURCE)}
      withRefresh(fetch, { getItem: () => null, setItem() {}, removeItem() {} }, { channel: 'open' })`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 20_000,
    })
    expect(stdout).toBe('')
  })
})
