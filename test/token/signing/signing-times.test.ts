import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Active, signingAt, supersededAtSeconds } from '../../../src/token/signing/signing-times.ts'

const key = (name: string, active: Active) => ({ name, active })
const [old, first, second, idle] = [key('old', true), key('first', 100), key('second', 200), key('idle', false)]
const keys = [second, idle, old, first]

describe('of several keys', () => {
  it.each([
    [0, 'old'],
    [99.9, 'old'],
    [100, 'first'],
    [199.9, 'first'],
    [200, 'second'],
    [1e9, 'second'],
  ])('at %d the one signs whose time came last', (nowSeconds, name) => {
    expect(signingAt(keys, nowSeconds)?.name).toBe(name)
  })

  it('none signs before the first time', () => {
    expect(signingAt([first, idle], 99)).toBeUndefined()
    expect(signingAt([idle], 99)).toBeUndefined()
  })

  it('each signs until the next one begins', () => {
    expect(keys.map((of) => supersededAtSeconds(of, keys))).toEqual([undefined, undefined, 100, 200])
  })

  it('the order in which they are written does not matter', () => {
    const times = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 25 }), (begins, nowSeconds) => {
        const all = begins.map((active) => key(String(active), active))
        const wanted = begins.filter((time) => time <= nowSeconds).sort((a, b) => b - a)[0]
        expect(signingAt(all, nowSeconds)?.active).toBe(wanted)
        expect(signingAt(all.toReversed(), nowSeconds)?.active).toBe(wanted)
      }),
    )
  })
})
