// Which shards are looked at next? Kind by kind and shard by shard, on from where the last round ended, so that every rule is
// looked at in its turn and none twice in one round.

import { type RuleKind, ruleKinds } from '../rule/rule.ts'
import type { Shard } from './shard.ts'
import type { Table } from './table.ts'

// What counts for a shard with few rules: looking through its buckets takes as long as looking at so many.
const LEAST_ROWS_OF_SHARD = 32

/** Makes the function that visits shards with about `budget` rules, and ends at the last one whatever is left of it. */
export function createRounds(
  tables: Record<RuleKind, Table>,
): (budget: number, visit: (table: Table, shard: Shard) => void) => void {
  let cursor = { kind: 0, shard: 0 }
  return (budget, visit) => {
    let looked = 0
    while (looked < budget) {
      const kind = ruleKinds[cursor.kind]
      if (kind === undefined) {
        cursor = { kind: 0, shard: 0 }
        return
      }
      const shard = tables[kind].shards()[cursor.shard]
      if (shard === undefined) {
        cursor = { kind: cursor.kind + 1, shard: 0 }
        continue
      }
      cursor.shard += 1
      looked += shard.rows === 0 ? 1 : Math.max(shard.rows, LEAST_ROWS_OF_SHARD)
      visit(tables[kind], shard)
    }
  }
}
