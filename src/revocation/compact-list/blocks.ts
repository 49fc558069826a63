// Where in memory do the parts of the local list lie? Off the heap of V8, in blocks of one size, packed without a gap: a part
// that grows pushes its neighbours aside or moves to another block, so that nothing is copied twice over in one go.

/** A run of words inside a block. It can be moved by any change to any extent: read `words` and `start` anew after one. */
export interface Extent {
  words: Int32Array
  start: number
  capacity: number
  block: Block
}

interface Block {
  readonly words: Int32Array
  /** Extents in the order in which they lie. */
  readonly extents: Extent[]
  used: number
}

export interface Blocks {
  /** Makes an extent larger or smaller. What fits stays; new words hold anything. Without capacity it is in no block. */
  resize(extent: Extent, capacity: number): void
  bytes(): number
}

/**
 * The words of a block, which is the most that one extent can have. A little under 256 KiB: malloc usually maps a block
 * of this size on its own and can give it back at once; with its header it fills whole pages.
 */
export const BLOCK_WORDS = 65_520

const nowhere: Block = { words: new Int32Array(0), extents: [], used: 0 }

/** An extent that is in no block yet. */
export function unplaced(): Extent {
  return { words: nowhere.words, start: 0, capacity: 0, block: nowhere }
}

export function createBlocks(): Blocks {
  const blocks: Block[] = []
  let used = 0

  function append(extent: Extent, block: Block, capacity: number): void {
    extent.words = block.words
    extent.start = block.used
    extent.capacity = capacity
    extent.block = block
    block.extents.push(extent)
    block.used += capacity
    used += capacity
  }

  // The fullest that has room: the others may become empty.
  function roomFor(capacity: number): Block {
    let best: Block | undefined
    for (const block of blocks) {
      if (block.used + capacity <= BLOCK_WORDS && (best === undefined || block.used > best.used)) best = block
    }
    if (best !== undefined) return best
    const fresh = { words: new Int32Array(BLOCK_WORDS), extents: [], used: 0 }
    blocks.push(fresh)
    return fresh
  }

  // To another block, into the first one, or out of all.
  function move(extent: Extent, capacity: number): void {
    const { words, start, block, capacity: before } = extent
    const index = block.extents.indexOf(extent)
    if (capacity === 0) Object.assign(extent, unplaced())
    else append(extent, roomFor(capacity), capacity)
    extent.words.set(words.subarray(start, start + Math.min(before, capacity)), extent.start)
    if (before > 0) closeGap(block, index, start, before)
  }

  function closeGap(block: Block, index: number, start: number, gap: number): void {
    block.extents.splice(index, 1)
    block.words.copyWithin(start, start + gap, block.used)
    for (let next = index; next < block.extents.length; next += 1) shift(block.extents[next], -gap)
    block.used -= gap
    used -= gap
    if (block.used === 0) blocks.splice(blocks.indexOf(block), 1)
    gather()
  }

  function resize(extent: Extent, capacity: number): void {
    const { block, start } = extent
    const growth = capacity - extent.capacity
    if (extent.capacity === 0 || capacity === 0 || block.used + growth > BLOCK_WORDS) {
      move(extent, capacity)
      return
    }
    const end = start + extent.capacity
    block.words.copyWithin(end + growth, end, block.used)
    for (let next = block.extents.indexOf(extent) + 1; next < block.extents.length; next += 1) {
      shift(block.extents[next], growth)
    }
    extent.capacity = capacity
    block.used += growth
    used += growth
    if (growth < 0) gather()
  }

  // Where more than one block and an eighth could be spared, the emptiest one goes, its extents into the others.
  function gather(): void {
    if (blocks.length * BLOCK_WORDS - used <= 1.5 * BLOCK_WORDS + used / 8) return
    const emptiest = blocks.reduce((least, block) => (block.used < least.used ? block : least))
    blocks.splice(blocks.indexOf(emptiest), 1)
    for (const extent of emptiest.extents) {
      const { words, start, capacity } = extent
      append(extent, roomFor(capacity), capacity)
      extent.words.set(words.subarray(start, start + capacity), extent.start)
    }
    used -= emptiest.used
  }

  return Object.freeze({
    resize,
    bytes: () => blocks.length * BLOCK_WORDS * Int32Array.BYTES_PER_ELEMENT,
  } satisfies Blocks)
}

function shift(extent: Extent | undefined, by: number): void {
  if (extent !== undefined) extent.start += by
}
