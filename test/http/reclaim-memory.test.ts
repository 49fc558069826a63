// Garbage of bodies is collected by the amount that passed, however it was cut.
import { expect, test } from 'vitest'
import { createReclaim } from '../../src/http/reclaim-memory.ts'

const MEBIBYTE = 1024 * 1024

test.each([1_024, 65_536, MEBIBYTE])('a gibibyte in pieces of %i bytes is collected 64 times', (piece) => {
  let collected = 0
  const onPassed = createReclaim(() => {
    collected += 1
  })
  for (let bytes = 0; bytes < 1024 * MEBIBYTE; bytes += piece) onPassed(piece)
  expect(collected).toBe(64)
})

test('a little is never collected', () => {
  const onPassed = createReclaim(() => {
    throw new Error('Collected without need')
  })
  for (let count = 0; count < 8_000; count++) onPassed(2_048)
})
