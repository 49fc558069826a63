// How old is a copy that hears nothing? Older with every second that passes, whatever becomes of the clock meanwhile.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Revocations } from '../../src/revocation/revocations.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { verifiedToken } from '../support/verified-token.ts'
import { ageMs, type GateOptions, soon, startLocal, startLookup, stopAll } from './harness.ts'

let redis: TestRedis
/** How much time the test lets pass, and how far the clock of the machine is set. */
let passedMs = 0
let setMs = 0

beforeEach(async () => {
  passedMs = 0
  setMs = 0
  redis = await startRedis()
})
afterEach(async () => {
  await stopAll()
  await redis.stop()
})

const token = verifiedToken({ jti: 'j' })
const clocks = {
  clock: () => Date.now() + passedMs + setMs,
  monotonic: () => performance.now() + passedMs,
}
const untilState = (gate: Revocations, state: string) =>
  vi.waitFor(async () => expect(await gate.check(token)).toMatchObject({ state }), soon)

/** A gate that was in touch with a Redis that is away now. */
async function startCutOff(start: (options: GateOptions) => Revocations): Promise<Revocations> {
  const gate = start({ url: redis.url, maxStalenessMs: 30_000, ...clocks })
  await untilState(gate, 'clear')
  await redis.halt()
  await vi.waitFor(() => expect(gate.readiness().detail).toMatch(/old: \w/), soon)
  return gate
}

describe('a local copy whose Redis is away', () => {
  const start = (options: GateOptions) => startLocal(options).revocations

  test.each([45, 3000, 3580, 3625, 3640])(
    'is stale after %i s, though the clock was set back by an hour',
    async (seconds) => {
      const gate = await startCutOff(start)
      expect(gate.check(token)).toMatchObject({ state: 'clear' })
      passedMs = seconds * 1000
      setMs = -3_600_000
      expect(gate.check(token)).toMatchObject({ state: 'stale' })
      expect(ageMs({ revocations: gate })).toBeGreaterThanOrEqual(seconds * 1000)
    },
  )

  test('is stale where the clock was set back by just what had passed, until it hears of Redis again', async () => {
    const gate = await startCutOff(start)
    passedMs = 45_000
    expect(gate.check(token)).toMatchObject({ state: 'stale' })
    setMs = -45_000
    expect(gate.check(token)).toMatchObject({ state: 'stale' })
    expect(gate.readiness().detail).toMatch(/^revocation list is 4\d\.\d s old, 30 s are allowed/)
    await redis.resume()
    await untilState(gate, 'clear')
  })

  test('is stale where the clock ran on while the machine slept', async () => {
    const gate = await startCutOff(start)
    setMs = 45_000
    expect(gate.check(token)).toMatchObject({ state: 'stale' })
  })

  test('is fresh until then', async () => {
    const gate = await startCutOff(start)
    passedMs = 20_000
    expect(gate.check(token)).toMatchObject({ state: 'clear' })
    setMs = -15_000
    expect(gate.check(token)).toMatchObject({ state: 'clear' })
  })
})

test('the copy beside look-ups is stale after a time without news, though the clock was set back by as much', async () => {
  const gate = startLookup({ url: redis.url, hasCopy: true, maxStalenessMs: 30_000, ...clocks })
  await untilState(gate, 'clear')
  // The log cannot be read any more, and keys can be looked up.
  await redis.command('set', 'sidegate:{default}:log', 'no log')
  await vi.waitFor(() => expect(gate.readiness().detail).toContain('WRONGTYPE'), soon)
  passedMs = 45_000
  setMs = -45_000
  expect(await gate.check(token)).toMatchObject({ state: 'stale' })
})
