// One exchange for each token in a whole fleet: real gates, a real provider, a real Redis, and all the ways in which one of them
// can be late or gone.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type ExchangeFleet, nextFrom, startExchangeFleet, watchRedis } from '../support/exchange-fleet.ts'
import { nextOf } from '../support/gateway.ts'
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

const soon = { timeout: 8_000, interval: 100 }
const startGates = (count: number, options: Parameters<ExchangeFleet['start']>[0] = {}) =>
  Promise.all(Array.from({ length: count }, () => fleet.start(options)))

/** A story that a late Redis ends otherwise, as a gate then rightly asks for itself: it is told again, with a new fleet. */
function withPromptRedis(name: string, story: () => Promise<void>): void {
  it(name, { timeout: 60_000 }, async () => {
    for (let tries = 1; ; tries++) {
      const endWatch = watchRedis(fleet.redis)
      const failure = await story().then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      const wasLate = endWatch()
      if (failure === undefined) return
      if (!wasLate || tries === 3) throw failure.error
      killProcesses()
      await fleet.stop()
      fleet = await startExchangeFleet()
    }
  })
}

describe('the fleet', () => {
  withPromptRedis(
    // holds: provider-asked-at-once
    'asks the provider once for 200 parallel requests over four gates, and all get the same token',
    async () => {
      const gates = await startGates(4)
      const token = fleet.due({ sid: 's-1' })
      const responses = await Promise.all(
        Array.from({ length: 200 }, (_, index) => gates[index % 4]!.request('/orders', { token })),
      )
      expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200))
      const given = new Set(responses.map(nextOf).filter((next) => next !== null))
      // A gate of a busy machine may have been late for these answers.
      for (const gate of gates) given.add(await nextFrom(gate, token))
      const [next, ...others] = given
      expect(others).toEqual([])
      expect(claimsOf(next)).toMatchObject({ sub: 'alice', sid: 's-1' })
      expect(fleet.provider.exchanges).toHaveLength(1)
    },
  )

  // holds: refresh-tokens-in-redis
  withPromptRedis('leaves nothing in Redis that Redis could read', async () => {
    const [gate] = await startGates(1)
    const token = fleet.due()
    const next = await nextFrom(gate!, token)
    await eventually(async () => expect((await fleet.entries()).keys).toHaveLength(2))
    const { keys, all } = await fleet.entries()
    expect(keys).toEqual([
      expect.stringMatching(/^sidegate:\{default\}:exchange:[\w-]{43}$/),
      expect.stringMatching(/^sidegate:\{default\}:successor:[\w-]{43}$/),
    ])
    for (const part of [...token.split('.'), ...next.split('.')]) expect(all).not.toContain(part)
    const [lock, result] = await Promise.all(keys.map((key) => fleet.redis.command('pttl', key)))
    expect(lock).toBeLessThanOrEqual(10_000)
    // Until the token ends, the tolerance for clocks included.
    expect(result).toBeGreaterThan(30_000)
    expect(result).toBeLessThanOrEqual(46_000)
  })

  withPromptRedis('gives a late caller on another gate the same bytes, while the provider is away', async () => {
    const [first, second] = await startGates(2)
    const token = fleet.due()
    const next = await nextFrom(first!, token)
    fleet.provider.onTokenRequest = (response) => {
      response.destroy()
      return false
    }
    await vi.waitFor(async () => expect(nextOf(await second!.request('/orders', { token }))).toBe(next), soon)
    expect(fleet.provider.exchanges).toHaveLength(1)
  })

  withPromptRedis(
    'holds no answer up for a slow provider, and each gate gives the token once it is there',
    async () => {
      let go = () => {}
      const asked = new Promise<void>((isAsked) => {
        fleet.provider.onTokenRequest = () =>
          new Promise((resolve) => {
            isAsked()
            go = () => resolve(true)
          })
      })
      const [first, second] = await startGates(2, { timeout: '100ms' })
      const token = fleet.due()
      expect(nextOf(await first!.request('/orders', { token }))).toBeNull()
      await asked
      expect(nextOf(await second!.request('/orders', { token }))).toBeNull()
      go()
      for (const gate of [second, first])
        await vi.waitFor(async () => expect(nextOf(await gate!.request('/orders', { token }))).not.toBeNull(), soon)
      expect(fleet.provider.exchanges).toHaveLength(1)
    },
  )

  withPromptRedis('lets nobody ask again until the lock of a gate that failed has ended', async () => {
    let isFailing = true
    let asked = 0
    fleet.provider.onTokenRequest = (response) => {
      asked++
      if (isFailing) response.writeHead(500).end()
      return !isFailing
    }
    const gates = await startGates(4, { timeout: '200ms' })
    const token = fleet.due()
    for (const gate of gates) expect(nextOf(await gate.request('/orders', { token }))).toBeNull()
    await eventually(() => expect(asked).toBe(1))
    isFailing = false
    await fleet.endLocks()
    await vi.waitFor(async () => expect(nextOf(await gates[3]!.request('/orders', { token }))).not.toBeNull(), soon)
    expect(asked).toBe(2)
  })

  withPromptRedis('asks again on no gate before the time that the provider asks for', async () => {
    let asked = 0
    fleet.provider.onTokenRequest = (response) => {
      asked++
      response.writeHead(503, { 'retry-after': '60' }).end()
      return false
    }
    const gates = await startGates(2)
    const token = fleet.due()
    for (const gate of gates) expect(nextOf(await gate.request('/orders', { token }))).toBeNull()
    expect(asked).toBe(1)
    const [lock] = (await fleet.entries()).keys
    await eventually(async () => expect(await fleet.redis.command('pttl', lock!)).toBeGreaterThan(40_000))
  })

  withPromptRedis('takes over from a gate that was killed while it asked', async () => {
    let asked = 0
    fleet.provider.onTokenRequest = () => ++asked > 1
    const file = join(fleet.folder, 'sidegate.yaml')
    writeFileSync(file, fleet.settings({ timeout: '10ms' }))
    const [victim, heir] = await Promise.all([
      startProcess(['run', '--config', file]),
      fleet.start({ timeout: '10ms' }),
    ])
    // Without its Redis it would ask without a lock.
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${victim.adminPort}/readyz`)).status).toBe(200))
    const token = fleet.due()
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`http://127.0.0.1:${victim.port}/orders`, { headers })
    expect([response.status, nextOf(response)]).toEqual([200, null])
    await vi.waitFor(() => expect(asked).toBe(1), soon)
    victim.child.kill('SIGKILL')
    expect(nextOf(await heir.request('/orders', { token }))).toBeNull()
    await fleet.endLocks()
    await vi.waitFor(async () => expect(nextOf(await heir.request('/orders', { token }))).not.toBeNull(), soon)
    expect(asked).toBe(2)
  })

  it('asks with each gate for itself while Redis is away, at once', async () => {
    const gates = await startGates(2)
    await fleet.redis.halt()
    const token = fleet.due()
    for (const gate of gates) expect(nextOf(await gate.request('/orders', { token }))).not.toBeNull()
    expect(fleet.provider.exchanges).toHaveLength(2)
  })

  it('waits for a Redis that hangs no longer than a moment', async () => {
    // Less than the second after which a question to Redis fails.
    const [gate] = await startGates(1, { timeout: '900ms' })
    // A machine that stands still makes an answer late as well: one in time is proof enough.
    await eventually(async () => {
      fleet.redis.kill('SIGCONT')
      await eventually(async () => {
        const { length } = (await fleet.entries()).keys
        await gate!.request('/orders', { token: fleet.due() })
        // The gate does ask Redis.
        expect((await fleet.entries()).keys.length).toBeGreaterThan(length)
      })
      fleet.redis.kill('SIGSTOP')
      expect(nextOf(await gate!.request('/orders', { token: fleet.due() }))).not.toBeNull()
    }, 5)
  })

  it('hands out what the provider issued where Redis dies meanwhile', async () => {
    const [gate] = await startGates(1)
    fleet.provider.onTokenRequest = async () => {
      await fleet.redis.halt()
      return true
    }
    expect(nextOf(await gate!.request('/orders', { token: fleet.due() }))).not.toBeNull()
  })

  withPromptRedis('ends a session on all gates when the provider says so, asked once, told once', async () => {
    const gates = await startGates(3)
    const token = fleet.due()
    let asked = 0
    fleet.provider.onTokenRequest = (response) => {
      asked++
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}')
      return false
    }
    for (const gate of gates) expect(nextOf(await gate.request('/orders', { token }))).toBeNull()
    await fleet.endLocks()
    for (const gate of gates) {
      expect((await gate.request('/orders', { token })).status).toBe(200)
      await vi.waitFor(
        async () => expect(await gate.metric('sidegate_refresh_total', { result: 'session_over' })).toBeGreaterThan(0),
        soon,
      )
    }
    expect(asked).toBe(1)
    const lines = gates.flatMap((gate) => gate.lines).filter(({ problem }) => problem !== undefined)
    expect(lines).toMatchObject([
      { problem: 'Cannot exchange a token: the provider answers 400 "invalid_grant": the session is over' },
    ])
    expect(JSON.stringify(lines)).not.toContain('alice')
  })

  const forgeries: Record<string, (entry: string, others: string) => string> = {
    'has a bit changed': (entry) => `${entry.slice(0, -2)}${entry.endsWith('AA') ? 'BB' : 'AA'}`,
    'was cut off': (entry) => entry.slice(0, 20),
    'is a plain token': () => fleet.provider.mint({ sub: 'alice', scope: 'read' }),
    'belongs to another token': (_, others) => others,
    'is empty': () => '',
  }
  for (const [name, forge] of Object.entries(forgeries)) {
    withPromptRedis(`never gives out an entry that ${name}, and asks for itself`, async () => {
      const [first, second] = await startGates(2)
      const [token, another] = [fleet.due(), fleet.due({ sub: 'mallory' })]
      for (const one of [token, another]) await first!.request('/orders', { token: one })
      await eventually(async () => expect((await fleet.entries()).keys).toHaveLength(4))
      const { keys } = await fleet.entries()
      const names = keys.filter((key) => key.includes(':successor:'))
      const texts = (await Promise.all(names.map((key) => fleet.redis.command('get', key)))) as string[]
      for (const [index, key] of names.entries())
        await fleet.redis.command('set', key, forge(texts[index]!, texts[1 - index]!))
      const next = nextOf(await second!.request('/orders', { token }))
      expect(claimsOf(next)).toMatchObject({ sub: 'alice' })
      expect(fleet.provider.exchanges).toHaveLength(3)
    })
  }

  // holds: refresh-tokens-in-redis
  withPromptRedis('judges what another gate left as if the provider had just said it', async () => {
    const [first, second] = await startGates(2)
    const token = fleet.due()
    const next = await nextFrom(first!, token)
    const { jti } = claimsOf(next)
    await first!.admin('/revocations', {
      method: 'POST',
      headers: { authorization: 'Bearer admin-token-of-the-tests-32-chars' },
      body: JSON.stringify({ kind: 'token', value: jti }),
    })
    await vi.waitFor(async () => expect((await second!.request('/orders', { token: next })).status).toBe(401), soon)
    expect(nextOf(await second!.request('/orders', { token }))).toBeNull()
    expect(await second!.metric('sidegate_refresh_total', { result: 'failed' })).toBe(1)
  })
})
