import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BLOCK_WORDS, createBlocks, type Extent, unplaced } from '../../../src/revocation/compact-list/blocks.ts'

const bytesOf = (blocks: number) => blocks * BLOCK_WORDS * 4

describe('blocks', () => {
  const steps = fc.array(
    fc.record({
      at: fc.nat(30),
      capacity: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: BLOCK_WORDS })),
      isRemoved: fc.boolean(),
    }),
    { maxLength: 120 },
  )

  test('an extent keeps its words through everything that happens to the others', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const blocks = createBlocks()
        const extents: { readonly extent: Extent; readonly mark: number }[] = []
        for (const [mark, { at, capacity, isRemoved }] of taken.entries()) {
          const old = extents[at]
          if (old === undefined) {
            const extent = unplaced()
            blocks.resize(extent, capacity)
            extents.push({ extent, mark })
            fillWith(extent, mark, 0)
          } else if (isRemoved) {
            blocks.resize(old.extent, 0)
            extents.splice(at, 1)
          } else {
            const before = old.extent.capacity
            blocks.resize(old.extent, capacity)
            fillWith(old.extent, old.mark, before)
          }
          for (const { extent, mark: own } of extents) expect(isFilledWith(extent, own)).toBe(true)
        }
        for (const { extent } of extents) blocks.resize(extent, 0)
        expect(blocks.bytes()).toBe(0)
      }),
    )
  })

  test('what many blocks held is gathered into few when most of it goes', () => {
    const blocks = createBlocks()
    const extents = Array.from({ length: 400 }, () => {
      const extent = unplaced()
      blocks.resize(extent, 4000)
      return extent
    })
    expect(blocks.bytes()).toBe(bytesOf(25))
    for (const extent of extents) blocks.resize(extent, 400)
    // 160,000 words in blocks of 65,520.
    expect(blocks.bytes()).toBeLessThanOrEqual(bytesOf(5))
    // What stays is scattered over all of them.
    for (const [index, extent] of extents.entries()) if (index % 100 !== 0) blocks.resize(extent, 0)
    expect(blocks.bytes()).toBe(bytesOf(1))
  })
})

function fillWith({ words, start, capacity }: Extent, mark: number, from: number): void {
  if (from < capacity) words.fill(mark, start + from, start + capacity)
}

function isFilledWith({ words, start, capacity }: Extent, mark: number): boolean {
  return words.subarray(start, start + capacity).every((word) => word === mark)
}
