// A pod that is about to go is one for ten minutes, however often it is told.
import { expect, test } from 'vitest'
import { createLeaving } from '../../src/http/drain.ts'

const MINUTE_MS = 60_000

test('a pod that nobody has told is not leaving, even when its clock begins', () => {
  expect(createLeaving(() => 0).isUnderWay()).toBe(false)
})

test('it ends by itself after ten minutes, and can begin again', () => {
  let nowMs = 5
  const leaving = createLeaving(() => nowMs)
  expect(leaving.begin()).toBe(true)
  nowMs += 10 * MINUTE_MS - 1
  expect(leaving.isUnderWay()).toBe(true)
  nowMs += 1
  expect(leaving.isUnderWay()).toBe(false)
  expect(leaving.begin()).toBe(true)
  expect(leaving.isUnderWay()).toBe(true)
})

test('told again while it lasts, it begins anew and is not news', () => {
  let nowMs = 0
  const leaving = createLeaving(() => nowMs)
  leaving.begin()
  nowMs += 9 * MINUTE_MS
  expect(leaving.begin()).toBe(false)
  nowMs += 9 * MINUTE_MS
  expect(leaving.isUnderWay()).toBe(true)
})
