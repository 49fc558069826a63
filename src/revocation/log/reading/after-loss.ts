// A log has lost entries and is read anew: which of its entries are new, though their ids lie below what was read before? A wiped
// Redis or another master may have a clock that is behind. Such an entry must count over what this gate still holds, else a
// revocation would be swallowed by an older lift.

import type { RuleList } from '../../compact-list/list.ts'
import { compareIds, isCopy, LOG_START, type LogEntry, millisecondsOfId } from '../entry.ts'
import type { RedisStore } from '../store.ts'

export interface AfterLoss {
  /** An entry was read. */
  note(entry: LogEntry): void
  /** The log has lost entries and is about to be read from its beginning. */
  begin(): Promise<void>
  /** The time at which an entry counts that was written after the loss; undefined for every other. */
  raisedMs(entry: LogEntry): number | undefined
  /**
   * The earliest id with which lost rules are written back, so that whatever comes after them counts over them; undefined where
   * the clock of Redis is past it. Ids of the clock are never given twice, if a log is wiped again.
   */
  healFromMs(): Promise<number | undefined>
}

export interface AfterLossParts {
  readonly store: Pick<RedisStore, 'standing' | 'timeMs' | 'readLog'>
  readonly list: Pick<RuleList, 'highestAtMs' | 'lower'>
}

/** No gate takes the log further ahead of the clock of Redis than this. */
const MOST_AHEAD_MS = 3_600_000

const REMEMBERED = 4096
const ASKED_AT_ONCE = 512

export function createAfterLoss({ store, list }: AfterLossParts): AfterLoss {
  const ids = new Array<string>(REMEMBERED)
  const prints = new Uint32Array(REMEMBERED)
  let read = 0
  let highest = LOG_START
  let gap: { readonly after: string; readonly fromMs: number } | undefined
  let raised = 0

  const limitMs = async () => Math.floor(await store.timeMs()) + MOST_AHEAD_MS

  /** The newest of the last entries that were read which still stands as it was. */
  async function newestStanding(): Promise<string> {
    const oldest = Math.max(0, read - REMEMBERED)
    for (let end = read; end > oldest; end -= ASKED_AT_ONCE) {
      const places: number[] = []
      for (let at = end - 1; at >= Math.max(oldest, end - ASKED_AT_ONCE); at -= 1) places.push(at % REMEMBERED)
      const standing = await store.standing(places.map((place) => ids[place] ?? LOG_START))
      // A wiped Redis can hand out an id again that it gave to another entry before.
      const found = standing.find(
        (entry, index) => entry !== undefined && printOf(entry) === prints[places[index] ?? 0],
      )
      if (found !== undefined) return found.id
    }
    return LOG_START
  }

  // What lies beyond the limit is taken back to it, unless the log itself is that far.
  async function lowerTo(mostMs: number): Promise<void> {
    if (list.highestAtMs() <= mostMs) return
    const beyond = await store.readLog(`${mostMs}-0`, 1)
    if (beyond.length === 0) list.lower(mostMs)
  }

  const nextMs = (mostMs: number) => Math.min(Math.max(list.highestAtMs(), millisecondsOfId(highest) ?? 0) + 1, mostMs)

  return Object.freeze({
    note: (entry) => {
      ids[read % REMEMBERED] = entry.id
      prints[read % REMEMBERED] = printOf(entry)
      read += 1
      if (compareIds(entry.id, highest) > 0) highest = entry.id
    },
    begin: async () => {
      const mostMs = await limitMs()
      await lowerTo(mostMs)
      gap = { after: await newestStanding(), fromMs: nextMs(mostMs) }
      raised = 0
    },
    raisedMs: ({ id, fields }) => {
      if (gap === undefined || compareIds(id, gap.after) <= 0 || isCopy(fields)) return undefined
      // One after the other, what comes behind them too: a rule and its lift stay in their order.
      // Not only behind the ids that were read: what was raised after an earlier loss is held with a time past its id.
      if ((millisecondsOfId(id) ?? 0) >= Math.max(gap.fromMs, raised + 1)) return undefined
      raised = Math.max(gap.fromMs, raised + 1)
      return raised
    },
    healFromMs: async () => {
      const mostMs = await limitMs()
      await lowerTo(mostMs)
      const leastMs = nextMs(mostMs)
      return leastMs > mostMs - MOST_AHEAD_MS ? leastMs : undefined
    },
  } satisfies AfterLoss)
}

// FNV-1a.
function printOf({ fields }: LogEntry): number {
  let print = 0x811c9dc5
  for (const text of fields) {
    for (let unit = 0; unit < text.length; unit += 1) print = Math.imul(print ^ text.charCodeAt(unit), 0x01000193)
    print = Math.imul(print ^ 0xffff, 0x01000193)
  }
  return print >>> 0
}
