// A first token is revoked by its id alone, in whatever way: no token that followed it is admitted any more, on no gate. What
// an identity provider signed is never meant, whatever session it names.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { sidegate } from '../support/shell.ts'

let world: World
let app: Awaited<ReturnType<typeof startApp>>
let redis: TestRedis

beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  world = createWorld()
  app = await startApp((req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' })
    if (req.url === '/stream') res.write('first\n')
    else res.end('ok')
  })
})
afterEach(async () => {
  await stopGateways()
  await redis.command('flushall')
  await app.close()
  world.remove()
})
afterAll(() => redis.stop())

const LOG = 'sidegate:{default}:log'
const nowSeconds = () => Math.floor(Date.now() / 1000)
/** A token of the provider that is due for its successor, and begins its session itself. */
const firstToken = (claims: Record<string, unknown> = {}) => world.due({ jti: 'first', ...claims })

/** Every successor is due for the next one at once. */
function settings(check: string, more = ''): string {
  const key = world.signingKey()
  const plainKeys = check === 'redis' ? `, timeout: 2s, keys: ['revoked:{jti}']` : ''
  return world.settings(
    app.url,
    `revocation: { redis: '${redis.url}', check: ${check}${plainKeys} }
refresh: { window: 60s, lifetime: 62s, key: ${key}${more} }
limits: { drainTimeout: 0s }\n`,
  )
}

async function startReady(text: string): Promise<Gateway> {
  const gate = await startGateway(text)
  await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
  return gate
}

async function verdictOf(gate: Gateway, token: string): Promise<string | undefined> {
  const response = await gate.request('/', { token })
  return response.status === 200 ? 'admitted' : reasonOf(response)
}

/** What a gate answers where Redis was not too late for it. */
function answerOf(gate: Gateway, token: string, path = '/'): Promise<Response> {
  return eventually(async () => {
    const response = await gate.request(path, { token })
    expect(response.status).not.toBe(503)
    return response
  })
}

async function successorOf(gate: Gateway, token: string): Promise<string> {
  const response = await answerOf(gate, token)
  expect(response.status).toBe(200)
  const next = nextOf(response)
  if (next === null) throw new Error('There is no successor')
  return next
}

async function expectVerdict(gates: readonly Gateway[], token: string, verdict: string): Promise<void> {
  for (const gate of gates) await eventually(async () => expect(await verdictOf(gate, token)).toBe(verdict))
}

const addToLog = (...fields: string[]) => redis.command('xadd', LOG, '*', 'kind', 'token', ...fields)

const ways: Record<string, (gate: Gateway) => Promise<unknown>> = {
  'by one Redis command': () => addToLog('value', 'first', 'expires', String(nowSeconds() + 600)),
  'by `sidegate revoke --jti`': () => sidegate(['revoke', '--redis', redis.url, '--jti', 'first']),
  'by `sidegate revoke --jti` for its issuer': () =>
    sidegate(['revoke', '--redis', redis.url, '--jti', 'first', '--issuer', ISSUER]),
  'over the API of one gate': (gate) =>
    gate.admin('/revocations', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ kind: 'token', value: 'first' }),
    }),
}

for (const check of ['local', 'redis'])
  describe(`with check: ${check}, on two gates`, () => {
    for (const [way, revoke] of Object.entries(ways))
      it(`a first token that is revoked ${way} takes the successor of its successor along`, async () => {
        const [one, two] = [await startReady(settings(check)), await startReady(settings(check))]
        const first = firstToken()
        const next = await successorOf(one, first)
        const last = await successorOf(two, next)
        await expectVerdict([one, two], last, 'admitted')
        await revoke(one)
        for (const token of [first, next, last]) await expectVerdict([one, two], token, 'token_revoked')
      })

    it('a rule for tokens of another issuer, or for another token, leaves successors alone', async () => {
      const gates = [await startReady(settings(check)), await startReady(settings(check))]
      const next = await successorOf(gates[0] as Gateway, firstToken())
      const marked = firstToken({ jti: 'mark' })
      await addToLog('value', 'first', 'issuer', 'https://other.example.com')
      await addToLog('value', 'other')
      await addToLog('value', 'mark')
      await expectVerdict(gates, marked, 'token_revoked')
      await expectVerdict(gates, next, 'admitted')
    })

    it('successors with an issuer of their own end as well', async () => {
      const gate = await startReady(settings(check, ', issuer: https://gate.example.com'))
      const next = await successorOf(gate, firstToken())
      await addToLog('value', 'first', 'issuer', ISSUER)
      await expectVerdict([gate], next, 'token_revoked')
    })

    it('a token of the provider that names the session is another token, and is admitted', async () => {
      const gate = await startReady(settings(check))
      const sibling = firstToken({ jti: 'sibling', sid: 'first' })
      const next = await successorOf(gate, firstToken())
      await addToLog('value', 'first')
      await expectVerdict([gate], next, 'token_revoked')
      await expectVerdict([gate], sibling, 'admitted')
    })

    it('a response that a successor holds open ends', async () => {
      const gate = await startReady(settings(check))
      const next = await successorOf(gate, firstToken())
      const reader = (await answerOf(gate, next, '/stream')).body?.getReader()
      expect((await reader?.read())?.done).toBe(false)
      await addToLog('value', 'first')
      await expect(reader?.read()).rejects.toThrow('terminated')
    })
  })

it('a plain key that names the first token ends its successors, and no token of the provider', async () => {
  const gates = [await startReady(settings('redis')), await startReady(settings('redis'))]
  const sibling = firstToken({ jti: 'sibling', sid: 'first' })
  const next = await successorOf(gates[0] as Gateway, firstToken())
  const last = await successorOf(gates[1] as Gateway, next)
  await redis.command('set', 'revoked:first', '1')
  for (const token of [next, last]) await expectVerdict(gates, token, 'token_revoked')
  await expectVerdict(gates, sibling, 'admitted')
})

it('explain names the rule, and that the session began with its token', async () => {
  const file = join(world.folder, 'sidegate.yaml')
  writeFileSync(file, settings('local'))
  const next = await successorOf(await startReady(settings('local')), firstToken())
  await addToLog('value', 'first', 'expires', '4000000000')
  const { printed, exitCode } = await sidegate(['explain', '--config', file, next])
  expect(exitCode).toBe(1)
  expect(printed.join('\n')).toContain(
    'token_revoked: Revokes the token "first", until 2096-10-02T07:06:40Z; its session began with that token',
  )
})
