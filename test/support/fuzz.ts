// How long do the tests that make up their own input run? A fixed seed and a few thousand inputs, so that a test run is
// the same each time; or with FUZZ_MINUTES a fresh seed and as many inputs as fit, each test for so long.
import fc from 'fast-check'
import { test } from 'vitest'

const minutes = Number(process.env.FUZZ_MINUTES ?? 0)
const isLong = Number.isFinite(minutes) && minutes > 0
const seed = Number(process.env.FUZZ_SEED ?? (isLong ? Date.now() % 0x7fffffff : 20_261_124))
const longMs = minutes * 60_000

if (isLong) console.log(`fuzz: ${minutes} minutes each, repeat with FUZZ_SEED=${seed}`)

/** A test that holds a property against many inputs; `runs` is how many without FUZZ_MINUTES. */
export function fuzz<T>(sentence: string, runs: number, property: fc.IRawProperty<T>): void {
  test(
    sentence,
    async () => {
      const bounds = isLong ? { numRuns: 2_000_000_000, interruptAfterTimeLimit: longMs } : { numRuns: runs }
      await fc.assert(property, { seed, ...bounds })
    },
    isLong ? longMs + 60_000 : 30_000,
  )
}

/** Text put together from pieces: far more often nearly right than random letters are. */
export function pieces(maxLength: number, ...from: readonly string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...from), { maxLength }).map((parts) => parts.join(''))
}
