import { afterEach, describe, expect, it, vi } from 'vitest'
import { isRefusal } from '../../../src/model/refusal.ts'
import { fetchByDiscovery, fetchFrom } from '../../../src/token/keys/fetch-keys.ts'
import type { FoundKeys, KeySource } from '../../../src/token/keys/keys.ts'
import { createRemoteKeys, type FetchKeySet, type RemoteKeysTiming } from '../../../src/token/keys/remote-keys.ts'
import { createTokenMemory } from '../../../src/token/verified-cache.ts'
import { createVerifier } from '../../../src/token/verify.ts'
import { eventually } from '../../support/eventually.ts'
import { startIdentityProvider } from '../../support/identity-provider.ts'
import { answerWith, drip, flood, type KeyAnswer, startKeyServer } from '../../support/key-server.ts'
import { goodClaims, jwksOf, makeKey, NOW_SECONDS, publicJwk, signToken } from '../../support/tokens.ts'

const [one, two] = [makeKey('ES256', 'one'), makeKey('ES256', 'two')]
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface World {
  readonly timing?: Partial<RemoteKeysTiming>
  readonly fetchKeySet?: FetchKeySet
  readonly clock?: { nowMs: number }
  /** Stops it by itself: tests that run at the same time must not stop each other's keys. */
  readonly isStoppedByTest?: boolean
}

function watch(fetchKeySet: FetchKeySet, world: World) {
  const clock = world.clock ?? { nowMs: NOW_SECONDS * 1000 }
  const told: { fetched: string[]; problems: string[]; rejected: string[]; unknown: string[]; old: number } = {
    ...{ fetched: [], problems: [], rejected: [], unknown: [], old: 0 },
  }
  const keys = createRemoteKeys({
    fetchKeySet,
    monotonic: () => clock.nowMs,
    ...(world.timing === undefined ? {} : { timing: world.timing }),
    observe: {
      fetched: (result, { keys: count, problem }) => {
        told.fetched.push(`${result} ${count}`)
        if (problem !== undefined) told.problems.push(problem)
      },
      rejected: ({ keyId, why }) => void told.rejected.push(`${keyId}: ${why}`),
      changed: () => {},
      unknownKeyId: (action) => void told.unknown.push(action),
      servedOld: () => {
        told.old++
      },
    },
  })
  if (world.isStoppedByTest !== true) closing.push(keys.stop)
  return { keys, clock, told }
}

async function createWorld(answer: KeyAnswer, world: World = {}) {
  const server = await startKeyServer(answer)
  closing.push(server.close)
  const watched = watch(world.fetchKeySet ?? fetchFrom(server.url, fetch), world)
  watched.keys.start()
  return { ...watched, server }
}

/** The same, when a fetch has ended: the first, unless the next ones come within milliseconds. */
async function createReadyWorld(answer: KeyAnswer, world: World = {}) {
  const made = await createWorld(answer, world)
  await eventually(() => expect(made.told.fetched).not.toEqual([]))
  return made
}

const namesOf = (found: FoundKeys) => (isRefusal(found) ? found.reason : found.map(({ keyId }) => keyId))
const find = async (keys: KeySource, keyId: string) => namesOf(await keys.find('ES256', keyId))

function createTestVerifier(keys: KeySource, clock: { nowMs: number }, issuer = 'https://id.example.com') {
  const seen: string[] = []
  const verify = createVerifier({
    issuers: [
      {
        policy: {
          issuer,
          audiences: ['orders'],
          algorithms: ['ES256'],
          clockToleranceSeconds: 5,
          tokenTypes: undefined,
          allowIdTokens: false,
          confirmation: 'checked',
          requiredClaims: [],
          maxLifetimeSeconds: 3600,
        },
        keys,
      },
    ],
    memory: createTokenMemory({ maxEntries: 100, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => clock.nowMs,
    monotonic: () => clock.nowMs,
    observe: (_, remembered) => seen.push(remembered ? 'remembered' : 'verified'),
  })
  const reasonFor = async (text: string) => {
    const token = await verify(text)
    return isRefusal(token) ? token.reason : 'admitted'
  }
  return { reasonFor, seen }
}

describe('keys that are fetched', () => {
  it('count an added key or another order as a revision, a lost one as a generation too, and the same set as neither', async () => {
    let set = jwksOf(one)
    const clock = { nowMs: NOW_SECONDS * 1000 }
    const { keys } = watch(async () => set, { clock, timing: { absentMs: 0 } })
    keys.start()
    const fetchAgain = async (next: string) => {
      set = next
      await keys.find('ES256', 'nobody')
      return [keys.revision(), keys.generation(0)]
    }
    expect(await fetchAgain(jwksOf(one))).toEqual([1, 0])
    expect(await fetchAgain(jwksOf(one))).toEqual([1, 0])
    expect(await fetchAgain(jwksOf(one, two))).toEqual([2, 0])
    expect(await fetchAgain(jwksOf(two, one))).toEqual([3, 0])
    expect(await fetchAgain(jwksOf(two))).toEqual([4, 1])
  })

  it('are there before the first request asks', async () => {
    const { keys, told, server } = await createReadyWorld(answerWith(jwksOf(one)))
    expect(keys.missing()).toBeUndefined()
    expect(keys.size()).toBe(1)
    expect(namesOf(keys.find('ES256', 'one') as FoundKeys)).toEqual(['one'])
    expect(told.fetched).toEqual(['ok 1'])
    expect(server.asked).toHaveLength(1)
  })

  // holds: first-requests-at-once
  it('cost one request for five hundred that come before them', async () => {
    let answerNow = () => {}
    const { keys, server } = await createWorld((res, req) => {
      answerNow = () => answerWith(jwksOf(one))(res, req)
    })
    const all = Promise.all(Array.from({ length: 500 }, () => find(keys, 'one')))
    await eventually(() => expect(server.asked).toHaveLength(1))
    answerNow()
    expect(new Set((await all).flat())).toEqual(new Set(['one']))
    expect(server.asked).toHaveLength(1)
  })

  // holds: bad-keys-among-good
  it('leave out the bad ones among them, and say why', async () => {
    const set = JSON.stringify({ keys: [publicJwk(two, { use: 'enc' }), publicJwk(one)] })
    const { keys, told } = await createReadyWorld(answerWith(set))
    expect(told.rejected).toEqual(['two: its "use" is not "sig"'])
    expect(await find(keys, 'one')).toEqual(['one'])
  })

  it('come by discovery from a real provider, and verify its tokens', async () => {
    const provider = await startIdentityProvider()
    closing.push(provider.close)
    const clock = { nowMs: Date.now() }
    const { keys } = watch(fetchByDiscovery(provider.issuer, fetch), { clock })
    keys.start()
    expect(await createTestVerifier(keys, clock, provider.issuer).reasonFor(provider.mint())).toBe('admitted')
  })
})

describe('an unknown key id', () => {
  // holds: flood-unknown-key-ids
  it('costs one request when ten thousand come within a second, and those with known keys do not wait', async () => {
    const { keys, clock, told, server } = await createReadyWorld(answerWith(jwksOf(one)))
    const found: Promise<unknown>[] = []
    const known: unknown[] = []
    for (let i = 0; i < 10_000; i++) {
      clock.nowMs = NOW_SECONDS * 1000 + Math.floor(i / 10)
      found.push(find(keys, `junk-${i}`))
      known.push(keys.find('ES256', 'one'))
    }
    // Not one by one above: ten thousand expectations take so long that no answer could come within 5 s.
    expect(known.filter((keysOfOne) => !Array.isArray(keysOfOne) || keysOfOne.length !== 1)).toEqual([])
    const answers = await Promise.all(found)
    expect(answers.slice(0, 1000).filter((answer) => answer !== 'key_unknown')).toEqual([])
    expect(answers.slice(1000).filter((answer) => answer !== 'keys_unavailable')).toEqual([])
    // One for the first, and one for those that came after it had begun
    expect(server.asked).toHaveLength(1 + 2)
    expect(told.unknown).toHaveLength(10_000)
  })

  it('waits alone where the provider hangs: known keys are at hand', async () => {
    const { keys, server } = await createReadyWorld(answerWith(jwksOf(one)))
    let answerNow = () => {}
    server.answer = (res, req) => {
      answerNow = () => answerWith(jwksOf(one, two))(res, req)
    }
    const waiting = find(keys, 'two')
    await eventually(() => expect(server.asked).toHaveLength(2))
    expect(keys.find('ES256', 'one')).toHaveLength(1)
    answerNow()
    expect(await waiting).toEqual(['two'])
  })

  // holds: keys-answered-badly
  it('is refused again as soon as the provider is back and does not have it', async () => {
    const { keys, told, server } = await createReadyWorld(answerWith(jwksOf(one)), { timing: { retryMs: 10 } })
    server.answer = answerWith('', 503)
    expect(await find(keys, 'two')).toBe('keys_unavailable')
    server.answer = answerWith(jwksOf(one))
    await eventually(() => expect(told.fetched.at(-1)).toBe('ok 1'))
    expect(await find(keys, 'two')).toBe('key_unknown')
  })

  it('of a new key serves every request that comes with it, the first ones too', async () => {
    const { keys, server } = await createReadyWorld(answerWith(jwksOf(one)))
    server.answer = answerWith(jwksOf(one, two))
    const found = await Promise.all(Array.from({ length: 50 }, () => find(keys, 'two')))
    expect(found).toEqual(found.map(() => ['two']))
    expect(server.asked).toHaveLength(2)
  })
})

describe('rotation', () => {
  // holds: key-rotation
  it('with overlap leaves remembered tokens alone', async () => {
    const { keys, clock, server } = await createReadyWorld(answerWith(jwksOf(one)))
    const { reasonFor, seen } = createTestVerifier(keys, clock)
    const old = signToken(one, goodClaims())
    expect(await reasonFor(old)).toBe('admitted')
    server.answer = answerWith(jwksOf(one, two))
    expect(await reasonFor(signToken(two, goodClaims({ jti: 'new' })))).toBe('admitted')
    expect(await reasonFor(old)).toBe('admitted')
    expect(keys.generation(0)).toBe(0)
    expect(seen).toEqual(['verified', 'verified', 'remembered'])
  })

  // holds: key-rotation
  it('without overlap refuses tokens of the old key, remembered ones too', async () => {
    const { keys, clock, server } = await createReadyWorld(answerWith(jwksOf(one)))
    const { reasonFor } = createTestVerifier(keys, clock)
    const old = signToken(one, goodClaims())
    expect(await reasonFor(old)).toBe('admitted')
    server.answer = answerWith(jwksOf(two))
    expect(await reasonFor(signToken(two, goodClaims({ jti: 'new' })))).toBe('admitted')
    expect(keys.generation(0)).toBe(1)
    expect(await reasonFor(old)).toBe('key_unknown')
  })

  it('takes a removed key away at the next fetch ahead of need, and leaves the others', async () => {
    const { keys, clock, server } = await createReadyWorld(answerWith(jwksOf(one, two)), { timing: { refreshMs: 20 } })
    const { reasonFor } = createTestVerifier(keys, clock)
    const [removed, kept] = [signToken(one, goodClaims()), signToken(two, goodClaims({ jti: 'kept' }))]
    expect([await reasonFor(removed), await reasonFor(kept)]).toEqual(['admitted', 'admitted'])
    server.answer = answerWith(jwksOf(two))
    await eventually(() => expect(keys.size()).toBe(1))
    expect([await reasonFor(removed), await reasonFor(kept)]).toEqual(['key_unknown', 'admitted'])
  })

  const changes: Record<string, string> = {
    'the same key id has another key': jwksOf({ ...two, keyId: 'one' }),
    'the key is not for signatures any longer': JSON.stringify({
      keys: [publicJwk(one, { use: 'enc' }), publicJwk(two)],
    }),
  }
  for (const [name, after] of Object.entries(changes)) {
    // holds: key-rotation
    it(`refuses remembered tokens once ${name}`, async () => {
      const { keys, clock, told, server } = await createReadyWorld(answerWith(jwksOf(one)), {
        timing: { refreshMs: 20 },
      })
      const { reasonFor } = createTestVerifier(keys, clock)
      const old = signToken(one, goodClaims())
      expect(await reasonFor(old)).toBe('admitted')
      server.answer = answerWith(after)
      await eventually(() => expect(keys.generation(0)).toBe(1))
      expect(await reasonFor(old)).toMatch(/key_unknown|signature_invalid/)
      expect(told.problems).toEqual([])
    })
  }

  it('counts as one where a key may no longer be used with its algorithm', async () => {
    const rsa = makeKey('RS256', 'rsa')
    const { keys, server } = await createReadyWorld(answerWith(JSON.stringify({ keys: [publicJwk(rsa)] })), {
      timing: { refreshMs: 20 },
    })
    server.answer = answerWith(JSON.stringify({ keys: [publicJwk(rsa, { alg: 'PS256' })] }))
    await eventually(() => expect(keys.generation(0)).toBe(1))
  })
})

describe('a provider that fails', () => {
  // holds: keys-away-at-start
  it('at the start is a trouble of ours, not of the token, and over without a restart', async () => {
    const { keys, told, server } = await createReadyWorld(answerWith('', 503), { timing: { retryMs: 10 } })
    const why = `Cannot load keys from ${JSON.stringify(server.url)}: status is 503`
    expect(keys.missing()).toBe(why)
    expect(await keys.find('ES256', 'one')).toMatchObject({ reason: 'keys_unavailable', detail: why })
    server.answer = answerWith(jwksOf(one))
    await eventually(() => expect(keys.missing()).toBeUndefined())
    expect(await find(keys, 'one')).toEqual(['one'])
    expect(told.fetched.at(-1)).toBe('ok 1')
  })

  it('at the start is asked again as soon as a token comes', async () => {
    const { keys, server } = await createReadyWorld(answerWith('', 503), { timing: { retryMs: 600_000 } })
    server.answer = answerWith(jwksOf(one))
    expect(await find(keys, 'one')).toEqual(['one'])
    expect(server.asked).toHaveLength(2)
  })

  // holds: keys-away-later
  it('later has its last good keys serve for a day, and then no longer', async () => {
    const { keys, clock, told, server } = await createReadyWorld(answerWith(jwksOf(one)), {
      timing: { refreshMs: 10, retryMs: 10 },
    })
    server.answer = answerWith('', 500)
    await eventually(() => expect(told.problems.length).toBeGreaterThan(2))
    clock.nowMs += 24 * 3_600_000
    await eventually(() => expect(told.fetched.at(-1)).toBe('error 1'))
    expect(await find(keys, 'one')).toEqual(['one'])
    clock.nowMs += 60_000
    expect(await find(keys, 'one')).toBe('keys_unavailable')
    expect(keys.missing()).toContain('status is 500')
    server.answer = answerWith(jwksOf(one))
    await eventually(async () => expect(await find(keys, 'one')).toEqual(['one']))
    expect(keys.generation(0)).toBe(0)
  })

  it('has remembered tokens refused as well once its keys are past their bound, and admits them when it is back', async () => {
    const timing = { keepMs: 60_000 }
    const { keys, clock, server } = await createReadyWorld(answerWith(jwksOf(one)), { timing })
    const { reasonFor, seen } = createTestVerifier(keys, clock)
    const remembered = signToken(one, goodClaims())
    expect(await reasonFor(remembered)).toBe('admitted')
    server.answer = answerWith('', 500)
    clock.nowMs += 60_001
    expect(await reasonFor(remembered)).toBe('keys_unavailable')
    expect(await reasonFor(signToken(one, goodClaims({ jti: 'new' })))).toBe('keys_unavailable')
    server.answer = answerWith(jwksOf(one))
    expect(await find(keys, 'one')).toEqual(['one'])
    expect(await reasonFor(remembered)).toBe('admitted')
    expect(seen).toEqual(['verified', 'remembered'])
  })

  it('has each token told that is judged by keys two rounds old, and no other', async () => {
    const { keys, clock, told, server } = await createReadyWorld(answerWith(jwksOf(one)), {
      timing: { retryMs: 600_000 },
    })
    server.answer = answerWith('', 503)
    await find(keys, 'one')
    expect(await find(keys, 'two')).toBe('keys_unavailable')
    clock.nowMs += 20 * 60_000
    await find(keys, 'one')
    expect(told.old).toBe(0)
    clock.nowMs += 1
    await find(keys, 'one')
    expect(await find(keys, 'two')).toBe('keys_unavailable')
    expect(told.old).toBe(1)
    server.answer = answerWith(jwksOf(one, two))
    clock.nowMs += 60_000
    expect(await find(keys, 'two')).toEqual(['two'])
    expect(told.old).toBe(1)
  })

  const troubles: Record<string, [answer: KeyAnswer, why: string]> = {
    'status 500': [answerWith('', 500), 'status is 500'],
    HTML: [answerWith('<html>'), 'it is not JSON'],
    'an empty object': [answerWith('{}'), 'it is not a JWK Set: it has no list "keys"'],
    'bad keys only': [
      answerWith(JSON.stringify({ keys: [publicJwk(two, { use: 'enc' })] })),
      'the key set holds no usable key',
    ],
    'too many keys': [answerWith(JSON.stringify({ keys: Array(101).fill({}) })), 'it holds 101 keys, more than 100'],
    'ten megabytes': [flood(10_000_000), 'the answer is larger than 1048576 bytes'],
    'a redirect': [answerWith('', 302, { location: 'http://127.0.0.1:1/' }), 'unexpected redirect'],
    'an empty answer': [answerWith(''), 'it is not JSON'],
    'an answer that drips': [drip, 'no answer within 5 s'],
    'no answer at all': [() => {}, 'no answer within 5 s'],
  }
  for (const [name, [answer, why]] of Object.entries(troubles)) {
    it.concurrent(`with ${name} does not take the old keys away, and says why`, async () => {
      const server = await startKeyServer(answerWith(jwksOf(one)))
      const { keys, told } = watch(fetchFrom(server.url, fetch), {
        timing: { refreshMs: 60_000, retryMs: 60_000 },
        isStoppedByTest: true,
      })
      keys.start()
      expect(await find(keys, 'one')).toEqual(['one'])
      server.answer = answer
      expect(await find(keys, 'two')).toBe('keys_unavailable')
      expect(told.fetched).toEqual(['ok 1', 'error 1'])
      expect(told.problems).toEqual([expect.stringContaining(why)])
      expect(keys.generation(0)).toBe(0)
      expect(await find(keys, 'one')).toEqual(['one'])
      keys.stop()
      await server.close()
    })
  }
})

describe('fetching ahead of need', () => {
  /** The timers that are set, and none of them runs. Shorter ones are not for a fetch: connections of the test before end. */
  function watchTimers() {
    const setTimer = globalThis.setTimeout
    const set = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, delayMs: number) => {
      if (!(delayMs >= 500)) return setTimer(run, delayMs)
      timers.push({ run, delayMs, isUnref: false })
      const timer = timers.at(-1)
      return {
        unref: () => {
          if (timer !== undefined) timer.isUnref = true
        },
      }
    }) as never)
    const timers: { run: () => void; delayMs: number; isUnref: boolean }[] = []
    closing.push(() => set.mockRestore())
    return timers
  }

  async function delaysAfter(outcomes: readonly boolean[]) {
    const timers = watchTimers()
    let count = 0
    const { keys } = watch(async () => {
      if (outcomes[count++]) return jwksOf(one)
      throw new Error('down')
    }, {})
    keys.start()
    for (let i = 0; i < outcomes.length; i++) {
      await eventually(() => expect(timers.length).toBeGreaterThan(i), 1000, 1)
      timers[i]?.run()
    }
    return timers
  }

  it('happens every ten minutes, give or take a tenth, and sooner after a failure', async () => {
    const timers = await delaysAfter([true, false, false, false, true])
    const expected = [600_000, 1000, 2000, 4000, 600_000]
    for (const [i, about] of expected.entries()) {
      expect(timers[i]?.delayMs).toBeGreaterThanOrEqual(about * 0.9)
      expect(timers[i]?.delayMs).toBeLessThanOrEqual(about * 1.1)
    }
  })

  it('keeps no process alive', async () => {
    expect((await delaysAfter([true, true])).map(({ isUnref }) => isUnref)).not.toContain(false)
  })

  it('is not done by a fleet at one moment', async () => {
    const timers = await delaysAfter(Array(20).fill(true))
    expect(new Set(timers.map(({ delayMs }) => delayMs)).size).toBeGreaterThan(10)
  })

  // holds: stopped-while-fetching-keys
  it('ends with stop, though a fetch is under way', async () => {
    let answerNow = () => {}
    const { keys, server, told } = await createWorld(
      (res, req) => {
        answerNow = () => answerWith(jwksOf(one))(res, req)
      },
      { timing: { refreshMs: 1, retryMs: 1 } },
    )
    await eventually(() => expect(server.asked).toHaveLength(1))
    keys.stop()
    answerNow()
    await eventually(() => expect(told.fetched).toEqual(['ok 1']))
    const quiet = await createReadyWorld(answerWith(jwksOf(one)), { timing: { refreshMs: 20 } })
    await eventually(() => expect(quiet.server.asked.length).toBeGreaterThan(2))
    expect(server.asked).toHaveLength(1)
  })
})
