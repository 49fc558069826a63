// Is it worth looking this value up? A kind with few rules (a client, a key, an issuer) is asked for every token, and the answer
// is nearly always no: three characters and the length tell. May say yes in vain; must never say no to a value that was added.

export interface Sieve {
  add(value: string): void
  mayHold(value: string): boolean
  clear(): void
}

const BITS = 2048
// Beyond this most answers would be yes, and asking only costs time.
const FULL_AT = 512

export function createSieve(): Sieve {
  const words = new Int32Array(BITS / 32)
  let filled = 0

  return Object.freeze({
    add: (value) => {
      const bit = bitOf(value)
      const word = words[bit >> 5] ?? 0
      if ((word & (1 << (bit & 31))) !== 0) return
      words[bit >> 5] = word | (1 << (bit & 31))
      filled += 1
    },
    mayHold: (value) => {
      if (filled > FULL_AT) return true
      const bit = bitOf(value)
      return ((words[bit >> 5] ?? 0) & (1 << (bit & 31))) !== 0
    },
    clear: () => {
      filled = 0
      words.fill(0)
    },
  } satisfies Sieve)
}

// Values of one kind begin alike more often than they end alike.
function bitOf(value: string): number {
  const { length } = value
  const last = value.charCodeAt(length - 1)
  const before = value.charCodeAt(length - 2)
  const middle = value.charCodeAt(length >> 1)
  return Math.imul(length ^ (last << 6) ^ (before << 13) ^ (middle << 20), 0x9e3779b1) >>> 21
}
