// The door for refresh tokens on the admin port, on a running gate with a real Redis.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ExchangeFleet, startExchangeFleet } from '../../support/exchange-fleet.ts'
import { ADMIN_TOKEN, type Gateway, stopGateways } from '../../support/gateway.ts'

let fleet: ExchangeFleet
let gate: Gateway
beforeAll(async () => {
  fleet = await startExchangeFleet()
})
beforeEach(async () => {
  await fleet.redis.command('flushall')
  gate = await fleet.start({ grant: 'refresh-token' })
})
afterEach(() => stopGateways())
afterAll(() => fleet.stop())

const bearer = { authorization: `Bearer ${ADMIN_TOKEN}` }
const post = (body: unknown, headers: Record<string, string> = bearer, to = gate) =>
  to.admin('/refresh-tokens', {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const detailOf = async (response: Response) => ((await response.json()) as { detail: string }).detail
const refreshToken = 'refresh-token-of-the-tests'

describe('handing in a refresh token', () => {
  test('is 204, with an empty body and an audit line that names neither token nor person', async () => {
    const token = fleet.due()
    const response = await post({ token, refreshToken })
    expect(response.status).toBe(204)
    expect(await response.text()).toBe('')
    const audit = gate.lines.filter((line) => line.audit !== undefined)
    expect(audit).toMatchObject([{ audit: 'refresh_token', actor: 'admin API, 127.0.0.1', msg: 'Refresh token kept' }])
    for (const secret of [token, token.split('.')[1], refreshToken, 'alice'])
      expect(JSON.stringify(gate.lines)).not.toContain(secret)
  })

  test.each([
    ['no admin token', {}],
    ['a wrong one', { authorization: 'Bearer wrong' }],
    ['the access token', { authorization: 'Bearer access' }],
  ])('with %s is 401 with a challenge, and keeps nothing', async (_, headers) => {
    const response = await post({ token: fleet.due(), refreshToken }, headers as Record<string, string>)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect((await fleet.entries()).keys).toEqual([])
  })

  test('shares the limit on wrong admin tokens with the revocation API', async () => {
    for (let n = 0; n < 10; n++) await gate.admin('/revocations', { headers: { authorization: `Bearer guess-${n}` } })
    expect((await post({}, { authorization: 'Bearer guess' })).status).toBe(429)
    expect((await post({ token: fleet.due(), refreshToken })).status).toBe(204)
  })

  test('is a POST and nothing else', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await gate.admin('/refresh-tokens', { method, headers: bearer })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    }
  })

  test('does not exist where the settings ask for no refresh tokens', async () => {
    const other = await fleet.start()
    expect((await post({ token: fleet.due(), refreshToken }, bearer, other)).status).toBe(404)
  })

  const good = () => ({ token: fleet.due(), refreshToken })
  const wrong: Record<string, () => unknown> = {
    'no JSON': () => 'token=a&refreshToken=b',
    'a list': () => [good()],
    nothing: () => 'null',
    'no access token': () => ({ refreshToken }),
    'no refresh token': () => ({ token: fleet.due() }),
    'an empty refresh token': () => ({ ...good(), refreshToken: '' }),
    'a number as refresh token': () => ({ ...good(), refreshToken: 7 }),
    'a line break in the refresh token': () => ({ ...good(), refreshToken: 'a\nb' }),
    'a member of another name': () => ({ ...good(), subject: 'alice' }),
  }
  test.each(Object.entries(wrong))('with %s is 400 and says what is expected', async (_, body) => {
    const response = await post(body())
    expect(response.status).toBe(400)
    expect(await detailOf(response)).toBe(
      'Send { "token": "<access token>", "refreshToken": "<refresh token>" } as JSON',
    )
    expect((await fleet.entries()).keys).toEqual([])
  })

  test('with a refresh token that gates would not keep is 400 and says how long it may be', async () => {
    expect((await post({ ...good(), refreshToken: 'x'.repeat(8192) })).status).toBe(204)
    const response = await post({ ...good(), refreshToken: 'x'.repeat(8193) })
    expect(response.status).toBe(400)
    expect(await detailOf(response)).toBe('A refresh token may have 8192 bytes; gates keep none that is longer')
  })

  test('with a body beyond 32 KiB is 413', async () => {
    expect((await post({ ...good(), refreshToken: 'x'.repeat(33_000) })).status).toBe(413)
  })

  const refused: Record<string, readonly [token: () => string, reason: string]> = {
    'an expired token': [() => fleet.due({ exp: 1_000_000_000 }), 'token_expired'],
    'a text that is no token': [() => 'token', 'token_malformed'],
    'a token with another signature': [
      () => `${fleet.due().split('.').slice(0, 2).join('.')}.AAAA`,
      'signature_invalid',
    ],
    'a token that is too long': [() => fleet.due({ pad: 'x'.repeat(9000) }), 'token_too_large'],
  }
  test.each(Object.entries(refused))('for %s is 422 with the reason alone', async (_, [token, reason]) => {
    const response = await post({ token: token(), refreshToken })
    expect([response.status, await detailOf(response)]).toEqual([422, `The gate refuses the token: ${reason}`])
    expect((await fleet.entries()).keys).toEqual([])
  })

  test('for a revoked token is 422', async () => {
    const token = fleet.due({ jti: 'revoked' })
    await gate.admin('/revocations', {
      method: 'POST',
      headers: bearer,
      body: JSON.stringify({ kind: 'token', value: 'revoked' }),
    })
    expect(await detailOf(await post({ token, refreshToken }))).toBe('The gate refuses the token: token_revoked')
  })

  test('is 503 while Redis is away, and never says yes to what is not kept', async () => {
    await fleet.redis.halt()
    try {
      const response = await post(good())
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
      expect(await detailOf(response)).toBe('Redis did not take the refresh token')
    } finally {
      await fleet.redis.resume()
    }
  })

  test('leaves the other paths to the others', async () => {
    expect((await gate.admin('/refresh-tokens/', { headers: bearer })).status).toBe(404)
    expect((await gate.admin('/revocations', { headers: bearer })).status).toBe(200)
  })
})
