// What does the log say by now? For who follows no copy of it: reads it once, and the next time only what came since. Must
// never answer before the end of the log was reached.
import type { Clock } from '../../../model/clock.ts'
import { createList, type RuleList } from '../../compact-list/list.ts'
import { lasting } from '../../rule/rule.ts'
import { decodeEntry, LOG_START } from '../entry.ts'
import type { RedisStore } from '../store.ts'

export interface LogReaderParts {
  readonly store: Pick<RedisStore, 'readLog' | 'timeMs'>
  readonly clock: Clock
  readonly maxLifetimeSeconds: () => number
  readonly toleranceSeconds: () => number
}

export interface LogReader {
  /** What the log holds, and held when it was read before. */
  read(): Promise<RuleList>
}

const PAGE_SIZE = 1000
const RECENT_MS = 86_400_000

/** Reads all of it, or with `isRecent` the entries of the last day: what has a later time than now is among them. */
export function createLogReader(parts: LogReaderParts, isRecent = false): LogReader {
  const { store, clock, maxLifetimeSeconds, toleranceSeconds } = parts
  const list = createList({ toleranceSeconds })
  let position: string | undefined

  async function read(): Promise<RuleList> {
    position ??= isRecent ? `${Math.max(0, Math.floor(await store.timeMs()) - RECENT_MS)}-0` : LOG_START
    const lifetimeSeconds = maxLifetimeSeconds()
    const farSeconds = clock() / 1000 + lifetimeSeconds
    for (;;) {
      const entries = await store.readLog(position, PAGE_SIZE)
      for (const { id, fields } of entries) {
        const rule = decodeEntry(id, fields, farSeconds)
        if (rule !== undefined) list.apply(lasting(rule, lifetimeSeconds))
        position = id
      }
      if (entries.length < PAGE_SIZE) return list
    }
  }

  return Object.freeze({ read })
}
