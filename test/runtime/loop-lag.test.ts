import { afterEach, expect, test } from 'vitest'
import { type LoopLag, watchLoopLag } from '../../src/runtime/loop-lag.ts'
import { eventually } from '../support/eventually.ts'

let loop: LoopLag | undefined
afterEach(() => loop?.stop())

/** A clock that shows these steps between two looks, then the last one again and again. */
function steppingClock(...stepsMs: number[]) {
  const state = { nowMs: 0, looks: 0 }
  const clock = () => {
    if (state.looks > 0) state.nowMs += stepsMs[Math.min(state.looks, stepsMs.length) - 1] ?? 0
    state.looks++
    return state.nowMs
  }
  return { state, clock }
}

test('a loop that is late on every turn is late', async () => {
  loop = watchLoopLag(steppingClock(100).clock)
  await eventually(() => expect(loop?.lagMs()).toBe(80))
})

test('one late turn, such as a collection of garbage, is not', async () => {
  const { clock, state } = steppingClock(20, 500, 20)
  loop = watchLoopLag(clock)
  const seen = new Set<number>()
  await eventually(() => {
    seen.add(loop?.lagMs() ?? Number.NaN)
    expect(state.looks).toBeGreaterThan(10)
  })
  expect([...seen]).toEqual([0])
})

test('it recovers with the first turn that is in time', async () => {
  const { clock, state } = steppingClock(100, 100, 100, 100, 100, 100, 20)
  loop = watchLoopLag(clock)
  await eventually(() => expect(state.looks).toBeGreaterThan(7))
  expect(loop.lagMs()).toBe(0)
})
