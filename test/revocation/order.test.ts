// In which order do copies of a rule count, whatever happens to the log and to clocks? Gates that have seen different things end
// up with the same answers, and what was revoked last is refused.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createList } from '../../src/revocation/compact-list/list.ts'
import type { Rule } from '../../src/revocation/rule/rule.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { verifiedToken } from '../support/verified-token.ts'
import { logKey, revoke, soon, startSynced, stateOf, stopAll, untilState } from './harness.ts'
import { createModelGate, createModelLog, type ModelGate } from './model-log.ts'

const startMs = 1_800_000_000_000
const names = ['a', 'b']
const expires = String(startMs / 1000 + 40_000)
const raw = (value: string, ...more: string[]) => ['kind', 'token', 'value', value, 'expires', expires, ...more]
const ruleOf = (value: string): Rule => ({
  kind: 'token',
  value,
  expiresAtSeconds: Number(expires),
  atMs: startMs,
  lifted: false,
})

const gateNumber = fc.integer({ min: 0, max: 2 })
const value = fc.constantFrom(...names)
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('revoke', 'lift'), gate: gateNumber, value }),
    fc.record({ do: fc.constantFrom('add', 'add lift', 'add without end'), value }),
    fc.record({ do: fc.constantFrom('follow', 'heal'), gate: gateNumber }),
    fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0, 1, 5000, 30_000) }),
    fc.record({ do: fc.constant('lose'), kept: fc.integer({ min: 0, max: 6 }), offMs: fc.constantFrom(700, -20_500) }),
  ),
  { maxLength: 30, size: 'max' },
)

/** An entry of another program, to the letter: after a loss its id may be given to a copy of another one. */
type Added = { id: string; fields: readonly string[] }

type Step = { do: string; gate?: number; value?: string; ms?: number; kept?: number; offMs?: number }

/** What the world of one run holds. */
function createWorld() {
  const log = createModelLog(startMs)
  const world = { log, clockMs: startMs, gates: [] as ModelGate[], lastAdded: new Map<string, Added>() }
  const start = () => createModelGate(log, () => world.clockMs)
  world.gates.push(start(), start())
  const startReading = async () => {
    const gate = start()
    await gate.follow()
    return gate
  }
  return { world, startReading }
}

type World = ReturnType<typeof createWorld>['world']

// No two entries are the same: a log that is wiped and given the very entry again, with its id, is one that was not wiped.
function addRaw({ log, lastAdded }: World, name: string, number: number, ...more: string[]): void {
  const fields = raw(name, 'reason', String(number), ...more)
  const id = log.add(fields)
  if (more.length > 0) lastAdded.delete(name)
  else lastAdded.set(name, { id, fields })
}

function addEndless({ log, lastAdded }: World, name: string, number: number): void {
  const fields = ['kind', 'token', 'value', name, 'reason', String(number)]
  lastAdded.set(name, { id: log.add(fields), fields })
}

async function take(step: Step, world: World, number: number): Promise<void> {
  const { gates, lastAdded, log } = world
  const gate = gates[step.gate ?? 0]
  const name = step.value ?? ''
  if (step.do === 'add') return addRaw(world, name, number)
  if (step.do === 'add without end') return addEndless(world, name, number)
  if (step.do === 'add lift') return addRaw(world, name, number, 'lifted', '1')
  if (step.do === 'pass') return log.pass(step.ms ?? 0)
  if (step.do === 'lose') return log.loseAllBut(step.kept ?? 0, step.offMs ?? 0)
  if (step.do === 'follow') return gate?.follow()
  if (step.do === 'heal') return gate?.heal()
  lastAdded.delete(name)
  const rule = { ...ruleOf(name), reason: String(number), actor: String(number) }
  await (step.do === 'revoke' ? gate?.write(rule) : gate?.lift(rule))?.catch(() => {})
  // Read before anything else happens: a write that is lost before that was in no log that anybody knew.
  await gate?.follow()
}

async function settle(world: World): Promise<void> {
  for (let round = 0; round < 12; round += 1) {
    // Past the rest of a gate that has healed five times within a minute.
    world.clockMs += 61_000
    for (const gate of world.gates) {
      await gate.follow()
      await gate.heal()
    }
  }
}

/** Plays the steps, lets every gate read and heal until nothing changes, and starts one more. */
async function play(taken: readonly Step[]) {
  const { world, startReading } = createWorld()
  const { gates, log } = world
  for (const gate of gates) await gate.follow()
  for (const [number, step] of taken.entries()) {
    // The third one starts in the middle.
    if (step.gate === 2 && gates.length === 2) gates.push(await startReading())
    await take(step, world, number)
  }
  await settle(world)
  const late = await startReading()
  const verdicts = [...gates, late].map(({ list }) =>
    names.map((jti) => list.check(verifiedToken({ jti }), startMs / 1000) !== undefined),
  )
  const isThere = ([, { id, fields }]: [string, Added]) =>
    log.entries.some((entry) => entry.id === id && isDeepStrictEqual(entry.fields, fields))
  return { verdicts, standing: [...world.lastAdded].filter(isThere).map(([name]) => name) }
}

// holds: loss-failover-clocks-apart
test('two gates, loss, a failover that keeps a rule and its lift, a clock 20 s behind, a gate that starts later: the same verdicts', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const { verdicts, standing } = await play(taken as readonly Step[])
      const [first, ...others] = verdicts
      for (const other of others) expect(other).toEqual(first)
      // What another program revoked last, and what the log still has, is refused.
      for (const name of standing) expect(first?.[names.indexOf(name)]).toBe(true)
    }),
    { numRuns: 1000, seed: 12 },
  )
}, 60_000)

test('an earlier lift does not swallow an entry that a wiped Redis writes with a clock that is 20 s behind', async () => {
  const { verdicts } = await play([
    { do: 'revoke', gate: 0, value: 'a' },
    { do: 'pass', ms: 5000 },
    { do: 'lift', gate: 0, value: 'a' },
    { do: 'follow', gate: 1 },
    { do: 'lose', kept: 0, offMs: -20_000 },
    { do: 'add', value: 'a' },
  ])
  expect(verdicts).toEqual([
    [true, false],
    [true, false],
    [true, false],
  ])
})

describe('a real Redis', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    await stopAll()
    await redis.stop()
  })

  const xadd = (id: string, jti: string, ...more: string[]) =>
    redis.command('xadd', logKey, id, 'kind', 'token', 'value', jti, ...more)

  // holds: lift-from-future
  test('a lift whose "at" lies ahead does not swallow the rule that comes after it', async () => {
    const gate = await startSynced({ url: redis.url })
    await revoke(gate, 'one')
    await xadd('*', 'one', 'lifted', '1', 'at', String(Date.now() + 79_200_000))
    await untilState(gate, 'one', 'clear')
    await xadd('*', 'one')
    await untilState(gate, 'one', 'revoked')
    expect(stateOf(await startSynced({ url: redis.url }), 'one')).toBe('revoked')
  })

  test('what is overruled on its arrival is counted and logged', async () => {
    const gate = await startSynced({ url: redis.url })
    const ms = Date.now() + 60_000
    await xadd(`${ms}-0`, 'one')
    await untilState(gate, 'one', 'revoked')
    await xadd('*', 'one', 'lifted', '1')
    await vi.waitFor(() => expect(gate.seen.overruled).toBe(1), soon)
    expect(stateOf(gate, 'one')).toBe('revoked')
    expect(
      gate.seen.lines.filter((line) => line.startsWith('Entries of the revocation log do not count')),
    ).toHaveLength(1)
  })

  test('an entry an hour ahead is an error, and a lift by a gate counts all the same', async () => {
    const gate = await startSynced({ url: redis.url })
    await xadd(`${Date.now() + 7_200_000}-0`, 'one')
    await untilState(gate, 'one', 'revoked')
    await vi.waitFor(() => expect(gate.seen.logAheadSeconds).toBeGreaterThan(7000), soon)
    expect(gate.revocations.readiness().detail).toContain('begin a new list')
    expect(gate.seen.lines.filter((line) => line.includes('lies ahead of the clock of Redis'))).toHaveLength(1)
    expect(await gate.revocations.lift('token', 'one')).toMatchObject({ value: 'one' })
    const late = await startSynced({ url: redis.url })
    expect([gate, late].map((one) => stateOf(one, 'one'))).toEqual(['clear', 'clear'])
  })

  // holds: lift-from-future
  test('an id of 16 digits is a rule, later entries are read, and a lift that cannot count is refused', async () => {
    const gate = await startSynced({ url: redis.url })
    await xadd('9999999999999999-0', 'one')
    await xadd('*', 'two')
    await untilState(gate, 'one', 'revoked')
    await untilState(gate, 'two', 'revoked')
    await expect(gate.revocations.lift('token', 'one')).rejects.toThrow('begin a new list')
    expect(stateOf(gate, 'one')).toBe('revoked')
    await revoke(gate, 'one', 'three')
    expect(stateOf(await startSynced({ url: redis.url }), 'three')).toBe('revoked')
  })

  test.each(['rule first', 'lift first'])(
    'a lift with a shorter end than its rule lasts as long, %s',
    async (order) => {
      const seconds = Math.floor(Date.now() / 1000)
      let nowMs = Date.now()
      const clock = () => nowMs
      const end = ['expires', String(seconds + 3000)]
      const lift = ['lifted', '1', 'expires', String(seconds + 5)]
      const early = await startSynced({ url: redis.url, clock })
      const at = (ms: number) => ['at', String(nowMs - 10_000 + ms)]
      if (order === 'rule first') await xadd('*', 'one', ...end, ...at(0))
      await xadd('*', 'one', ...lift, ...at(1))
      if (order === 'lift first') await xadd('*', 'one', ...end, ...at(0))
      await xadd('*', 'two', ...end)
      await untilState(early, 'two', 'revoked')
      nowMs += 60_000
      await untilState(early, 'other', 'clear')
      const late = await startSynced({ url: redis.url, clock })
      expect([early, late].map((gate) => stateOf(gate, 'one'))).toEqual(['clear', 'clear'])
    },
  )

  // holds: loss-failover-clocks-apart
  test('a wiped Redis continues behind what is known: a plain entry counts over an older lift', async () => {
    const gate = await startSynced({ url: redis.url })
    // Written by a master whose clock was ahead.
    const ms = Date.now() + 20_000
    await xadd(`${ms}-0`, 'one')
    await xadd(`${ms + 1}-0`, 'one', 'lifted', '1')
    await untilState(gate, 'one', 'clear')
    await vi.waitFor(() => expect(gate.list.find({ kind: 'token', value: 'one' })?.lifted).toBe(true), soon)
    await redis.client.multi().call('del', logKey).call('xadd', logKey, '*', 'kind', 'token', 'value', 'one').exec()
    await untilState(gate, 'one', 'revoked')
    await vi.waitFor(async () => expect(Number(await redis.command('xlen', logKey))).toBeGreaterThan(1), soon)
    await vi.waitFor(() => expect(gate.seen.synced).toBe(true), soon)
    expect(stateOf(await startSynced({ url: redis.url }), 'one')).toBe('revoked')
  })
})

test('what lies too far ahead is taken back, a lift behind a rule', () => {
  const list = createList()
  list.apply({ ...ruleOf('a'), atMs: startMs + 9_000_000 })
  list.apply({ ...ruleOf('b'), atMs: startMs + 9_000_000, lifted: true })
  list.apply({ ...ruleOf('c'), atMs: startMs })
  list.lower(startMs + 3_600_000)
  expect(['a', 'b', 'c'].map((jti) => list.find(ruleOf(jti))?.atMs)).toEqual([
    startMs + 3_600_000,
    startMs + 3_540_000,
    startMs,
  ])
  expect(list.highestAtMs()).toBe(startMs + 3_600_000)
  expect(list.sizeAll()).toBe(3)
})
