// Refresh tokens in Redis while a fleet is in the middle of an upgrade: gates of commit 7d4b85d and of today, one real provider that
// rotates refresh tokens and ends the session of one that is used twice. What the older ones cannot know is in docs/upgrade.md.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type ExchangeFleet, startExchangeFleet, storeKey } from '../support/exchange-fleet.ts'
import { ADMIN_TOKEN, nextOf } from '../support/gateway.ts'
import { killProcesses } from '../support/process.ts'
import { startReleasedGate } from '../support/released.ts'
import { claimsOf } from '../support/tokens.ts'

// Gates of the older version are processes, and a lock lasts ten seconds.
vi.setConfig({ testTimeout: 120_000 })

type Version = 'old' | 'new'
interface AnyGate {
  readonly ask: (token: string) => Promise<Response>
  readonly admin: (path: string, options?: RequestInit) => Promise<Response>
}

let fleet: ExchangeFleet
beforeEach(async () => {
  fleet = await startExchangeFleet()
})
afterEach(async () => {
  killProcesses()
  await fleet.stop()
})

async function start(version: Version, storeKeys?: readonly string[]): Promise<AnyGate> {
  const options = { grant: 'refresh-token' as const, ...(storeKeys && { storeKeys }) }
  if (version === 'new') {
    const gate = await fleet.start(options)
    return { ask: (token) => gate.request('/orders', { token }), admin: gate.admin }
  }
  // A setting that this version does not have.
  const gate = await startReleasedGate(fleet.settings(options).replace(/ *whenInDoubt: .*\n/, ''))
  await eventually(async () => expect((await gate.admin('/readyz')).status).toBe(200))
  return { ask: (token) => gate.request('/orders', token), admin: gate.admin }
}

async function handIn({ admin }: AnyGate, token: string): Promise<void> {
  const body = JSON.stringify({ token, refreshToken: await fleet.provider.issueRefreshToken() })
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  await eventually(async () =>
    expect((await admin('/refresh-tokens', { method: 'POST', headers, body })).status).toBe(204),
  )
}

/** The next token that a gate gives, which may be late for the first answers. */
function nextBy({ ask }: AnyGate, token: string): Promise<string> {
  const look = async () => {
    const response = await ask(token)
    const next = nextOf(response)
    if (next === null) throw new Error(`no next token yet, status is ${response.status}`)
    return next
  }
  return eventually(look, 200, 100)
}

const errors = () => fleet.provider.refreshes.map(({ error }) => error)

describe.each([
  ['old', 'new'],
  ['new', 'old'],
] as const)('what the %s version keeps and the %s version uses', (keeper, user) => {
  it('a refresh token that was handed in', async () => {
    const [kept, used] = await Promise.all([start(keeper), start(user)])
    const token = fleet.due()
    await handIn(kept, token)
    const next = await nextBy(used, token)
    expect(claimsOf(next)).toMatchObject({ sub: 'alice', aud: 'orders' })
    for (const gate of [kept, used]) expect((await gate.ask(next)).status).toBe(200)
    expect(errors()).toEqual([undefined])
  })

  it('the rotated refresh token, from gate to gate and back: each is used once', async () => {
    fleet.provider.accessTokenSeconds = 61
    const [first, second] = await Promise.all([start(keeper), start(user)])
    let token = fleet.due()
    await handIn(first, token)
    for (const gate of [first, second, first, second]) token = await nextBy(gate, token)
    expect(new Set(fleet.provider.refreshes.map(({ refreshToken }) => refreshToken)).size).toBe(4)
    expect(errors()).toEqual([undefined, undefined, undefined, undefined])
  })

  it('the next token that one of them got: the other gives the same, without asking the provider', async () => {
    const [asked, other] = await Promise.all([start(keeper), start(user)])
    const token = fleet.due()
    await handIn(other, token)
    const next = await nextBy(asked, token)
    expect(await nextBy(other, token)).toBe(next)
    expect(errors()).toEqual([undefined])
  })

  it('the end of a session: no gate asks again', async () => {
    const [asked, other] = await Promise.all([start(keeper), start(user)])
    const token = fleet.due()
    await handIn(asked, token)
    await fleet.provider.endSessions('alice')
    await eventually(async () => {
      expect(nextOf(await asked.ask(token))).toBeNull()
      expect(errors()).toHaveLength(1)
    })
    await fleet.endLocks()
    for (const gate of [asked, other]) expect(nextOf(await gate.ask(token))).toBeNull()
    expect(errors()).toHaveLength(1)
  })

  it('with a key file whose keys are in another order', async () => {
    const keys = [storeKey(), storeKey()]
    const [kept, used] = await Promise.all([start(keeper, keys), start(user, keys.toReversed())])
    const token = fleet.due()
    await handIn(kept, token)
    await nextBy(used, token)
    expect(errors()).toEqual([undefined])
  })
})

it('requests to gates of both versions at once use the refresh token once, and all get the same next token', async () => {
  const gates = await Promise.all([start('old'), start('new'), start('old'), start('new')])
  const token = fleet.due()
  await handIn(gates[0] as AnyGate, token)
  await Promise.all(Array.from({ length: 80 }, (_, index) => gates[index % 4]?.ask(token)))
  const given = new Set(await Promise.all(gates.map((gate) => nextBy(gate, token))))
  expect(given.size).toBe(1)
  expect(errors()).toEqual([undefined])
})

it('a refresh token in doubt is used by no gate of either version', async () => {
  let asked = 0
  fleet.provider.onTokenRequest = (response) => {
    asked++
    // Used up or not: the answer is cut.
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).write('{"access_token"')
    response.destroy()
    return false
  }
  const [old, current] = await Promise.all([start('old'), start('new')])
  const token = fleet.due()
  await handIn(old, token)
  await eventually(async () => {
    expect(nextOf(await current.ask(token))).toBeNull()
    expect(asked).toBe(1)
  })
  await eventually(async () => expect((await fleet.entries()).keys.join()).toContain(':refresh-asked:'))
  await fleet.endLocks()
  for (let round = 0; round < 3; round++)
    for (const gate of [old, current]) expect(nextOf(await gate.ask(token))).toBeNull()
  expect(asked).toBe(1)
})
