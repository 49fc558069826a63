import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrameBoundary } from '../../../src/upstream/tunnel/frame-boundary.ts'

/** One frame as RFC 6455 section 5.2 has it. */
function frame(size: number, isMasked: boolean): Buffer {
  const mask = isMasked ? 0x80 : 0
  const head =
    size < 126
      ? Buffer.from([0x82, mask | size])
      : size < 65_536
        ? Buffer.from([0x82, mask | 126, size >> 8, size & 0xff])
        : Buffer.from([0x82, mask | 127, 0, 0, 0, 0, 0, size >> 16, (size >> 8) & 0xff, size & 0xff])
  return Buffer.concat([head, isMasked ? Buffer.alloc(4, 0xff) : Buffer.alloc(0), Buffer.alloc(size, 0xff)])
}

test('it is at a boundary after whole frames and nowhere else, however the bytes are cut', () => {
  const sizes = fc.constantFrom(0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(sizes, fc.boolean()), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }),
      (frames, cuts) => {
        const bytes = frames.map(([size, isMasked]) => frame(size, isMasked))
        const ends = new Set<number>([0])
        let total = 0
        for (const one of bytes) {
          total += one.length
          ends.add(total)
        }
        const all = Buffer.concat(bytes)
        const boundary = createFrameBoundary()
        let at = 0
        for (let turn = 0; at < all.length; turn++) {
          const next = Math.min(all.length, at + (cuts[turn % cuts.length] ?? 1))
          boundary.follow(all.subarray(at, next))
          at = next
          expect(boundary.isAtBoundary()).toBe(ends.has(at))
        }
      },
    ),
  )
})

test('it is at a boundary before anything has come', () => {
  expect(createFrameBoundary().isAtBoundary()).toBe(true)
})
