// How a write gets through while a Redis Cluster moves a slot, or serves it by no node. Must never repeat what Redis may have executed as a whole, nor call a write certain that is half done.
import { afterPatience } from '../outbound-http/stall-tolerant-timer.ts'
import type { Command, RedisConnection } from './connection.ts'
import { SlotUnsettledError } from './unsettled-slot.ts'

// Redis answers TRYAGAIN at once. Counted in attempts and not by a clock, so that a process that stood still loses none of them.
const PAUSES_MS = [100, 200, 400, 800]

/**
 * Makes a transaction that is tried again while the slot of its keys moves: one with keys on both nodes is refused as a whole,
 * so nothing of it was executed.
 */
export function createPatientTransact(connection: Pick<RedisConnection, 'transact'>): RedisConnection['transact'] {
  return async (commands, timeoutMs) => {
    for (const pauseMs of PAUSES_MS) {
      try {
        return await connection.transact(commands, timeoutMs)
      } catch (error) {
        if (!(error instanceof SlotUnsettledError)) throw error
      }
      await new Promise<void>((resolve) => {
        afterPatience(pauseMs, resolve)
      })
    }
    return connection.transact(commands, timeoutMs)
  }
}

/**
 * Makes the write of entries with the keys beside them. Where a slot takes too long to move for a transaction, each command
 * goes out by itself, as a single key is always on one node: first the entries, which count, then the keys. Answers as
 * the transaction does, and rejects where a part failed; then the rest may be written.
 */
export function createSteadyWrite(connection: Pick<RedisConnection, 'transact' | 'send'>) {
  const transact = createPatientTransact(connection)

  return async (
    entries: readonly Command[],
    beside: readonly Command[],
    timeoutMs: number,
  ): Promise<readonly unknown[]> => {
    try {
      return await transact([...entries, ...beside], timeoutMs)
    } catch (error) {
      if (!(error instanceof SlotUnsettledError)) throw error
    }
    const ids = await connection.send(entries, timeoutMs)
    return beside.length === 0 ? ids : [...ids, ...(await connection.send(beside, timeoutMs))]
  }
}
