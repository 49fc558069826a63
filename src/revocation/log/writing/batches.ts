// Many rules in writes of a bounded size. Where one of them is not certain, it is known how many were.

import { RULES_PER_WRITE } from '../../rule/lines.ts'
import type { Rule, WrittenRule } from '../../rule/rule.ts'

/** Some of many rules are written, the rest is not certain. Writing all of them again does no harm. */
export class PartlyWrittenError extends Error {
  override readonly name = 'PartlyWrittenError'
  readonly written: readonly Rule[]

  constructor(written: readonly Rule[], total: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`Only the first ${written.length} of ${total} rules are certain to be written: ${why}`)
    this.written = written
  }
}

/** Writes rules, up to a thousand in one transaction; rejects with `PartlyWrittenError` where not all are certain. */
export async function writeInBatches(
  rules: readonly Rule[],
  write: (rules: readonly Rule[]) => Promise<readonly WrittenRule[]>,
): Promise<readonly WrittenRule[]> {
  const written: WrittenRule[] = []
  for (let start = 0; start < rules.length; start += RULES_PER_WRITE) {
    try {
      for (const rule of await write(rules.slice(start, start + RULES_PER_WRITE))) written.push(rule)
    } catch (error) {
      throw new PartlyWrittenError(written, rules.length, error)
    }
  }
  return written
}
