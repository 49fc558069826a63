// How long may one wait, and how many at once? Time limits and the bounded room in which callers wait for a connection.
// Must never let callers pile up while Redis is away.
import { afterPatience } from '../outbound-http/stall-tolerant-timer.ts'

/** Answers what `answer` answers, or rejects after `timeoutMs`, and calls `onTimeout` then. */
export function within<T>(answer: Promise<T>, timeoutMs: number, onTimeout: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const callOff = afterPatience(timeoutMs, () => {
      reject(new Error(`Redis timed out: no answer in ${timeoutMs} ms`))
      onTimeout()
    })
    answer.then(resolve, reject).finally(callOff)
  })
}

export interface WaitingRoom {
  /** Answers when the door opens; rejects after `timeoutMs` with what `why` says then, and at once where too many wait already. */
  wait(timeoutMs: number, why: () => string): Promise<void>
  /** Lets everybody go on. */
  open(): void
  /** Sends everybody away. */
  close(error: Error): void
}

interface Guest {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  readonly callOff: () => void
}

/** Makes a room for at most `size` callers. */
export function createWaitingRoom(size: number): WaitingRoom {
  const guests = new Set<Guest>()

  function dismiss(each: (guest: Guest) => void): void {
    for (const guest of guests) {
      guest.callOff()
      each(guest)
    }
    guests.clear()
  }

  return Object.freeze({
    wait: (timeoutMs, why) => {
      if (guests.size >= size) return Promise.reject(new Error('Cannot ask Redis: it is away and too many wait for it'))
      return new Promise((resolve, reject) => {
        const callOff = afterPatience(timeoutMs, () => {
          guests.delete(guest)
          reject(new Error(why()))
        })
        const guest: Guest = { resolve, reject, callOff }
        guests.add(guest)
      })
    },
    open: () => dismiss((guest) => guest.resolve()),
    close: (error) => dismiss((guest) => guest.reject(error)),
  } satisfies WaitingRoom)
}
