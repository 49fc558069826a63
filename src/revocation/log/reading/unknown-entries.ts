// Which entries of the log does only a newer version understand? They are kept as they are, so that a log that loses them gets
// them back. Must never hold more than its bound, nor call the copy whole where an entry did not fit.
import type { Clock } from '../../../model/clock.ts'
import { endOfEntry, type LogEntry, timeOfEntry } from '../entry.ts'
import type { RevocationObserver } from '../report.ts'

export interface NotUnderstood {
  /** An entry was read. Answers when it ends, in unix seconds. `raisedMs`: it counts at this time instead of its own. */
  take(entry: LogEntry, raisedMs: number | undefined, lifetimeSeconds: number): number
  /** The log has lost entries and is about to be read again from its beginning. */
  begin(): void
  /** The fields of entries that the log has lost, in the order in which they were written. */
  missing(): readonly (readonly string[])[]
  /** These of the missing were written back. */
  noteWritten(entries: readonly (readonly string[])[]): void
  /** Whether every such entry that is in force is held. */
  isWhole(): boolean
  /** Lets go of those that have ended. */
  sweep(): void
}

export interface NotUnderstoodParts {
  readonly clock: Clock
  readonly toleranceSeconds: () => number
  readonly observe: Pick<RevocationObserver, 'notUnderstood'>
}

interface Kept {
  readonly fields: readonly string[]
  readonly bytes: number
  /** When it was first written; a copy that was written back names it. */
  atMs: number
  endSeconds: number
  /** The latest time of a copy in the log. */
  loggedMs: number
}

const MAX_ENTRIES = 10_000
const MAX_BYTES = 8 * 1024 * 1024

export function createNotUnderstood({ clock, toleranceSeconds, observe }: NotUnderstoodParts): NotUnderstood {
  const held = new Map<string, Kept>()
  let bytes = 0
  let unheldUntilSeconds = 0
  let told = 0

  const hasEnded = (endSeconds: number) => endSeconds + toleranceSeconds() <= clock() / 1000
  const isWhole = () => hasEnded(unheldUntilSeconds)

  // Above zero as well while there is one that did not fit.
  function tell(): void {
    const entries = isWhole() ? held.size : Math.max(held.size, 1)
    if (entries === told) return
    told = entries
    observe.notUnderstood(entries)
  }

  function hold(key: string, kept: Kept): void {
    if (held.size >= MAX_ENTRIES || bytes + kept.bytes > MAX_BYTES) {
      unheldUntilSeconds = Math.max(unheldUntilSeconds, kept.endSeconds)
      return
    }
    held.set(key, kept)
    bytes += kept.bytes
  }

  function take(entry: LogEntry, raisedMs: number | undefined, lifetimeSeconds: number): number {
    const ownMs = timeOfEntry(entry)
    const atMs = raisedMs ?? ownMs
    const endSeconds = endOfEntry(entry.fields) ?? Math.ceil(ownMs / 1000) + lifetimeSeconds
    if (hasEnded(endSeconds)) return endSeconds
    const fields = withoutTime(entry.fields)
    const key = JSON.stringify(fields)
    const known = held.get(key)
    if (known === undefined) {
      hold(key, { fields, bytes: Buffer.byteLength(key) * 2, atMs, endSeconds, loggedMs: ownMs })
    } else {
      known.atMs = Math.max(known.atMs, atMs)
      known.endSeconds = Math.max(known.endSeconds, endSeconds)
      known.loggedMs = Math.max(known.loggedMs, ownMs)
    }
    tell()
    return endSeconds
  }

  return Object.freeze({
    take,
    begin: () => {
      for (const kept of held.values()) kept.loggedMs = Number.NEGATIVE_INFINITY
    },
    missing: () =>
      [...held.values()]
        .filter(({ atMs, loggedMs, endSeconds }) => loggedMs < atMs && !hasEnded(endSeconds))
        .sort((one, other) => one.atMs - other.atMs)
        // With its time: written back, a lift must not count over what was written after it.
        .map(({ fields, atMs }) => [...fields, 'at', String(Math.trunc(atMs))]),
    noteWritten: (entries) => {
      for (const fields of entries) {
        const kept = held.get(JSON.stringify(withoutTime(fields)))
        if (kept !== undefined) kept.loggedMs = kept.atMs
      }
    },
    isWhole,
    sweep: () => {
      for (const [key, kept] of held) {
        if (!hasEnded(kept.endSeconds)) continue
        held.delete(key)
        bytes -= kept.bytes
      }
      tell()
    },
  } satisfies NotUnderstood)
}

function withoutTime(fields: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index] !== 'at') kept.push(fields[index] ?? '', fields[index + 1] ?? '')
  }
  return kept
}
