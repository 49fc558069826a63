// Is the log still the one that we read? Knows the last entry that was read, how many there were, and which entries of our own
// must turn up. Pure; must never mistake a trim of ended entries for a loss, nor a loss for a trim.
import { compareIds, LOG_START, type LogEntry } from '../entry.ts'
import type { LogState } from '../store.ts'

export interface Loss {
  readonly why: string
  /** Whether one cannot read on from where one is. */
  readonly isBroken: boolean
}

export interface Ledger {
  /** A reading from the beginning starts, at this state of the log. */
  begin(state: Omit<LogState, 'isAlone'>): void
  /** An entry was read. */
  note(entry: LogEntry): void
  /** The id after which to read on. */
  position(): string
  /** Why the log cannot be the one that was read so far; undefined where it is. */
  lossIn(state: Omit<LogState, 'isAlone'>): Loss | undefined
  /**
   * How many entries the log has that were not read, though nothing comes after the last one: they were put in before it, by a
   * server that gave its id again, to the same entry. Counts those too that were written since the entries were asked for.
   */
  excessIn(state: Omit<LogState, 'isAlone'>): number
  /** Runs a write of ours: the entries whose ids it answers must turn up in what is read, with the values written. */
  track<T extends Tracked>(write: () => Promise<T>): Promise<T>
  /** Entries of ours that were not read yet. */
  awaited(): readonly string[]
  /** Which of these were not read since. */
  stillAwaited(ids: readonly string[]): readonly string[]
  /** Whether one of these lies before what was read last, so that reading on would never meet it. */
  arePassed(ids: readonly string[]): boolean
}

/** What was written: the ids of the entries, and in the same order the values that they are about. */
export interface Tracked {
  readonly ids: readonly string[]
  readonly values: readonly string[]
}

// Ids of our own that wait to be read: where more pile up, the log is not being read at all.
const MAX_AWAITED = 10_000
const none: readonly string[] = Object.freeze([])

export function createLedger(): Ledger {
  let last: LogEntry | undefined
  let count = 0
  let trimmedAtStart = 0
  // The value that each is about, by id.
  const expected = new Map<string, string>()
  let isReplaced = false
  // An entry can be read before the answer to its write is.
  const readMeanwhile = new Map<string, LogEntry>()
  let writes = 0

  function expectAll({ ids, values }: Tracked): void {
    for (const [index, id] of ids.entries()) {
      const value = values[index] ?? ''
      const read = readMeanwhile.get(id)
      // Given twice: the first entry was lost in between.
      if (expected.has(id)) isReplaced = true
      if (read !== undefined) meet(read, value)
      else if (expected.size < MAX_AWAITED) expected.set(id, value)
    }
  }

  // Another master that has lost our entry may give its id to the next one.
  function meet(entry: LogEntry, value: string): void {
    if (!entry.fields.includes(value)) isReplaced = true
  }

  const excessIn = (state: Omit<LogState, 'isAlone'>) => state.length + (state.trimmed - trimmedAtStart) - count

  return Object.freeze({
    begin: (state) => {
      last = undefined
      count = 0
      trimmedAtStart = state.trimmed
      expected.clear()
      isReplaced = false
    },
    note: (entry) => {
      last = entry
      count += 1
      const value = expected.size > 0 ? expected.get(entry.id) : undefined
      if (value !== undefined) meet(entry, value)
      if (value !== undefined) expected.delete(entry.id)
      if (writes > 0) readMeanwhile.set(entry.id, entry)
    },
    position: () => last?.id ?? LOG_START,
    lossIn: (state) => {
      if (last !== undefined) {
        if (state.anchor === undefined) return { why: 'the entry that was read last is gone', isBroken: true }
        if (!isSame(last, state.anchor)) return { why: 'the entry that was read last is another one', isBroken: true }
      }
      if (isReplaced) return { why: 'an entry that was written here is another one', isBroken: true }
      const gone = -excessIn(state)
      return gone > 0 ? { why: `${gone} entries are gone that had not ended`, isBroken: false } : undefined
    },
    excessIn,
    track: async (write) => {
      writes += 1
      try {
        const written = await write()
        expectAll(written)
        return written
      } finally {
        writes -= 1
        if (writes === 0) readMeanwhile.clear()
      }
    },
    awaited: () => (expected.size === 0 ? none : [...expected.keys()]),
    stillAwaited: (ids) => (ids.length === 0 ? none : ids.filter((id) => expected.has(id))),
    arePassed: (ids) => ids.some((id) => compareIds(id, last?.id ?? LOG_START) <= 0),
  } satisfies Ledger)
}

// A wiped Redis can hand out an id again that it gave to another entry before.
function isSame(one: LogEntry, other: LogEntry): boolean {
  return (
    one.id === other.id &&
    one.fields.length === other.fields.length &&
    one.fields.every((text, index) => text === other.fields[index])
  )
}
