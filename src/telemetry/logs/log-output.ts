// What stands between the log and standard output: lines go out in their order, and nobody waits for who reads them. What
// a reader that is too slow has not taken is bounded; beyond that, lines are left out and counted. A log that cannot be
// written must never stop the gate.
import type { Writable } from 'node:stream'

/** The most that waits for the reader, in characters: about as many bytes. */
const CAPACITY = 1_048_576

export interface LogOutput {
  write(line: string): void
  /** Hands over the lines of this turn at once. */
  flush(): void
  /** Whether half of the room is taken: lines that can be done without should be left out. */
  isBehind(): boolean
  /** Calls back with the number of lines that have just been left out. */
  onLost(count: (lines: number) => void): void
  /** Calls back with the number of lines that were left out since it last did, once lines go out again. */
  onRecovered(tell: (lines: number) => void): void
}

/** Writes to a stream that does not block, as standard output is where it is a pipe or a socket. */
export function createLogOutput(stream: Writable): LogOutput {
  let pending = ''
  let untold = 0
  let count: (lines: number) => void = () => {}
  let tell: (lines: number) => void = () => {}

  const waiting = () => pending.length + stream.writableLength

  function lose(lines: number): void {
    untold += lines
    count(lines)
  }

  // A full disk, or a reader that is gone: every write learns of it by itself, and a later one may succeed
  stream.on('error', () => {})

  /** One write for all lines of a turn of the event loop. */
  function flush(): void {
    if (pending === '') return
    const text = pending
    pending = ''
    stream.write(text, (error) => {
      if (error) lose(text.split('\n').length - 1)
      else if (untold > 0 && waiting() <= CAPACITY / 2) {
        const lines = untold
        untold = 0
        tell(lines)
      }
    })
  }

  return {
    write: (line) => {
      if (waiting() + line.length > CAPACITY) return lose(1)
      if (pending === '') setImmediate(flush)
      pending += line
    },
    flush,
    isBehind: () => waiting() > CAPACITY / 2,
    onLost: (given) => {
      count = given
    },
    onRecovered: (given) => {
      tell = given
    },
  }
}
