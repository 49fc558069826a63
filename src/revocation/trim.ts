// Which entries may leave the log? Only ended ones, from its head, and never the last: readers look for the entry that they
// read last, and take its absence for a loss.
import { decodeEntry, type LogEntry, millisecondsOfId } from './entry.ts'

export interface TrimParts {
  readonly send: (command: readonly [string, ...(string | number)[]]) => Promise<unknown>
  readonly entriesOf: (reply: unknown) => readonly LogEntry[]
  readonly logKey: string
  readonly nowSeconds: number
  readonly maxLifetimeSeconds: number
  readonly toleranceSeconds: number
}

const pageSize = 200
const maxPages = 20

/**
 * Walks the head of the log while its entries have ended and drops them, at most 4000 in one run. One entry that is in force
 * stops the walk, whatever comes after it. Answers how many entries Redis dropped.
 */
export async function trimLog(parts: TrimParts): Promise<number> {
  const { entriesOf, logKey, send } = parts
  let dropped = 0
  for (let page = 0; page < maxPages; page += 1) {
    const entries = entriesOf(await send(['xrange', logKey, '-', '+', 'COUNT', pageSize]))
    const keepFrom = entries.find((entry, index) => index === entries.length - 1 || !hasEnded(entry, parts))
    if (keepFrom === undefined || keepFrom === entries[0]) return dropped
    dropped += Number(await send(['xtrim', logKey, 'MINID', keepFrom.id]))
    if (keepFrom !== entries.at(-1) || entries.length < pageSize) return dropped
  }
  return dropped
}

function hasEnded(entry: LogEntry, parts: TrimParts): boolean {
  const writtenSeconds = (millisecondsOfId(entry.id) ?? Number.POSITIVE_INFINITY) / 1000
  const farSeconds = writtenSeconds + parts.maxLifetimeSeconds
  const endSeconds = decodeEntry(entry.id, entry.fields, farSeconds)?.expiresAtSeconds ?? farSeconds
  return endSeconds + parts.toleranceSeconds < parts.nowSeconds
}
