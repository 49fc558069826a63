// Tokens whose signature was verified and is wrong, so that the same one is not verified twice. It stands beside the memory
// of good tokens and is bounded by itself: junk pushes out junk, never a good token. Only a wrong signature is kept, and
// only as long as the keys are the same: any other refusal may become an admission.
import { LRUCache } from 'lru-cache'
import type { Refusal } from '../model/refusal.ts'

/** A token with a wrong signature, and the keys that did not verify it. */
export interface RefusedToken {
  readonly refusal: Refusal
  readonly algorithm: string
  /** From this time on it is refused as expired, which costs no signature. */
  readonly expiredFromSeconds: number
  readonly keys: { revision(): number }
  readonly revision: number
}

export interface RefusedTokens {
  /** The refusal, if the keys are still those that did not verify this very token, byte for byte. */
  recall(text: string, nowSeconds: number): RefusedToken | undefined
  remember(text: string, entry: RefusedToken): void
  size(): number
}

export interface RefusedTokensPolicy {
  readonly maxEntries: number
  /** An estimate of what the entries take together. */
  readonly maxBytes: number
}

const BYTES_PER_ENTRY = 300
const DEFAULT_POLICY: RefusedTokensPolicy = { maxEntries: 4_096, maxBytes: 4 * 1024 * 1024 }

/** Makes a memory bounded by count and bytes; the longest unused leave first. */
export function createRefusedTokens(policy: RefusedTokensPolicy = DEFAULT_POLICY): RefusedTokens {
  const entries = new LRUCache<string, RefusedToken>({
    max: policy.maxEntries,
    maxSize: policy.maxBytes,
    sizeCalculation: (_, text) => BYTES_PER_ENTRY + text.length,
  })
  return {
    recall: (text, nowSeconds) => {
      const entry = entries.get(text)
      if (entry === undefined) return undefined
      if (entry.revision === entry.keys.revision() && nowSeconds < entry.expiredFromSeconds) return entry
      entries.delete(text)
      return undefined
    },
    remember: (text, entry) => {
      // A copy: the text is a slice of a header, and would keep the whole header in memory.
      entries.set(Buffer.from(text, 'latin1').toString('latin1'), entry)
    },
    size: () => entries.size,
  }
}
