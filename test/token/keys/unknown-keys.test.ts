// Tokens whose key is not in the set: how long they wait, how often the provider is asked for them, and that junk cannot
// have a fresh token refused. Time is turned by hand.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isRefusal } from '../../../src/model/refusal.ts'
import { createRemoteKeys, type RemoteKeysTiming } from '../../../src/token/keys/remote-keys.ts'
import { jwksOf, makeKey, publicJwk } from '../../support/tokens.ts'

const [one, two] = [makeKey('ES256', 'one'), makeKey('ES256', 'two')]
const SECOND_MS = 1_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A provider that publishes `set`, or throws what it is, and the keys that are fetched from it. */
function createWorld(timing: Partial<RemoteKeysTiming> = {}, first: string | Error = jwksOf(one)) {
  const provider = { set: first, takesMs: 10, askedMs: [] as number[] }
  const told = { fetched: [] as string[], rejected: [] as string[], changed: [] as string[] }
  const keys = createRemoteKeys({
    fetchKeySet: async () => {
      provider.askedMs.push(Date.now() - startedMs)
      const { set } = provider
      await new Promise((resolve) => setTimeout(resolve, provider.takesMs))
      if (set instanceof Error) throw set
      return set
    },
    monotonic: () => Date.now(),
    timing,
    observe: {
      fetched: (result) => void told.fetched.push(result),
      rejected: ({ keyId }) => void told.rejected.push(String(keyId)),
      changed: (set) => void told.changed.push(set.map(({ keyId }) => keyId).join(' ')),
      unknownKeyId: () => {},
      servedOld: () => {},
    },
  })
  const startedMs = Date.now()
  closing.push(keys.stop)
  keys.start()
  /** What a token with this key id is answered, and how long it waited. */
  const ask = async (keyId: string | undefined) => {
    const beganMs = Date.now()
    const found = await keys.find('ES256', keyId)
    return { answer: isRefusal(found) ? found.reason : found.map((key) => key.keyId), waitedMs: Date.now() - beganMs }
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  const asked = async (keyId: string | undefined, passMs = 7 * SECOND_MS) => {
    const answer = ask(keyId)
    await pass(passMs)
    return (await answer).answer
  }
  return { provider, told, keys, ask, asked, pass }
}

async function createReadyWorld(timing: Partial<RemoteKeysTiming> = {}) {
  const world = createWorld(timing)
  await world.pass(100)
  expect(world.keys.missing()).toBeUndefined()
  return world
}

describe('a rotation under junk', () => {
  // holds: junk-with-unknown-key-ids
  it('admits every fresh token, though junk with unknown key ids came just before', async () => {
    const { provider, ask, asked, pass } = await createReadyWorld()
    for (let round = 0; round < 10; round++) {
      expect(await asked(`junk-${round}`, 100)).toBe('key_unknown')
      const fresh = makeKey('ES256', `fresh-${round}`)
      provider.set = jwksOf(one, fresh)
      const answers = Array.from({ length: 100 }, () => ask(fresh.keyId))
      await pass(100)
      for (const { answer, waitedMs } of await Promise.all(answers)) {
        expect(answer).toEqual([fresh.keyId])
        expect(waitedMs).toBeLessThan(100)
      }
      await pass(30 * SECOND_MS)
    }
  })

  it('has a fresh token wait for the next fetch where junk has used the allowance up, and then admits it', async () => {
    const { provider, ask, asked, pass } = await createReadyWorld()
    for (let i = 0; i < 5; i++) await asked(`junk-${i}`, 100)
    provider.set = jwksOf(one, two)
    const fresh = ask('two')
    await pass(6 * SECOND_MS)
    const { answer, waitedMs } = await fresh
    expect(answer).toEqual(['two'])
    expect(waitedMs).toBeGreaterThan(5 * SECOND_MS)
  })

  it('looks again for a token that came while a fetch was under way: the key may be newer than that fetch', async () => {
    const { provider, ask, pass } = await createReadyWorld()
    const junk = ask('junk')
    provider.set = jwksOf(one, two)
    const fresh = ask('two')
    await pass(100)
    expect([(await junk).answer, (await fresh).answer]).toEqual(['key_unknown', ['two']])
    expect(provider.askedMs).toHaveLength(3)
  })
})

describe('a flood of unknown key ids', () => {
  it('causes five fetches, and one more each six seconds', async () => {
    const { provider, ask, pass } = await createReadyWorld()
    const answers: ReturnType<typeof ask>[] = []
    for (let tick = 0; tick < 600; tick++) {
      answers.push(ask(`junk-${tick}`))
      await pass(100)
    }
    await pass(7 * SECOND_MS)
    for (const { answer } of await Promise.all(answers)) expect(answer).toMatch(/key_unknown|keys_unavailable/)
    const causedIn = (fromMs: number, toMs: number) =>
      provider.askedMs.filter((askedMs) => askedMs > fromMs && askedMs <= toMs).length
    expect(causedIn(0, 5 * SECOND_MS)).toBe(5)
    expect(causedIn(5 * SECOND_MS, 60 * SECOND_MS)).toBeGreaterThanOrEqual(8)
    expect(causedIn(5 * SECOND_MS, 60 * SECOND_MS)).toBeLessThanOrEqual(10)
  })

  it('never has a token wait longer than six seconds', async () => {
    const { provider, ask, pass } = await createReadyWorld()
    provider.takesMs = 60 * SECOND_MS
    const answers = Array.from({ length: 50 }, (_, i) => ask(`junk-${i}`))
    await pass(6 * SECOND_MS)
    for (const { answer, waitedMs } of await Promise.all(answers)) {
      expect(answer).toBe('keys_unavailable')
      expect(waitedMs).toBe(6 * SECOND_MS)
    }
  })

  it('has a thousand wait at most; the others are answered 503 at once', async () => {
    const { ask, pass } = await createReadyWorld()
    const answers = Array.from({ length: 1010 }, (_, i) => ask(`junk-${i}`))
    const late = await Promise.all(answers.slice(1000))
    expect(late.map(({ answer, waitedMs }) => [answer, waitedMs])).toEqual(Array(10).fill(['keys_unavailable', 0]))
    await pass(100)
    expect((await Promise.all(answers.slice(0, 1000))).every(({ answer }) => answer === 'key_unknown')).toBe(true)
  })
})

describe('a key id that a fetch did not find', () => {
  it('is refused at once for half a minute, and looked for again after it', async () => {
    const { provider, ask, asked, pass } = await createReadyWorld()
    expect(await asked('junk', 100)).toBe('key_unknown')
    const before = provider.askedMs.length
    await pass(29 * SECOND_MS)
    expect(await ask('junk')).toEqual({ answer: 'key_unknown', waitedMs: 0 })
    expect(provider.askedMs).toHaveLength(before)
    await pass(2 * SECOND_MS)
    expect(await asked('junk', 100)).toBe('key_unknown')
    expect(provider.askedMs).toHaveLength(before + 1)
  })

  it('is admitted as soon as any fetch brings its key', async () => {
    const { provider, asked } = await createReadyWorld()
    expect(await asked('two', 100)).toBe('key_unknown')
    provider.set = jwksOf(one, two)
    expect(await asked('junk', 100)).toBe('key_unknown')
    expect(await asked('two', 0)).toEqual(['two'])
  })

  it('is not found out where the fetch fails: 503, and looked for again', async () => {
    const { provider, asked } = await createReadyWorld()
    provider.set = new Error('down')
    expect(await asked('two', 100)).toBe('keys_unavailable')
    provider.set = jwksOf(one, two)
    expect(await asked('two', 100)).toEqual(['two'])
  })

  it('is remembered by its hash where it is long, and the longest unused leave', async () => {
    const { provider, ask, asked } = await createReadyWorld({ maxWaiting: 10_000 })
    const long = 'k'.repeat(8_000)
    expect(await asked(long, 100)).toBe('key_unknown')
    expect(await ask(long)).toEqual({ answer: 'key_unknown', waitedMs: 0 })
    const crowd = Array.from({ length: 5_000 }, (_, i) => ask(`junk-${i}`))
    await vi.advanceTimersByTimeAsync(100)
    await Promise.all(crowd)
    const before = provider.askedMs.length
    expect(await asked(long, 100)).toBe('key_unknown')
    expect(provider.askedMs).toHaveLength(before + 1)
  })
})

describe('a key that was exchanged under its name', () => {
  it('is fetched when a signature fits none, half a minute after the last attempt at the earliest', async () => {
    const { provider, keys, asked, pass } = await createReadyWorld()
    const exchanged = makeKey('ES256', 'one')
    provider.set = jwksOf(exchanged)
    for (let i = 0; i < 100; i++) keys.doubt()
    await pass(29 * SECOND_MS)
    keys.doubt()
    expect(provider.askedMs).toHaveLength(1)
    await pass(2 * SECOND_MS)
    for (let i = 0; i < 100; i++) keys.doubt()
    await pass(100)
    for (let i = 0; i < 100; i++) keys.doubt()
    expect(provider.askedMs).toHaveLength(2)
    expect([keys.generation(0), keys.revision()]).toEqual([1, 2])
    expect(await asked('one', 0)).toEqual(['one'])
  })
})

describe('a provider that is away', () => {
  it('is asked at least each fifteen seconds while there is no set', async () => {
    const { provider, pass } = createWorld({}, new Error('down'))
    const { askedMs } = provider
    await pass(300 * SECOND_MS)
    const gaps = askedMs.slice(1).map((ms, i) => ms - (askedMs[i] ?? 0))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(15 * SECOND_MS + provider.takesMs)
    expect(askedMs.length).toBeLessThan(40)
  })

  it('is asked at once for a token that comes when it is back', async () => {
    const { provider, ask, pass } = createWorld({}, new Error('down'))
    await pass(34 * SECOND_MS)
    provider.set = jwksOf(one)
    const answer = ask('one')
    await pass(100)
    expect(await answer).toEqual({ answer: ['one'], waitedMs: 10 })
  })

  it('has keys past their bound answered as missing, by their generation too, until they are fetched again', async () => {
    const { provider, keys, asked, pass } = await createReadyWorld()
    provider.set = new Error('down')
    await pass(24 * 3600 * SECOND_MS - 200)
    expect([await asked('one', 0), keys.generation(Date.now())]).toEqual([['one'], 0])
    await pass(SECOND_MS)
    expect([await asked('one'), keys.generation(Date.now()), keys.keys()]).toEqual(['keys_unavailable', -1, []])
    provider.set = jwksOf(one)
    expect([await asked('one'), keys.generation(Date.now())]).toEqual([['one'], 0])
  })
})

describe('a key set without any key', () => {
  // holds: set-changes-during-verification
  it('counts when it still is so half a minute later', async () => {
    const { provider, told, keys, asked, pass } = await createReadyWorld()
    provider.set = '{"keys":[]}'
    expect(await asked('two', 100)).toBe('keys_unavailable')
    expect([await asked('one', 0), keys.generation(0)]).toEqual([['one'], 0])
    await pass(36 * SECOND_MS)
    expect([keys.generation(0), keys.size(), keys.missing()]).toEqual([1, 0, 'the key set lists no key at all'])
    expect(await asked('one')).toBe('key_unknown')
    expect(told.changed).toEqual(['one', ''])
    expect(told.fetched.slice(0, 3)).toEqual(['ok', 'empty', 'empty'])
  })

  it('does not count where the provider publishes its keys again before', async () => {
    const { provider, keys, asked, pass } = await createReadyWorld()
    provider.set = '{"keys":[]}'
    await asked('two', 100)
    provider.set = jwksOf(one)
    await pass(60 * SECOND_MS)
    expect([await asked('one', 0), keys.generation(0)]).toEqual([['one'], 0])
  })

  it('is forgotten when the provider publishes keys again', async () => {
    const { provider, asked, pass } = await createReadyWorld()
    provider.set = '{"keys":[]}'
    await asked('two', 100)
    await pass(60 * SECOND_MS)
    provider.set = jwksOf(two)
    expect(await asked('two')).toEqual(['two'])
  })

  it('is something else than a set whose keys cannot be used: that is a failed fetch, however long', async () => {
    const { provider, told, keys, asked, pass } = await createReadyWorld()
    provider.set = JSON.stringify({ keys: [publicJwk(two, { use: 'enc' })] })
    await asked('two', 100)
    await pass(3600 * SECOND_MS)
    expect([await asked('one', 0), keys.generation(0)]).toEqual([['one'], 0])
    expect(told.fetched.slice(1)).not.toContain('ok')
    const why = 'the key set holds no usable key ("two": its "use" is not "sig")'
    const answer = keys.find('ES256', 'two')
    await pass(7 * SECOND_MS)
    expect(await answer).toMatchObject({ reason: 'keys_unavailable', detail: why })
  })
})

describe('a key that cannot be used', () => {
  it('is told once, however often it is fetched, and again after it was gone', async () => {
    const withEncryption = JSON.stringify({ keys: [publicJwk(one), publicJwk(two, { use: 'enc' })] })
    const { provider, told, pass } = createWorld({ refreshMs: 1_000 }, withEncryption)
    await pass(10 * SECOND_MS)
    expect(told.rejected).toEqual(['two'])
    provider.set = jwksOf(one)
    await pass(10 * SECOND_MS)
    provider.set = withEncryption
    await pass(10 * SECOND_MS)
    expect(told.rejected).toEqual(['two', 'two'])
  })
})
