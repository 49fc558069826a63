// Is this token revoked, by what this process alone was told? Nothing is shared and nothing outlives the process: for the
// demo, and for a gate without Redis.
import type { Clock } from '../model/clock.ts'
import type { RuleList } from './compact-list/list.ts'
import { liftBy, sayReplaced } from './log/writing/write.ts'
import { clear, type Revocations, rulesInForce, SWEEP_BUDGET, SWEEP_EVERY_MS } from './revocations.ts'
import type { Rule, WrittenRule } from './rule/rule.ts'

/** Judges by a list in this process. */
export function createMemoryRevocations(parts: { readonly list: RuleList; readonly clock: Clock }): Revocations {
  const { clock, list } = parts
  const callbacks: ((rule: Rule) => void)[] = []
  let timer: NodeJS.Timeout | undefined

  async function write(rules: readonly Rule[]): Promise<readonly WrittenRule[]> {
    return rules.map((rule) => {
      const known = list.find(rule)
      const written = { ...rule, atMs: Math.max(clock(), known === undefined ? 0 : known.atMs + 1) }
      if (list.apply(written)) for (const callback of callbacks) callback(written)
      return sayReplaced(written, known, clock() / 1000)
    })
  }

  return Object.freeze({
    check: (token) => {
      const rule = list.check(token, clock() / 1000)
      return rule === undefined ? clear : { state: 'revoked', rule }
    },
    isKnownRevoked: (token) => list.check(token, clock() / 1000) !== undefined,
    write,
    list: async () => rulesInForce(list, clock() / 1000),
    lift: (kind, value, issuer, actor) =>
      liftBy(list.findAll({ kind, value, issuer }), write, { nowSeconds: clock() / 1000, actor }),
    timeMs: async () => clock(),
    readiness: () => ({ ready: true, detail: `revocation list in memory, ${list.sizeAll()} rules` }),
    start: () => {
      timer = setInterval(() => list.sweep(clock() / 1000, SWEEP_BUDGET), SWEEP_EVERY_MS).unref()
    },
    stop: async () => clearInterval(timer),
    holdings: () => ({ rules: list.size, memoryBytes: list.memoryBytes() }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}
