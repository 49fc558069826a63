import { afterEach, describe, expect, it } from 'vitest'
import { credential, type Permit, type TokenSource, type VerifiedToken } from '../../../src/model/decision.ts'
import { createExchanger, type ExchangerParts } from '../../../src/refresh/identity-provider/exchange.ts'
import { StoreError } from '../../../src/refresh/identity-provider/exchange-lock.ts'
import { createJudge } from '../../../src/refresh/identity-provider/judgement.ts'
import { createLoneExchange, type Obtain } from '../../../src/refresh/identity-provider/obtain.ts'
import { createTokenEndpoint } from '../../../src/refresh/identity-provider/token-endpoint.ts'
import { createAdmission } from '../../support/admission.ts'
import { eventually } from '../../support/eventually.ts'
import { type Answer, issue, refuseWith, startTokenEndpoint } from '../../support/token-endpoint.ts'
import { goodClaims, makeKey, NOW_SECONDS, signToken } from '../../support/tokens.ts'

const key = makeKey('ES256')
const stranger = makeKey('ES256')
const closing: (() => Promise<void>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

/** A token that has 30 s left, and the ones that a provider could issue for it. */
const due = (claims: Record<string, unknown> = {}) => signToken(key, goodClaims({ exp: NOW_SECONDS + 30, ...claims }))
const next = (claims: Record<string, unknown> = {}) => signToken(key, goodClaims({ jti: 'token-2', ...claims }))

async function createWorld(answer: Answer, policy: Partial<ExchangerParts['policy']> = {}, otherwise?: Obtain) {
  const endpoint = await startTokenEndpoint(answer)
  closing.push(endpoint.close)
  const clock = { nowMs: NOW_SECONDS * 1000, monotonicMs: 0 }
  const [results, problems]: [string[], string[]] = [[], []]
  const { verify, admit, revoked } = createAdmission(key, () => clock.nowMs)
  const fullPolicy = {
    windowSeconds: 60,
    lifetimeSeconds: 300,
    maxSessionSeconds: 3600,
    timeoutMs: 5_000,
    maxBytes: 8192,
    header: 'x-refreshed-token',
    cookie: { path: '/', sameSite: 'Lax', secure: true, httpOnly: true, domain: undefined },
    ...policy,
  } as const
  const provider = createTokenEndpoint({
    tokenEndpoint: endpoint.url,
    clientId: 'sidegate',
    credentials: { method: 'client_secret_basic', secret: 'the-client-secret' },
    deadlineMs: 5_000,
    fetch: globalThis.fetch,
    clock: () => clock.nowMs,
  })
  const refresh = createExchanger({
    policy: fullPolicy,
    obtain:
      otherwise ?? createLoneExchange(provider, createJudge({ policy: fullPolicy, admit, clock: () => clock.nowMs })),
    admit,
    clock: () => clock.nowMs,
    monotonic: () => clock.monotonicMs,
    observe: (_, result) => results.push(result),
    report: (_, problem) => problems.push(problem),
  })
  /** What a request with this token gets. */
  const request = async (text: string, source: TokenSource = { header: 'authorization' }) => {
    const token = (await verify(text)) as VerifiedToken
    return refresh({
      decision: 'permit',
      token,
      sources: [source],
      wouldRefuse: undefined,
      [credential]: text,
    } as unknown as Permit)
  }
  return { endpoint, clock, results, problems, revoked, refresh, request, verify }
}

const subjectOf = (text: string | null) =>
  JSON.parse(Buffer.from(text?.split('.')[1] ?? '', 'base64url').toString()).sub as string

/** Answers as is said for this person, and issues the next token to everybody else. */
function bySubject(answers: Record<string, Answer>): Answer {
  return (asked, res, req) => {
    const sub = subjectOf(asked.form.get('subject_token'))
    return (answers[sub] ?? issue(next({ sub })))(asked, res, req)
  }
}

/** What was given out, of all that was asked for. */
const givenOf = <Given>(all: readonly (Given | undefined)[]) => all.filter((given) => given !== undefined)

const carrying = (text: string) => [{ name: 'x-refreshed-token', value: text }]

describe('exchanging tokens', () => {
  it('gives what the provider issues, in the header or, where the token came in one, in the cookie alone', async () => {
    const issued = next()
    const { request, results } = await createWorld(issue(issued))
    expect(await request(due())).toEqual(carrying(issued))
    expect(await request(due({ jti: 'other' }), { cookie: 'session' })).toEqual([
      {
        name: 'set-cookie',
        value: `session=${issued}; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax`,
      },
    ])
    expect(results).toEqual(['issued', 'issued'])
  })

  it('asks nobody, and answers at once, before the window begins or without a token', async () => {
    const { refresh, verify, endpoint, results } = await createWorld(issue(next()))
    const text = signToken(key, goodClaims({ exp: NOW_SECONDS + 61 }))
    const token = (await verify(text)) as VerifiedToken
    expect(refresh({ token, sources: [], [credential]: text } as unknown as Permit)).toBeUndefined()
    expect(refresh({ token: undefined, sources: [] } as unknown as Permit)).toBeUndefined()
    expect([endpoint.asked, results]).toEqual([[], []])
  })

  // holds: provider-asked-at-once
  it('asks once for a hundred requests at a time, and never again for the same token', async () => {
    const issued = next()
    const { endpoint, request, refresh, verify } = await createWorld(issue(issued))
    const text = due()
    const all = await Promise.all(Array.from({ length: 100 }, () => request(text)))
    expect(all).toEqual(all.map(() => carrying(issued)))
    const token = (await verify(text)) as VerifiedToken
    expect(refresh({ token, sources: [], [credential]: text } as unknown as Permit)).toEqual(carrying(issued))
    expect(endpoint.asked).toHaveLength(1)
  })

  it('never gives one token what was issued for another of the same jti', async () => {
    const { request, endpoint } = await createWorld((asked, res, req) => {
      const claims = JSON.parse(
        Buffer.from(asked.form.get('subject_token')?.split('.')[1] ?? '', 'base64url').toString(),
      )
      return issue(next({ sub: claims.sub }))(asked, res, req)
    })
    const subjectOf = (given: Awaited<ReturnType<typeof request>>) =>
      JSON.parse(Buffer.from(given?.[0]?.value.split('.')[1] ?? '', 'base64url').toString()).sub
    expect(subjectOf(await request(due({ sub: 'alice' })))).toBe('alice')
    expect(subjectOf(await request(due({ sub: 'bob' })))).toBe('bob')
    expect(endpoint.asked).toHaveLength(2)
  })

  // holds: provider-asked-at-once
  it('holds no response up for longer than the time-out, and gives the token with the next one', async () => {
    const issued = next()
    let answerNow = () => {}
    const { request, results, endpoint } = await createWorld(
      (asked, res, req) =>
        new Promise((resolve) => {
          answerNow = () => resolve(issue(issued)(asked, res, req) ?? undefined)
        }),
      { timeoutMs: 20 },
    )
    const text = due()
    expect(await request(text)).toBeUndefined()
    // The time-out counts from the start of the exchange: who comes later waits no longer at all.
    expect(await Promise.race([request(text), new Promise((wait) => setTimeout(wait, 15, 'waited'))])).toBeUndefined()
    expect(results).toEqual([])
    await eventually(() => expect(endpoint.asked).toHaveLength(1))
    answerNow()
    await eventually(async () => expect(await request(text)).toEqual(carrying(issued)))
    expect(endpoint.asked).toHaveLength(1)
    expect(results).toEqual(['issued'])
  })

  describe('does not give out', () => {
    const lies: Record<string, [token: string, problem: string, result?: string]> = {
      "somebody else's token": [next({ sub: 'mallory' }), `it is somebody else's: its "sub" is another one`],
      'a token with more scopes': [next({ scope: 'admin' }), 'it has a scope that the token before had not'],
      'a token of a key that is not the issuer’s': [signToken(stranger, goodClaims()), '"signature_invalid"'],
      'a token for another audience': [next({ aud: 'payroll' }), '"audience_mismatch"'],
      'an expired token': [next({ exp: NOW_SECONDS - 1 }), '"token_expired"'],
      'the same token again': [due(), 'it ends so soon that it would need the next one at once'],
      // holds: provider-answers-line-end
      'a token with a line end': [`${next()}\r\nset-cookie: admin=1`, 'it is not a JWT in compact form'],
      'a token with a line end after it': [`${next()}\n`, 'it is not a JWT in compact form'],
      'an opaque token': ['2YotnFZFEjr1zCsicMWpAA', 'it is not a JWT in compact form'],
      'a token that we would not read': [
        next({ pad: 'x'.repeat(8192) }),
        'bytes, more than 8192',
        'own_token_too_large',
      ],
    }
    for (const [name, [token, problem, result = 'failed']] of Object.entries(lies)) {
      it(name, async () => {
        const { request, results, problems } = await createWorld(issue(token))
        expect(await request(due())).toBeUndefined()
        expect(results).toEqual([result])
        expect(problems).toEqual([expect.stringContaining(problem)])
        expect(problems.join()).not.toMatch(/ey[\w-]{10}|the-client-secret/)
      })
    }

    // holds: revoked-while-refreshed
    it('anything to who was revoked while the provider was asked', async () => {
      const { request, revoked, results, problems } = await createWorld((asked, res, req) => {
        revoked.add('token-1')
        return issue(next())(asked, res, req)
      })
      expect(await request(due())).toBeUndefined()
      expect(results).toEqual(['failed'])
      expect(problems[0]).toContain('refused by now as "token_revoked"')
    })

    it('a remembered token that was revoked since', async () => {
      const { request, revoked, results } = await createWorld(issue(next()))
      const text = due()
      expect(await request(text)).toHaveLength(1)
      revoked.add('token-2')
      expect(await request(text)).toBeUndefined()
      expect(results).toEqual(['issued', 'failed'])
    })

    it('a token that outlives the session, and asks only once', async () => {
      const { request, results, endpoint } = await createWorld(issue(next({ exp: NOW_SECONDS + 600 })))
      const text = due({ iat: NOW_SECONDS - 3600 + 599 })
      expect(await request(text)).toBeUndefined()
      expect(await request(text)).toBeUndefined()
      expect(results).toEqual(['session_over', 'session_over'])
      expect(endpoint.asked).toHaveLength(1)
    })
  })

  it('asks nobody once the session has no time left', async () => {
    const { request, results, endpoint } = await createWorld(issue(next()))
    expect(await request(due({ auth_time: NOW_SECONDS - 3570 }))).toBeUndefined()
    expect(await request(due({ iat: NOW_SECONDS - 3570 }))).toBeUndefined()
    expect(results).toEqual(['session_over', 'session_over'])
    expect(endpoint.asked).toEqual([])
  })
})

describe('backing off', () => {
  it('from a provider that fails: for all tokens, twice as long each time, up to a minute', async () => {
    const { request, clock, endpoint, problems } = await createWorld(refuseWith(503, {}))
    const gaps: number[] = []
    for (let seconds = 0; seconds < 240; seconds++) {
      clock.monotonicMs = seconds * 1000
      const before = endpoint.asked.length
      await request(due({ jti: `t-${seconds}` }))
      if (endpoint.asked.length > before) gaps.push(seconds)
    }
    expect(gaps).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183])
    expect(problems[0]).toBe('Cannot exchange a token: status is 503')
  })

  describe('from one person whose tokens fail: others get theirs at once', () => {
    const failures: Record<string, Answer> = {
      'with status 500': refuseWith(500, {}),
      'with a page': (_, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'with an answer that holds no token': refuseWith(200, {}),
      'with an error about the client': refuseWith(401, { error: 'invalid_client' }),
      'with a broken connection': (_, res) => void res.destroy(),
    }
    it.each(Object.entries(failures))('%s', async (_, failure) => {
      const { request, clock, endpoint } = await createWorld(bySubject({ mallory: failure }))
      for (let seconds = 0; seconds < 120; seconds++) {
        clock.monotonicMs = seconds * 1000
        await Promise.all([1, 2, 3].map(() => request(due({ sub: 'mallory' }))))
        if (seconds % 20 === 0) expect(await request(due({ sub: `good-${seconds}` }))).toHaveLength(1)
      }
      const asked = endpoint.asked
        .map(({ form }) => subjectOf(form.get('subject_token')))
        .filter((sub) => sub === 'mallory')
      // At 0, 1, 3, 7, 15, 31, 63: each time twice as late.
      expect(asked).toHaveLength(7)
    })

    it('by not answering, for many tokens at a time', async () => {
      const { request } = await createWorld(bySubject({ mallory: () => {} }), { timeoutMs: 4_000 })
      const hanging = Promise.all(
        Array.from({ length: 100 }, (_, i) => request(due({ sub: 'mallory', jti: `m-${i}` }))),
      )
      const good = await Promise.all(Array.from({ length: 5 }, (_, i) => request(due({ sub: `good-${i}` }))))
      expect(givenOf(good)).toHaveLength(5)
      expect(givenOf(await hanging)).toEqual([])
    })

    // holds: one-person-fails
    it('also where two fail, as soon as another one asks: who has not failed comes first', async () => {
      const failing = { mallory: refuseWith(500, {}), trudy: refuseWith(500, {}) }
      const { request, clock } = await createWorld(bySubject(failing))
      const waited: number[] = []
      for (let person = 0; person < 5; person++) {
        const startedMs = clock.monotonicMs
        for (let given: unknown; given === undefined; clock.monotonicMs += 100) {
          await request(due({ sub: 'mallory', jti: `m-${clock.monotonicMs}` }))
          await request(due({ sub: 'trudy', jti: `t-${clock.monotonicMs}` }))
          given = await request(due({ sub: `good-${person}` }))
        }
        waited.push(clock.monotonicMs - startedMs)
      }
      expect(Math.max(...waited)).toBeLessThanOrEqual(1_100)
    })
  })

  it('from a provider that fails for different people, and never tries twice in a row with one while another asks', async () => {
    const { request, clock, endpoint } = await createWorld(refuseWith(503, {}))
    for (let seconds = 0; seconds < 600; seconds++) {
      clock.monotonicMs = seconds * 1000
      for (const sub of ['alice', 'bob', 'carol']) await request(due({ sub, jti: `${sub}-${seconds}` }))
    }
    const asked = endpoint.asked.map(({ form }) => subjectOf(form.get('subject_token')))
    expect(asked.filter((subject, index) => index > 1 && subject === asked[index - 1])).toEqual([])
    expect(asked.length).toBeLessThan(15)
  })

  it('no longer than five seconds from a provider that is well again', async () => {
    const { request, clock, endpoint } = await createWorld(refuseWith(503, {}))
    const alice = due({ sub: 'alice' })
    for (let seconds = 0; seconds < 32; seconds++) {
      clock.monotonicMs = seconds * 1000
      await request(alice)
    }
    await request(due({ sub: 'bob' }))
    endpoint.answer = bySubject({})
    clock.monotonicMs = 32_000
    expect(await request(due({ sub: 'carol' }))).toHaveLength(1)
    // Without that she would wait until 63.
    clock.monotonicMs = 36_999
    expect(await request(alice)).toBeUndefined()
    clock.monotonicMs = 37_000
    expect(await request(alice)).toHaveLength(1)
  })

  it('no shorter than the provider asks for, although it works again for others', async () => {
    const { request, clock, endpoint } = await createWorld(
      bySubject({
        alice: (_, res) => void res.writeHead(429, { 'retry-after': '60' }).end(),
        bob: refuseWith(500, {}),
      }),
    )
    const ask = async (seconds: number, sub: string) => {
      clock.monotonicMs = seconds * 1000
      const before = endpoint.asked.length
      await request(due({ sub, jti: `${sub}-${seconds}` }))
      return endpoint.asked.length > before
    }
    for (const sub of ['alice', 'bob']) expect(await ask(0, sub)).toBe(true)
    expect(await ask(1, 'carol')).toBe(true)
    // Five seconds after it works again all may try; who is asked to wait for longer waits.
    for (const seconds of [6, 30, 59]) expect(await ask(seconds, 'alice')).toBe(false)
    expect(await ask(60, 'alice')).toBe(true)
  })

  it('not because of an answer that cannot be read, which does not end it either', async () => {
    const { request, clock, endpoint } = await createWorld(refuseWith(500, {}))
    for (const sub of ['alice', 'bob']) await request(due({ sub }))
    clock.monotonicMs = 1_000
    endpoint.answer = (_, res) => void res.end('<html>')
    await request(due({ sub: 'carol' }))
    expect(endpoint.asked).toHaveLength(3)
    // Still one at a time.
    endpoint.answer = bySubject({})
    const both = await Promise.all(['dave', 'erin'].map((sub) => request(due({ sub }))))
    expect(givenOf(both)).toHaveLength(1)
  })

  it('for as long as the provider asks for: one token, one person, and all once a second one is told so', async () => {
    const leaveAlone: Answer = (_, res) => void res.writeHead(503, { 'retry-after': '60' }).end()
    const { request, clock, endpoint } = await createWorld(leaveAlone)
    const askedAt: number[] = []
    for (let seconds = 0; seconds < 140; seconds++) {
      clock.monotonicMs = seconds * 1000
      const before = endpoint.asked.length
      for (const sub of ['alice', 'bob', 'carol']) await request(due({ sub, jti: `${sub}-${seconds}` }))
      for (let count = before; count < endpoint.asked.length; count++) askedAt.push(seconds)
    }
    // At 60 somebody who has not failed yet; at 135 one who has, as nobody else is left.
    expect(askedAt).toEqual([0, 0, 60, 135])
  })

  it('counts what fails together once, and then asks with one request until it works again', async () => {
    const waiting: (() => void)[] = []
    const { request, clock, endpoint, results } = await createWorld(
      (asked, res, req) =>
        new Promise((resolve) => {
          waiting.push(() => resolve(refuseWith(503, {})(asked, res, req) ?? undefined))
        }),
    )
    const ask = (name: string) => Promise.all(Array.from({ length: 20 }, (_, i) => request(due({ sub: name + i }))))
    const first = ask('a')
    await eventually(() => expect(waiting).toHaveLength(20))
    for (const answer of waiting.splice(0, 19)) answer()
    await eventually(() => expect(results).toHaveLength(19))
    clock.monotonicMs = 999
    for (const answer of waiting.splice(0)) answer()
    await first
    await ask('b')
    expect(endpoint.asked).toHaveLength(20)
    clock.monotonicMs = 1000
    const second = ask('c')
    await eventually(() => expect(waiting).toHaveLength(1))
    endpoint.answer = bySubject({})
    for (const answer of waiting.splice(0)) answer()
    await second
    clock.monotonicMs = 3000
    expect(await request(due({ jti: 'd' }))).toHaveLength(1)
    expect(givenOf(await ask('e'))).toHaveLength(20)
  })

  it('from a token that the provider does not accept: for that token alone', async () => {
    const { request, clock, endpoint } = await createWorld(refuseWith(400, { error: 'invalid_request' }))
    const text = due()
    await request(text)
    await request(text)
    expect(endpoint.asked).toHaveLength(1)
    endpoint.answer = issue(next())
    expect(await request(due({ jti: 'other' }))).toHaveLength(1)
    clock.monotonicMs = 1000
    expect(await request(text)).toHaveLength(1)
  })

  it('for good where the provider says that the session is over, which is told once', async () => {
    const { request, clock, endpoint, results, problems } = await createWorld(
      refuseWith(400, { error: 'invalid_grant' }),
    )
    const text = due()
    for (const seconds of [0, 10, 20]) {
      clock.monotonicMs = seconds * 1000
      expect(await request(text)).toBeUndefined()
    }
    expect(endpoint.asked).toHaveLength(1)
    expect(results).toEqual(['session_over', 'session_over', 'session_over'])
    expect(problems).toEqual(['Cannot exchange a token: the provider answers 400 "invalid_grant": the session is over'])
  })

  it('from another gate that is at it: waits for it once, after that only looks from time to time', async () => {
    const patience: number[] = []
    const { request, clock, results, problems } = await createWorld(issue(next()), { timeoutMs: 300 }, async (due) => {
      patience.push(due.patienceMs)
      return { result: 'elsewhere', isFresh: false }
    })
    const text = due()
    for (const ms of [0, 100, 499, 500, 900, 1000]) {
      clock.monotonicMs = ms
      expect(await request(text)).toBeUndefined()
    }
    expect(patience).toEqual([300, 0, 0])
    expect([results, problems]).toEqual([[], []])
  })

  it('tells what ails Redis once a minute, however many tokens it concerns, and counts each', async () => {
    const { request, clock, results, problems } = await createWorld(issue(next()), {}, () =>
      Promise.reject(new StoreError('Redis does not answer')),
    )
    for (const seconds of [0, 1, 59, 60]) {
      clock.monotonicMs = seconds * 1000
      await Promise.all(Array.from({ length: 20 }, (_, index) => request(due({ jti: `t-${seconds}-${index}` }))))
    }
    expect(problems).toEqual(Array(2).fill('Cannot exchange a token: Redis does not answer'))
    expect(results).toEqual(Array(80).fill('failed'))
  })

  it('never has more than 64 requests under way', async () => {
    const { request, endpoint } = await createWorld(() => {}, { timeoutMs: 1_500 })
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => request(due({ sub: `s-${i}` }))))
    expect(all.filter((given) => given !== undefined)).toEqual([])
    await eventually(() => expect(endpoint.asked).toHaveLength(64))
  })
})
