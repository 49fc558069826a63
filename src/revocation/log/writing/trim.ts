// Which entries may leave the log? Only ended ones, from its head, and never the last: readers look for the entry that they
// read last, and take its absence for a loss. What leaves is counted, so that readers can tell a trim from a loss.
import type { Command } from '../../../redis/connection.ts'
import { countOf, entriesOf } from '../../../redis/replies.ts'
import { lasting } from '../../rule/rule.ts'
import { decodeEntry, endOfEntry, type LogEntry, millisecondsOfId } from '../entry.ts'
import type { ListKeys } from '../keys.ts'

export interface TrimParts {
  readonly send: (command: Command) => Promise<unknown>
  readonly transact: (commands: readonly Command[]) => Promise<readonly unknown[]>
  readonly keys: ListKeys
  readonly nowSeconds: number
  readonly maxLifetimeSeconds: number
  readonly toleranceSeconds: number
}

/** How much longer than its rule an entry or a key stays: a gate whose clock is behind still lets tokens live by it. */
export const CLOCK_MARGIN_SECONDS = 300

const PAGE_SIZE = 200
const MAX_PAGES = 20

/**
 * Walks the head of the log while its entries have ended and drops them, at most 4000 in one run. One entry that is in force
 * stops the walk, whatever comes after it. Answers how many entries Redis dropped.
 */
export async function trimLog(parts: TrimParts): Promise<number> {
  const { keys, send, transact } = parts
  let dropped = 0
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const entries = entriesOf(await send(['xrange', keys.log, '-', '+', 'COUNT', PAGE_SIZE]))
    const ended = entries.findIndex((entry, index) => index === entries.length - 1 || !hasEnded(entry, parts))
    const keepFrom = entries[ended]
    if (keepFrom === undefined || ended === 0) return dropped
    const [reply] = await transact([
      ['xtrim', keys.log, 'MINID', keepFrom.id],
      ['incrby', keys.trimmed, ended],
    ])
    const count = countOf(reply)
    // Another gate was faster with some of them.
    if (count !== ended) await send(['incrby', keys.trimmed, count - ended])
    dropped += count
    if (keepFrom !== entries.at(-1) || entries.length < PAGE_SIZE) return dropped
  }
  return dropped
}

function hasEnded(entry: LogEntry, parts: TrimParts): boolean {
  const writtenSeconds = (millisecondsOfId(entry.id) ?? Number.POSITIVE_INFINITY) / 1000
  const farSeconds = writtenSeconds + parts.maxLifetimeSeconds
  const rule = decodeEntry(entry.id, entry.fields, farSeconds)
  // What this version cannot read may say an end all the same.
  const endSeconds =
    rule === undefined
      ? (endOfEntry(entry.fields) ?? farSeconds)
      : lasting(rule, parts.maxLifetimeSeconds).expiresAtSeconds
  return endSeconds + parts.toleranceSeconds + CLOCK_MARGIN_SECONDS < parts.nowSeconds
}
