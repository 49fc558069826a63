// Refresh with refresh tokens that the login app hands in: real gates, a provider that rotates refresh tokens and ends the session
// of one that is used twice, a real Redis.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import {
  type ExchangeFleet,
  type FleetGateOptions,
  nextFrom,
  startExchangeFleet,
  storeKey,
} from '../support/exchange-fleet.ts'
import { type Gateway, nextOf, stopGateways } from '../support/gateway.ts'
import { killProcesses, startProcess } from '../support/process.ts'
import { claimsOf } from '../support/tokens.ts'

let fleet: ExchangeFleet
beforeEach(async () => {
  fleet = await startExchangeFleet()
})
afterEach(async () => {
  killProcesses()
  await fleet.stop()
})

// Where Redis was late once, the lock has to end first: ten seconds.
const soon = { timeout: 20_000, interval: 100 }
const grant = { grant: 'refresh-token' } as const
const startGates = (count: number, options: FleetGateOptions = {}) =>
  Promise.all(Array.from({ length: count }, () => fleet.start({ ...grant, ...options })))

/** Somebody who logged in: an access token in its window, whose refresh token the login app has handed in. */
async function logIn(gate: Gateway) {
  const [token, refreshToken] = [fleet.due(), await fleet.provider.issueRefreshToken()]
  await eventually(async () => expect((await fleet.handIn(gate, token, refreshToken)).status).toBe(204))
  return { token, refreshToken }
}

const ask = async (gate: Gateway, token: string) => {
  const response = await gate.request('/orders', { token })
  expect(response.status).toBe(200)
  return nextOf(response)
}
const problemsOf = (gates: readonly Gateway[]) =>
  gates.flatMap(({ lines }) => lines.flatMap(({ problem }) => (problem === undefined ? [] : [problem])))

describe('the fleet', () => {
  // holds: refresh-token-used-twice
  it('uses a refresh token once for 200 parallel requests over four gates, and all get the same token', async () => {
    const gates = await startGates(4)
    const { token, refreshToken } = await logIn(gates[0]!)
    const all = await Promise.all(Array.from({ length: 200 }, (_, index) => ask(gates[index % 4]!, token)))
    const given = new Set(all.filter((next) => next !== null))
    // A gate of a busy machine may have been late for these answers.
    for (const gate of gates) given.add(await nextFrom(gate, token))
    const [next, ...others] = given
    expect(others).toEqual([])
    expect(claimsOf(next)).toMatchObject({ sub: 'alice', scope: 'read', aud: 'orders' })
    expect(fleet.provider.refreshes).toEqual([{ refreshToken, error: undefined }])
    expect(problemsOf(gates)).toEqual([])
  })

  it('goes on from token to token, each time with the refresh token that the provider rotated', async () => {
    fleet.provider.accessTokenSeconds = 61
    const gates = await startGates(3)
    let { token } = await logIn(gates[0]!)
    for (const gate of gates) token = await nextFrom(gate, token)
    const { refreshes } = fleet.provider
    expect(new Set(refreshes.map(({ refreshToken }) => refreshToken)).size).toBe(3)
    expect(refreshes.map(({ error }) => error)).toEqual([undefined, undefined, undefined])
  }, 60_000)

  // holds: refresh-tokens-in-redis
  it('leaves no token in Redis that Redis could read, and none in the log', async () => {
    const gates = await startGates(1)
    const { token, refreshToken } = await logIn(gates[0]!)
    expect((await fleet.entries()).keys).toEqual([expect.stringMatching(/:refresh-token:[\w-]{43}$/)])
    const before = (await fleet.entries()).all
    const next = await nextFrom(gates[0]!, token)
    const { keys, all } = await fleet.entries()
    expect(keys.map((key) => key.split(':')[2])).toEqual(['exchange', 'refresh-token', 'successor'])
    const log = JSON.stringify(gates[0]!.lines)
    for (const secret of [refreshToken, ...token.split('.'), ...next.split('.')])
      for (const place of [before, all, log]) expect(place).not.toContain(secret)
    expect(gates[0]!.lines).toContainEqual(
      expect.objectContaining({ audit: 'refresh_token', actor: 'admin API, 127.0.0.1' }),
    )
    // The refresh token lives as long as the access token that it belongs to, the tolerance for clocks included.
    const lifetimeMs = await fleet.redis.command('pttl', keys[1]!)
    expect(lifetimeMs).toBeGreaterThan(290_000)
    expect(lifetimeMs).toBeLessThanOrEqual(306_000)
  })

  it('gives nothing to a token without a refresh token, and counts it', async () => {
    const [gate] = await startGates(1)
    const token = fleet.due()
    expect(await ask(gate!, token)).toBeNull()
    expect(await gate!.metric('sidegate_refresh_total', { result: 'no_refresh_token' })).toBe(1)
    expect(fleet.provider.refreshes).toEqual([])
    // As soon as one is handed in, it is used: no lock was taken in vain.
    await fleet.handIn(gate!, token, await fleet.provider.issueRefreshToken())
    await nextFrom(gate!, token, 60)
  })

  it('ends the session on all gates where the provider does not take the refresh token any more', async () => {
    const gates = await startGates(3)
    const { token } = await logIn(gates[0]!)
    await fleet.provider.endSessions('alice')
    for (const gate of gates) expect(await ask(gate, token)).toBeNull()
    await fleet.endLocks()
    for (const gate of gates) {
      expect(await ask(gate, token)).toBeNull()
      await vi.waitFor(
        async () => expect(await gate.metric('sidegate_refresh_total', { result: 'session_over' })).toBeGreaterThan(0),
        soon,
      )
    }
    expect(fleet.provider.refreshes).toHaveLength(1)
    expect(problemsOf(gates)).toEqual([
      'Cannot exchange a token: the provider answers 400 "invalid_grant", "grant request is invalid": the session is over',
    ])
    expect((await fleet.entries()).keys.filter((key) => key.includes('refresh-token'))).toEqual([])
  })

  it('tries again after a failure of the provider, on any gate, once the lock has ended', async () => {
    let isFailing = true
    let asked = 0
    fleet.provider.onTokenRequest = (response) => {
      asked++
      if (isFailing) response.writeHead(500).end()
      return !isFailing
    }
    const gates = await startGates(3, { timeout: '200ms' })
    const { token } = await logIn(gates[0]!)
    for (const gate of gates) expect(await ask(gate, token)).toBeNull()
    await eventually(() => expect(asked).toBe(1))
    isFailing = false
    await fleet.endLocks()
    await nextFrom(gates[2]!, token)
    expect(fleet.provider.refreshes.map(({ error }) => error)).toEqual([undefined])
  })

  /** A gate that is killed while the provider is asked, and another one that finds that out. */
  async function killWhileAsking(options: FleetGateOptions & { readonly knows: boolean }) {
    let asked = 0
    let isKilled = () => {}
    const killed = new Promise<boolean>((resolve) => {
      isKilled = () => resolve(options.knows)
    })
    fleet.provider.onTokenRequest = () => ++asked > 1 || killed
    const file = join(fleet.folder, 'sidegate.yaml')
    writeFileSync(file, fleet.settings({ ...grant, timeout: '10ms', ...options }))
    const [victim, heir] = await Promise.all([
      startProcess(['run', '--config', file]),
      fleet.start({ ...grant, timeout: '10ms', ...options }),
    ])
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${victim.adminPort}/readyz`)).status).toBe(200))
    const { token, refreshToken } = await logIn(heir)
    await fetch(`http://127.0.0.1:${victim.port}/orders`, { headers: { authorization: `Bearer ${token}` } })
    await vi.waitFor(() => expect(asked).toBe(1), soon)
    victim.child.kill('SIGKILL')
    isKilled()
    if (options.knows) await eventually(() => expect(fleet.provider.refreshes).toHaveLength(1))
    expect(await ask(heir, token)).toBeNull()
    await fleet.endLocks()
    return { heir, token, refreshToken }
  }

  // holds: refresh-token-used-twice, refresh-token-spent-twice
  it('does not use the refresh token again of a gate that was killed while it asked, and says so once', async () => {
    const { heir, token, refreshToken } = await killWhileAsking({ knows: true })
    const problem = expect.stringContaining('no answer came, so that it may be used up; it is not used again')
    await eventually(async () => {
      expect(await ask(heir, token)).toBeNull()
      expect(problemsOf([heir])).toEqual([problem])
    })
    expect(await ask(heir, token)).toBeNull()
    expect(fleet.provider.refreshes).toEqual([{ refreshToken, error: undefined }])
    expect(problemsOf([heir])).toEqual([problem])
  }, 60_000)

  it('takes over from a gate that was killed while it asked, once, where the settings say so', async () => {
    const { heir, token, refreshToken } = await killWhileAsking({ whenInDoubt: 'retry', knows: false })
    await nextFrom(heir, token)
    expect(fleet.provider.refreshes).toEqual([{ refreshToken, error: undefined }])
    expect(problemsOf([heir])).toEqual([expect.stringContaining('once more with a refresh token that may be used up')])
  }, 60_000)

  // holds: refresh-token-used-twice
  it('does not end before the refresh token is safe that the provider rotated meanwhile', async () => {
    let go = () => {}
    const asked = new Promise<void>((isAsked) => {
      fleet.provider.onTokenRequest = () =>
        new Promise((resolve) => {
          go = () => resolve(true)
          isAsked()
        })
    })
    const [leaving] = await startGates(1, { timeout: '10ms' })
    const { token } = await logIn(leaving!)
    expect(await ask(leaving!, token)).toBeNull()
    await asked
    const stopped = stopGateways()
    go()
    await stopped
    const staying = await fleet.start(grant)
    await nextFrom(staying, token)
    expect((await fleet.entries()).keys.map((key) => key.split(':')[2])).toContain('refresh-token')
  })
})

describe('Redis', () => {
  // holds: refresh-token-used-twice
  it('is needed: while it is away nobody uses a refresh token', async () => {
    const gates = await startGates(2)
    const { token } = await logIn(gates[0]!)
    await fleet.redis.halt()
    for (const gate of gates) expect(await ask(gate, token)).toBeNull()
    expect(fleet.provider.refreshes).toEqual([])
    expect(problemsOf(gates)[0]).toBe(
      'Cannot exchange a token: Redis does not answer, and without it a refresh token could be used twice',
    )
    await fleet.redis.resume()
    await nextFrom(gates[1]!, token)
  })

  it('that hangs holds no answer up, and nobody uses a refresh token meanwhile', async () => {
    const [gate] = await startGates(1, { timeout: '200ms' })
    const { token } = await logIn(gate!)
    fleet.redis.kill('SIGSTOP')
    // Turns of the event loop and no clock: where the machine stands still for a second, that is one turn.
    let turns = 0
    const counting = setInterval(() => turns++, 10)
    expect(await ask(gate!, token)).toBeNull()
    clearInterval(counting)
    expect(turns).toBeLessThan(80)
    await vi.waitFor(() => expect(problemsOf([gate!])).toHaveLength(1), soon)
    expect(fleet.provider.refreshes).toEqual([])
    fleet.redis.kill('SIGCONT')
    await nextFrom(gate!, token)
    expect(fleet.provider.refreshes.map(({ error }) => error)).toEqual([undefined])
  })

  it('gets the rotated refresh token after it was killed in the middle and came back', async () => {
    const gates = await startGates(2, { timeout: '50ms' })
    const { token } = await logIn(gates[0]!)
    fleet.provider.onTokenRequest = async () => {
      await fleet.redis.halt()
      return true
    }
    expect(await ask(gates[0]!, token)).toBeNull()
    await vi.waitFor(() => expect(fleet.provider.refreshes).toHaveLength(1), soon)
    await fleet.redis.resume()
    for (const gate of gates) await nextFrom(gate, token)
    expect(fleet.provider.refreshes).toHaveLength(1)
  })

  // holds: refresh-token-used-twice
  it('whose connections break again and again lets no refresh token be used twice', async () => {
    const gates = await startGates(4, { timeout: '300ms' })
    const sessions: { token: string; given: Set<string> }[] = []
    // In turn, as below: of many first-seen tokens at once a gate of a busy machine refuses some.
    for (let index = 0; index < 20; index++)
      sessions.push({ token: (await logIn(gates[index % 4]!)).token, given: new Set() })
    let isFirstRound = true
    const breakConnections = async () => {
      for (let round = 0; isFirstRound || round < 25; round++) {
        await fleet.redis.command('client', 'kill', 'type', 'normal', 'skipme', 'yes')
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
    }
    const askAll = async ({ token, given }: (typeof sessions)[number]) => {
      for (const next of await Promise.all(gates.map((gate) => ask(gate, token)))) if (next) given.add(next)
      if (given.size === 0) throw new Error('no next token yet')
    }
    const refreshAll = async () => {
      for (const session of sessions) await askAll(session).catch(() => {})
      isFirstRound = false
      await Promise.all(sessions.map((session) => eventually(() => askAll(session), 250, 100)))
    }
    await Promise.all([refreshAll(), breakConnections()])
    expect(sessions.map(({ given }) => given.size)).toEqual(sessions.map(() => 1))
    const { refreshes } = fleet.provider
    // One more for a session whose next access token was lost to a broken connection, when the rotated refresh token was safe:
    // it is used then, and no refresh token is ever used twice.
    expect(new Set(refreshes.map(({ refreshToken }) => refreshToken)).size).toBe(refreshes.length)
    expect(refreshes.length).toBeGreaterThanOrEqual(20)
    expect(refreshes.flatMap(({ error }) => error ?? [])).toEqual([])
  }, 60_000)

  // holds: refresh-tokens-in-redis
  it('that was changed by somebody else gives out nothing', async () => {
    const gates = await startGates(2)
    const { token } = await logIn(gates[0]!)
    const [name] = (await fleet.entries()).keys
    const entry = String(await fleet.redis.command('get', name!))
    await fleet.redis.command('set', name!, `${entry.slice(0, -2)}${entry.endsWith('AA') ? 'BB' : 'AA'}`)
    expect(await ask(gates[0]!, token)).toBeNull()
    await fleet.redis.command('set', name!, entry)
    await nextFrom(gates[1]!, token)
    const [successor] = (await fleet.entries()).keys.filter((key) => key.includes(':successor:'))
    await fleet.redis.command('set', successor!, 'forged')
    const late = await fleet.start(grant)
    expect(await ask(late, token)).toBeNull()
    expect(problemsOf([late])).toEqual(['Cannot exchange a token: the next token that Redis holds cannot be opened'])
    expect(fleet.provider.refreshes).toHaveLength(1)
  })

  // holds: refresh-tokens-in-redis
  it('holds refresh tokens that another token does not open', async () => {
    const [gate] = await startGates(1)
    await logIn(gate!)
    const [name] = (await fleet.entries()).keys
    const other = await logIn(gate!)
    const [otherName] = (await fleet.entries()).keys.filter((key) => key !== name)
    await fleet.redis.command('copy', name!, otherName!, 'REPLACE')
    expect(await ask(gate!, other.token)).toBeNull()
    expect(fleet.provider.refreshes).toEqual([])
  })
})

describe('the key for refresh tokens', () => {
  it('that is another one opens nothing, uses nothing and says so', async () => {
    const [first] = await startGates(1)
    const { token } = await logIn(first!)
    const stranger = await fleet.start({ ...grant, storeKeys: [storeKey()] })
    expect(await ask(stranger, token)).toBeNull()
    expect(problemsOf([stranger])).toEqual([
      'Cannot exchange a token: no key in "refresh.exchange.storeKeyFile" opens the refresh token that Redis holds',
    ])
    expect(fleet.provider.refreshes).toEqual([])
    // It kept nobody away.
    await nextFrom(first!, token, 60)
  })

  it('is changed line by line, while the sessions go on', async () => {
    const [before, after] = [storeKey(), storeKey()]
    const options = (...storeKeys: string[]) => ({ ...grant, storeKeys })
    const gate = await fleet.start(options(before))
    const [one, two] = [await logIn(gate), await logIn(gate)]
    const change = (...keys: string[]) => gate.reload(fleet.settings(options(...keys)))
    await change(before, after)
    await nextFrom(gate, one.token)
    await change(after, before)
    const three = await logIn(gate)
    await nextFrom(gate, two.token)
    await change(after)
    await nextFrom(gate, three.token)
    expect(problemsOf([gate])).toEqual([])
  })
})
