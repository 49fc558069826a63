import { expect, test } from 'vitest'
import { within } from '../../src/model/within.ts'

const never = new Promise<string>(() => {})
const failLate = () => {
  throw new Error('too late')
}

test('what comes in time is the answer, be it a value or an error', async () => {
  expect(await within(Promise.resolve('here'), 10_000, failLate)).toBe('here')
  await expect(within(Promise.reject(new Error('broken')), 10_000, failLate)).rejects.toThrow('broken')
})

test('what does not come is answered by another value or error', async () => {
  expect(await within(never, 1, () => 'nothing')).toBe('nothing')
  await expect(within(never, 1, failLate)).rejects.toThrow('too late')
})

test('an error that comes after its time harms nobody', async () => {
  const { promise, reject } = Promise.withResolvers<string>()
  expect(await within(promise, 1, () => 'nothing')).toBe('nothing')
  reject(new Error('later'))
  await new Promise(setImmediate)
})
