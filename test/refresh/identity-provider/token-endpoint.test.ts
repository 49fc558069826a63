import { Agent, fetch as fetchWithAgent } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import type { Fetch } from '../../../src/outbound-http/fetch.ts'
import type { ClientCredentials } from '../../../src/refresh/identity-provider/client-authentication.ts'
import type { ExchangeError } from '../../../src/refresh/identity-provider/exchange-error.ts'
import { createTokenEndpoint } from '../../../src/refresh/identity-provider/token-endpoint.ts'
import { eventually } from '../../support/eventually.ts'
import { type Answer, type Asked, issue, refuseWith, startTokenEndpoint } from '../../support/token-endpoint.ts'

const SECRET = 'se:cret+with%every thing'
const SUBJECT_TOKEN = 'subject.token.text'
const closing: (() => Promise<void>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

const NOW_MS = Date.parse('2026-12-01T10:00:00Z')
const bySecret: ClientCredentials = { method: 'client_secret_basic', secret: SECRET }

async function createWorld(answer: Answer, deadlineMs = 5_000, credentials = bySecret) {
  const endpoint = await startTokenEndpoint(answer)
  closing.push(endpoint.close)
  const { exchange: ask, refresh } = createTokenEndpoint({
    tokenEndpoint: endpoint.url,
    clientId: 'side:gate',
    credentials,
    deadlineMs,
    fetch: globalThis.fetch,
    clock: () => NOW_MS,
  })
  return { endpoint, ask, refresh }
}

const failureOf = (asked: Promise<unknown>): Promise<ExchangeError> =>
  asked.then(
    () => Promise.reject(new Error('Expected a failure')),
    (error: ExchangeError) => error,
  )

describe('exchanging a token at the token endpoint', () => {
  it('asks as RFC 8693 says, and proves who asks as RFC 6749 section 2.3.1 says', async () => {
    const { endpoint, ask } = await createWorld(issue('next.token.text'))
    expect(await ask(SUBJECT_TOKEN, 'read write')).toBe('next.token.text')
    expect(Object.fromEntries(endpoint.asked[0]?.form ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: SUBJECT_TOKEN,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'read write',
    })
    const basic = Buffer.from(endpoint.asked[0]?.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
    expect(basic).toBe(`side%3Agate:${new URLSearchParams({ '': SECRET }).toString().slice(1)}`)
  })

  it('asks for no scope where the token has none', async () => {
    const { endpoint, ask } = await createWorld(issue('next.token.text'))
    await ask(SUBJECT_TOKEN, undefined)
    expect(endpoint.asked[0]?.form.has('scope')).toBe(false)
  })

  const troubles: Record<string, [answer: Answer, message: string, concerns: ExchangeError['concerns']]> = {
    'status 500': [refuseWith(500, {}), 'status is 500', 'provider'],
    'a failure of the provider in its own words': [
      refuseWith(500, { error: 'server_error', error_description: 'Out of memory' }),
      'the provider answers 500 "server_error", "Out of memory"',
      'provider',
    ],
    'status 429': [refuseWith(429, { error: 'slow_down' }), 'the provider answers 429 "slow_down"', 'provider'],
    'a secret that is not accepted': [
      refuseWith(401, { error: 'invalid_client', error_description: SECRET }),
      'the provider answers 401 "invalid_client"',
      'provider',
    ],
    'a grant type that it does not know': [
      refuseWith(400, { error: 'unsupported_grant_type' }),
      'the provider answers 400 "unsupported_grant_type"',
      'provider',
    ],
    'a token that is valid no more': [
      refuseWith(400, { error: 'invalid_grant', error_description: SUBJECT_TOKEN }),
      'the provider answers 400 "invalid_grant": the session is over',
      'session',
    ],
    'a token that it does not accept': [
      refuseWith(400, { error: 'invalid_request', error_description: SUBJECT_TOKEN }),
      'the provider answers 400 "invalid_request"',
      'token',
    ],
    'an error that repeats the token': [
      refuseWith(400, { error: `invalid_grant ${SUBJECT_TOKEN}` }),
      'the provider answers 400 "invalid_grant …"',
      'token',
    ],
    HTML: [
      (_, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'the answer is not a token response (RFC 6749 section 5.1)',
      'token',
    ],
    'an answer without a token': [
      refuseWith(200, { token_type: 'Bearer' }),
      'the answer is not a token response (RFC 6749 section 5.1)',
      'token',
    ],
    'an ID token': [
      issue('next.token.text', { issued_token_type: 'urn:ietf:params:oauth:token-type:id_token' }),
      'the provider issued a token of another type',
      'token',
    ],
    'an endless answer': [
      async (_, res) => {
        res.writeHead(200, { 'content-type': 'application/json' })
        while (!res.destroyed && (res.write('x'.repeat(16_384)) || true)) await new Promise((go) => setImmediate(go))
      },
      'the answer is larger than 65536 bytes',
      'token',
    ],
    'a broken connection': [(_, res) => void res.destroy(), 'other side closed', 'provider'],
    'no content': [
      (_, res) => void res.writeHead(204).end(),
      'status is 204, and the answer is not a token response (RFC 6749 section 5.1)',
      'token',
    ],
    'an error with status 200': [
      refuseWith(200, { error: 'invalid_grant', access_token: null }),
      'the provider answers 200 "invalid_grant": the session is over',
      'session',
    ],
    'a session that is over, with status 401': [
      refuseWith(401, { error: 'invalid_grant', error_description: 'Token is not active' }),
      'the provider answers 401 "invalid_grant", "Token is not active": the session is over',
      'session',
    ],
    'what to mend': [
      refuseWith(403, { error: 'access_denied', error_description: 'Client is not within the token audience' }),
      'the provider answers 403 "access_denied", "Client is not within the token audience"',
      'token',
    ],
  }
  for (const [name, [answer, message, concerns]] of Object.entries(troubles)) {
    it(`says in plain words, without token and secret: ${name}`, async () => {
      const { ask } = await createWorld(answer)
      const error = await failureOf(ask(SUBJECT_TOKEN, undefined))
      expect(error.message).toBe(`Cannot exchange a token: ${message}`)
      expect(error.concerns).toBe(concerns)
    })
  }

  it('follows no redirect, which would take the token and the secret along', async () => {
    const elsewhere = await createWorld(issue('stolen.token.text'))
    const { ask } = await createWorld((_, res) => void res.writeHead(307, { location: elsewhere.endpoint.url }).end())
    expect((await failureOf(ask(SUBJECT_TOKEN, undefined))).message).toBe('Cannot exchange a token: status is 307')
    expect(elsewhere.endpoint.asked).toEqual([])
  })

  it('gives up on an answer that drips', async () => {
    const { ask } = await createWorld((_, res) => {
      res.writeHead(200, { 'content-type': 'application/json' })
      const drip = setInterval(() => res.write(' '), 10)
      res.on('close', () => clearInterval(drip))
    }, 100)
    expect((await failureOf(ask(SUBJECT_TOKEN, undefined))).message).toBe(
      'Cannot exchange a token: no answer within 0.1 s',
    )
  })

  it('says when nobody listens', async () => {
    const { endpoint, ask } = await createWorld(issue('x'))
    await endpoint.close()
    expect((await failureOf(ask(SUBJECT_TOKEN, undefined))).message).toMatch(
      /^Cannot exchange a token: connect ECONNREFUSED/,
    )
  })
})

describe('the words of the provider', () => {
  const TRACE = '8a6a1a32-3cf5-4b5b-9d1c-0b8f0f3a9e11'
  const hex = 'deadbeef'.repeat(5)
  const said: Record<string, [description: unknown, shown: string | undefined]> = {
    // holds: token-in-provider-words
    'on one line, without what a terminal acts on': ['a\r\nb\u001b[31m\u202ec\u0000\u2028d', '"a b [31m c d"'],
    'without quotes that would end them': ['say "no"', `"say 'no'"`],
    'no longer than 200 characters': ['word '.repeat(900), `"${'word '.repeat(40)}…"`],
    'without the secret': [`bad secret ${SECRET}.`, '"bad secret …."'],
    'without the secret as a form spells it': [`bad ${encodeURIComponent(SECRET)}`, '"bad …"'],
    // holds: token-in-provider-words
    'without the token': [`token ${SUBJECT_TOKEN} is bad`, '"token … is bad"'],
    'without a part of the token': [`token ${SUBJECT_TOKEN.slice(2, 12)} is bad`, '"token … is bad"'],
    'without what looks like another token': [`code ${hex} and eyJhbGciOiJub25lIn0.e30.`, '"code … and …"'],
    'without a token that is cut off where we stop to read': [
      `${'a '.repeat(990)}${'x1'.repeat(40)}`,
      `"${'a '.repeat(100)}…"`,
    ],
    'with the id that support asks for': [
      `AADSTS50013: no key. Trace ID: ${TRACE}`,
      `"AADSTS50013: no key. Trace ID: ${TRACE}"`,
    ],
    'with names and addresses of pages': [
      'see https://id.example.com/docs/errors/audience for requested_subject_token_type',
      '"see https://id.example.com/docs/errors/audience for requested_subject_token_type"',
    ],
    'in other scripts': ['Токен недействителен', '"Токен недействителен"'],
    'that say nothing': [' \u0000 ', undefined],
    'that are no text': [{ secret: SECRET }, undefined],
  }
  it.each(Object.entries(said))('are told %s', async (_, [description, shown]) => {
    const { ask } = await createWorld(refuseWith(400, { error: 'invalid_target', error_description: description }))
    const more = shown === undefined ? '' : `, ${shown}`
    expect((await failureOf(ask(SUBJECT_TOKEN, undefined))).message).toBe(
      `Cannot exchange a token: the provider answers 400 "invalid_target"${more}`,
    )
  })
})

describe('the words of something that is no OAuth server', () => {
  const said: Record<string, [body: string, shown: string]> = {
    'a problem document': ['{"title":"Forbidden","detail":"Not from this network"}', ', "Not from this network"'],
    'an error that is an object': ['{"error":{"code":403,"message":"Quota exceeded"}}', ', "Quota exceeded"'],
    'an error of some API': ['{"errorCode":"E0000006","errorSummary":"No permission"}', ', "No permission"'],
    'a description alone': ['{"error_description":"No such client"}', ', "No such client"'],
    'plain text': [`denied for ${SUBJECT_TOKEN}\r\n`, ', "denied for …"'],
    'a page': ['<html>no</html>', ''],
    nothing: ['', ''],
  }
  it.each(Object.entries(said))('are told as well: %s', async (_, [body, shown]) => {
    const { ask } = await createWorld((_asked, res) => void res.writeHead(403).end(body))
    expect((await failureOf(ask(SUBJECT_TOKEN, undefined))).message).toBe(
      `Cannot exchange a token: status is 403${shown}`,
    )
  })
})

describe('a provider that wants to be left alone', () => {
  const asked: Record<string, [retryAfter: string, milliseconds: number]> = {
    'for some seconds': ['60', 60_000],
    'until some time': ['Tue, 01 Dec 2026 10:01:00 GMT', 60_000],
    'for a day: no longer than five minutes': ['86400', 300_000],
    'for ever': ['9'.repeat(400), 300_000],
    'until yesterday': ['Mon, 30 Nov 2026 10:00:00 GMT', 0],
    'in words that are neither': ['soon', 0],
  }
  it.each(Object.entries(asked))('%s', async (_, [retryAfter, milliseconds]) => {
    for (const status of [429, 503]) {
      const { ask } = await createWorld(
        (_asked, res) => void res.writeHead(status, { 'retry-after': retryAfter }).end(),
      )
      expect(await failureOf(ask(SUBJECT_TOKEN, undefined))).toMatchObject({ retryAfterMs: milliseconds })
    }
  })
})

describe('whether the provider may have acted', () => {
  const cut: Answer = (_, res) => {
    const body = JSON.stringify({ access_token: 'a.b.c', token_type: 'Bearer', refresh_token: 'rotated' })
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    res.write(body.slice(0, -20), () => res.destroy())
  }
  const answers: Record<string, [answer: Answer, isInDoubt: boolean]> = {
    'no answer in time': [() => {}, true],
    'an answer that is cut short': [cut, true],
    'a connection that breaks': [(_, res) => void res.destroy(), true],
    'a page with status 200': [(_, res) => void res.end('<html>'), true],
    'an empty answer': [(_, res) => void res.writeHead(204).end(), true],
    'a gateway that waited in vain': [refuseWith(504, {}), true],
    'an error in its own words': [refuseWith(400, { error: 'invalid_request' }), false],
    'status 500': [refuseWith(500, {}), false],
    'status 429': [refuseWith(429, {}), false],
    'a redirect': [(_, res) => void res.writeHead(307, { location: '/' }).end(), false],
  }
  it.each(Object.entries(answers))('is told of %s', async (name, [answer, isInDoubt]) => {
    const { refresh } = await createWorld(answer, name === 'no answer in time' ? 500 : 5_000)
    expect(await failureOf(refresh('held', undefined))).toMatchObject({ isInDoubt })
  })

  it('is told of nobody who listens, and of a request that waits for a connection: it never went out', async () => {
    const { endpoint, refresh } = await createWorld(issue('x'))
    await endpoint.close()
    expect((await failureOf(refresh('held', undefined))).isInDoubt).toBe(false)
    const { url, asked, close } = await startTokenEndpoint(() => {})
    closing.push(close)
    const lone = new Agent({ connections: 1 })
    closing.push(() => lone.destroy())
    const fetchAlone = ((to: string, init: object) =>
      fetchWithAgent(to, { ...init, dispatcher: lone })) as unknown as Fetch
    const parts = { tokenEndpoint: url, clientId: 'c', credentials: bySecret, fetch: fetchAlone, clock: () => NOW_MS }
    const { refresh: refreshAlone } = createTokenEndpoint({ ...parts, deadlineMs: 20_000 })
    const first = failureOf(refreshAlone('first', undefined))
    await eventually(() => expect(asked).toHaveLength(1))
    expect(await failureOf(refreshAlone('second', undefined, 200))).toMatchObject({ isInDoubt: false })
    await close()
    expect((await first).isInDoubt).toBe(true)
  })
})

describe('the client', () => {
  it('proves itself in the form with client_secret_post', async () => {
    const { endpoint, ask } = await createWorld(issue('next.token.text'), 5_000, {
      ...bySecret,
      method: 'client_secret_post',
    })
    await ask(SUBJECT_TOKEN, undefined)
    const [{ authorization, form }] = endpoint.asked as [Asked]
    expect(authorization).toBeUndefined()
    expect([form.get('client_id'), form.get('client_secret')]).toEqual(['side:gate', SECRET])
  })

  it('proves itself by an assertion of its own each time with private_key_jwt', async () => {
    const signed: Record<string, unknown>[] = []
    const { endpoint, ask } = await createWorld(issue('next.token.text'), 5_000, {
      method: 'private_key_jwt',
      audience: 'https://id.example.com',
      clock: () => NOW_MS,
      sign: async (claims) => `assertion-${signed.push(claims)}`,
    })
    await ask(SUBJECT_TOKEN, undefined)
    await ask(SUBJECT_TOKEN, undefined)
    const times = { iat: NOW_MS / 1000, exp: NOW_MS / 1000 + 60 }
    const claims = {
      iss: 'side:gate',
      sub: 'side:gate',
      aud: 'https://id.example.com',
      jti: expect.any(String),
      ...times,
    }
    expect(signed).toEqual([claims, claims])
    expect(signed[0]?.jti).not.toBe(signed[1]?.jti)
    expect(endpoint.asked.map(({ form }) => form.get('client_assertion'))).toEqual(['assertion-1', 'assertion-2'])
    expect(endpoint.asked.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
    expect(endpoint.asked[0]?.form.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    )
  })
})

describe('using a refresh token at the token endpoint', () => {
  const odd: Record<string, Record<string, unknown>> = {
    'a scope of null': { scope: null },
    'a scope that is a list': { scope: ['read'] },
    'a lifetime of null': { expires_in: null },
    'a lifetime below nothing': { expires_in: -1 },
    'a lifetime in words': { expires_in: 'never' },
    'no token type': { token_type: undefined },
    'another token type': { token_type: 'N_A' },
    'a token type of null': { token_type: null },
    'an ID token that is none': { id_token: 7 },
    'an issued token type that is none': { issued_token_type: null },
    'an error of null': { error: null },
  }
  it.each(Object.entries(odd))('keeps both tokens of an answer with %s', async (_, members) => {
    const { refresh } = await createWorld(issue('next.token.text', { refresh_token: 'rotated', ...members }))
    expect(await refresh('held', undefined)).toEqual({ token: 'next.token.text', refreshToken: 'rotated' })
  })

  const spelled: Record<string, (body: string) => Answer> = {
    'status 201': (body) => (_, res) => void res.writeHead(201, { 'content-type': 'application/json' }).end(body),
    'another content type': (body) => (_, res) => void res.writeHead(200, { 'content-type': 'text/plain' }).end(body),
    'no content type': (body) => (_, res) => void res.end(body),
    'a byte order mark': (body) => (_, res) => void res.end(`\ufeff${body}`),
  }
  it.each(Object.entries(spelled))('keeps both tokens of an answer with %s', async (_, answer) => {
    const body = JSON.stringify({ access_token: 'next.token.text', token_type: 'Bearer', refresh_token: 'rotated' })
    const { refresh } = await createWorld(answer(body))
    expect(await refresh('held', undefined)).toEqual({ token: 'next.token.text', refreshToken: 'rotated' })
  })

  it.each([[''], [null], [7], [['a']]])('goes on with the same refresh token where the new one is %j', async (none) => {
    const { refresh } = await createWorld(issue('next.token.text', { refresh_token: none }))
    expect(await refresh('held', undefined)).toEqual({ token: 'next.token.text', refreshToken: 'held' })
  })

  it.each([[''], [null], [7], [undefined]])(
    'keeps a refresh token that comes with the access token %j',
    async (none) => {
      const { refresh } = await createWorld(refuseWith(200, { access_token: none, refresh_token: 'rotated' }))
      expect(await refresh('held', undefined)).toEqual({ token: undefined, refreshToken: 'rotated' })
    },
  )

  const idToken = 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJzb21lYm9keSJ9.'

  it('asks as RFC 6749 section 6 says, and keeps the refresh token that comes back', async () => {
    const { endpoint, refresh } = await createWorld(issue('next.token.text', { refresh_token: 'rotated' }))
    expect(await refresh('held', 'read')).toEqual({ token: 'next.token.text', refreshToken: 'rotated' })
    expect(Object.fromEntries(endpoint.asked[0]?.form ?? [])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'held',
      scope: 'read',
    })
  })

  it('goes on with the same refresh token where no other one comes', async () => {
    const { refresh } = await createWorld(issue('next.token.text'))
    expect(await refresh('held', undefined)).toEqual({ token: 'next.token.text', refreshToken: 'held' })
  })

  it('reads no ID token, whoever issued it', async () => {
    const { refresh } = await createWorld(issue('next.token.text', { refresh_token: 'rotated', id_token: idToken }))
    expect((await refresh('held', undefined)).refreshToken).toBe('rotated')
  })

  it('says that the session is over where the refresh token is valid no more, without a word of it', async () => {
    const { refresh } = await createWorld(refuseWith(400, { error: 'invalid_grant', error_description: 'held' }))
    const error = await failureOf(refresh('held', undefined))
    expect(error.message).toBe('Cannot exchange a token: the provider answers 400 "invalid_grant": the session is over')
    expect(error.concerns).toBe('session')
  })
})
