// May one more signature be verified now? Tokens seen for the first time cost the client nothing and the gate a signature,
// so what they may cost together is bounded; what does not fit is answered at once, never queued without end. Tokens that
// are remembered never come here.
import type { VerificationKey } from './keys/key-set.ts'

export interface VerificationBudget {
  /**
   * Starts the work, or has it wait a moment for a free thread. Answers nothing, and does not start it, where too much is
   * pending already.
   */
  run<T>(costMicroseconds: number, work: () => Promise<T>): Promise<T> | undefined
}

export interface VerificationBudgetPolicy {
  /** How many signatures are verified at the same time, each on a thread of libuv's pool. */
  readonly maxRunning: number
  /** What those that run and wait may cost together. */
  readonly maxPendingMicroseconds: number
  /** How late the event loop may be. Above it there is one verification at a time. */
  readonly maxLagMs: number
  readonly lagMs: () => number
}

/** For a verifier that serves no strangers: everything starts at once. */
export const unlimitedBudget: VerificationBudget = { run: (_cost, work) => work() }

/** Makes a budget. Where nothing is pending one verification may always start: an overloaded gate still gets on. */
export function createVerificationBudget(policy: VerificationBudgetPolicy): VerificationBudget {
  const waiting: (() => void)[] = []
  let running = 0
  let pendingMicroseconds = 0

  async function start<T>(costMicroseconds: number, work: () => Promise<T>): Promise<T> {
    running++
    try {
      return await work()
    } finally {
      running--
      pendingMicroseconds -= costMicroseconds
      waiting.shift()?.()
    }
  }

  function fits(costMicroseconds: number): boolean {
    if (pendingMicroseconds === 0) return true
    return pendingMicroseconds + costMicroseconds <= policy.maxPendingMicroseconds && policy.lagMs() <= policy.maxLagMs
  }

  return {
    run: (costMicroseconds, work) => {
      if (!fits(costMicroseconds)) return undefined
      pendingMicroseconds += costMicroseconds
      if (running < policy.maxRunning) return start(costMicroseconds, work)
      return new Promise((resolve) => waiting.push(() => resolve(start(costMicroseconds, work))))
    },
  }
}

/** What a verification costs, roughly and rounded up: measured on one core, the part on the event loop included. */
const COST_MICROSECONDS: Readonly<Record<string, number>> = {
  EdDSA: 200,
  Ed25519: 200,
  ES256: 200,
  ES384: 1_000,
  ES512: 2_600,
}
const HASH_MICROSECONDS = 50
const RSA_2048_MICROSECONDS = 100

/** Estimates what it costs to verify a signature of this algorithm with these keys, the worst case: each is tried. */
export function verificationCost(algorithm: string, keys: readonly VerificationKey[]): number {
  const fixed = COST_MICROSECONDS[algorithm]
  if (fixed !== undefined) return fixed * keys.length
  // A shared secret has no modulus; with RSA the work grows with the square of it.
  return keys.reduce((sum, { key }) => {
    const bits = key.asymmetricKeyDetails?.modulusLength
    return sum + (bits === undefined ? HASH_MICROSECONDS : RSA_2048_MICROSECONDS * Math.max(1, (bits / 2048) ** 2))
  }, 0)
}
