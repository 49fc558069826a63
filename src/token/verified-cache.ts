// Tokens whose signature and claims were verified, so that they are not verified again on every request. The key is the
// whole token, byte for byte: a prefix or a part of it would let one token stand for another (CVE-2026-35030). Only
// verified tokens are kept: junk cannot push them out.
import { LRUCache } from 'lru-cache'
import type { VerifiedToken } from '../model/decision.ts'
import { OUT_OF_DATE } from './keys/keys.ts'

/** A verified token, and what it was verified with. */
export interface Remembered {
  readonly token: VerifiedToken
  readonly keys: { generation(nowMs: number): number }
  readonly generation: number
}

export interface TokenMemory {
  /** The token, if the keys that verified it still count at this monotonic time. Its own time is not judged here. */
  recall(text: string, nowMs: number): VerifiedToken | undefined
  remember(text: string, entry: Remembered): void
  forget(text: string): void
  size(): number
}

export interface TokenMemoryPolicy {
  readonly maxEntries: number
  /** An estimate of what the tokens and their claims take together. */
  readonly maxBytes: number
  readonly onEvict: () => void
}

/** The parsed claims take about twice what the text takes. */
const BYTES_PER_CHARACTER = 3
const BYTES_PER_ENTRY = 600

/** Makes a memory bounded by count and bytes; the longest unused tokens leave first. */
export function createTokenMemory(policy: TokenMemoryPolicy): TokenMemory {
  const entries = new LRUCache<string, Remembered>({
    max: policy.maxEntries,
    maxSize: policy.maxBytes,
    sizeCalculation: (_, text) => BYTES_PER_ENTRY + text.length * BYTES_PER_CHARACTER,
    dispose: (_entry, _text, why) => {
      if (why === 'evict') policy.onEvict()
    },
  })
  return {
    recall: (text, nowMs) => {
      const entry = entries.get(text)
      if (entry === undefined) return undefined
      const generation = entry.keys.generation(nowMs)
      if (entry.generation === generation) return entry.token
      // Keys that are only too old may come back as they were, and so may what they verified.
      if (generation !== OUT_OF_DATE) entries.delete(text)
      return undefined
    },
    remember: (text, entry) => {
      // A copy: the text is a slice of a header, and would keep the whole header (a Cookie of 16 KiB) in memory.
      entries.set(Buffer.from(text, 'latin1').toString('latin1'), entry)
    },
    forget: (text) => {
      entries.delete(text)
    },
    size: () => entries.size,
  }
}
