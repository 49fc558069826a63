import { afterEach, describe, expect, it } from 'vitest'
import { createTokenEndpoint, type ExchangeError } from '../../src/refresh/token-endpoint.ts'
import { type Answer, issue, refuseWith, startTokenEndpoint } from '../support/token-endpoint.ts'

const SECRET = 'se:cret+with%every thing'
const SUBJECT_TOKEN = 'subject.token.text'
const closing: (() => Promise<void>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

async function createWorld(answer: Answer, deadlineMs = 5_000) {
  const endpoint = await startTokenEndpoint(answer)
  closing.push(endpoint.close)
  const { exchange: ask, refresh } = createTokenEndpoint({
    tokenEndpoint: endpoint.url,
    clientId: 'side:gate',
    clientSecret: SECRET,
    deadlineMs,
    fetch: globalThis.fetch,
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
    'status 500': [refuseWith(500, { error: 'server_error' }), 'status is 500', 'provider'],
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
      'the provider answers 400 "an error of its own"',
      'token',
    ],
    HTML: [
      (_, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'the answer is not a token response (RFC 6749 section 5.1)',
      'provider',
    ],
    'an answer without a token': [
      refuseWith(200, { token_type: 'Bearer' }),
      'the answer is not a token response (RFC 6749 section 5.1)',
      'provider',
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
      'provider',
    ],
    'a broken connection': [(_, res) => void res.destroy(), 'other side closed', 'provider'],
    'no content': [(_, res) => void res.writeHead(204).end(), 'status is 204', 'provider'],
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

describe('using a refresh token at the token endpoint', () => {
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
