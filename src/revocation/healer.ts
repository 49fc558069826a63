// Which rules has the log lost, and who writes them back? A rule keeps its original time, so that a lifted one stays lifted.
// One gate of the fleet writes at a time, so that the log is not doubled; nothing is ever taken out of the local copy.
import { randomUUID } from 'node:crypto'
import type { Clock } from '../model/clock.ts'
import { messageOf } from './connection.ts'
import type { RuleList } from './list.ts'
import type { RevocationLog, RevocationObserver } from './report.ts'
import { compareRules, type Rule, ruleKeyOf } from './rule.ts'
import type { RedisStore } from './store.ts'

export interface Healer {
  /** The log has lost entries and is about to be read again from its beginning. */
  begin(): void
  /** The log holds this rule. */
  note(rule: Rule): void
  isPending(): boolean
  /** Writes missing rules back, unless another gate is at it. Never rejects: what failed is tried again by the next call. */
  attempt(catchUp: () => Promise<void>): Promise<void>
}

export interface HealerParts {
  readonly store: RedisStore
  readonly list: RuleList
  readonly clock: Clock
  readonly toleranceSeconds: number
  readonly observe: RevocationObserver
  readonly log: RevocationLog
}

const claimLifetimeMs = 10_000
const batchSize = 500

export function createHealer(parts: HealerParts): Healer {
  const { clock, list, log, observe, store } = parts
  const owner = randomUUID()
  // What the log holds, by identity; there only while a heal is due.
  let logged: Map<string, Rule> | undefined

  function note(rule: Rule): void {
    if (logged === undefined) return
    const key = ruleKeyOf(rule)
    const known = logged.get(key)
    if (known === undefined || compareRules(rule, known) > 0) logged.set(key, rule)
  }

  function* missing(): Generator<Rule> {
    const nowSeconds = clock() / 1000
    for (const rule of list.entries()) {
      if (rule.expiresAtSeconds + parts.toleranceSeconds <= nowSeconds) continue
      const known = logged?.get(ruleKeyOf(rule))
      // Only the time decides: copies of one time differ in nothing that the fleet could not merge.
      if (known === undefined || known.atMs < rule.atMs) yield rule
    }
  }

  async function writeBack(): Promise<number> {
    let written = 0
    for (const batch of batchesOf([...missing()])) {
      await store.append(batch, () => true)
      for (const rule of batch) note(rule)
      written += batch.length
      observe.healed(batch.length)
    }
    return written
  }

  async function attempt(catchUp: () => Promise<void>): Promise<void> {
    if (missing().next().done) {
      logged = undefined
      return
    }
    try {
      if (!(await store.claimHealing(owner, claimLifetimeMs))) return
      try {
        // Another gate may have written between our last read and the claim.
        await catchUp()
        const rules = await writeBack()
        if (rules > 0) log.warn({ rules }, 'Wrote rules back to a revocation log that had lost them')
      } finally {
        await store.releaseHealing(owner)
      }
      logged = undefined
      observe.read('heal', 'ok')
    } catch (error) {
      observe.read('heal', 'error')
      log.error({ detail: messageOf(error) }, 'Cannot write lost rules back to the revocation log')
    }
  }

  return Object.freeze({
    begin: () => {
      logged = new Map()
    },
    note,
    isPending: () => logged !== undefined,
    attempt,
  } satisfies Healer)
}

function* batchesOf(rules: readonly Rule[]): Generator<readonly Rule[]> {
  for (let start = 0; start < rules.length; start += batchSize) yield rules.slice(start, start + batchSize)
}
