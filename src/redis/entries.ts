// Where do other parts of the gate keep short texts for the whole fleet? Beside the list, on its connection, for a time. What
// the texts mean is not known here, and they must hold nothing that Redis may not read.
import type { Command, RedisConnection } from './connection.ts'
import { createPatientTransact } from './slot-moves.ts'

/** An entry as it is to be from now on; without a text it is to be gone. */
export type EntryChange =
  | { readonly name: string; readonly text: string; readonly lifetimeMs: number }
  | { readonly name: string; readonly text: undefined }

/** Short texts that all gates share. Everything rejects while Redis is not connected, and where it does not answer within a second. */
export interface FleetEntries {
  /** The whole name of an entry, which tells one list of revocations from another. */
  nameOf(kind: string, id: string): string
  read(names: readonly string[]): Promise<readonly (string | undefined)[]>
  /** Takes a lock for a time where nobody has it, and reads entries after that, in one round trip. */
  claim(
    lock: string,
    lifetimeMs: number,
    names: readonly string[],
  ): Promise<{ readonly isMine: boolean; readonly texts: readonly (string | undefined)[] }>
  /** Makes all changes or none. */
  change(changes: readonly EntryChange[]): Promise<void>
}

export interface FleetEntriesParts {
  readonly connection: Pick<RedisConnection, 'send' | 'sendInOrder' | 'transact'>
  /** The whole name of an entry of a kind. */
  readonly keys: { beside(kind: string, id: string): string }
  readonly timeoutMs: number
}

/** Makes them on a connection that somebody else opens and closes. */
export function createFleetEntries({ connection, keys, timeoutMs }: FleetEntriesParts): FleetEntries {
  const transact = createPatientTransact(connection)
  const reading = (names: readonly string[]) => names.map((name): Command => ['get', name])
  return Object.freeze({
    nameOf: keys.beside,
    read: async (names) => (await connection.send(reading(names), timeoutMs)).map(textOf),
    claim: async (lock, lifetimeMs, names) => {
      // Read after the lock: who had it before has left its result by then.
      const take: Command = ['set', lock, '1', 'PX', lifetimeMs, 'NX']
      const [taken, ...texts] = await connection.sendInOrder([take, ...reading(names)], timeoutMs)
      return { isMine: taken === 'OK', texts: texts.map(textOf) }
    },
    change: async (changes) => {
      await transact(changes.map(commandFor), timeoutMs)
    },
  } satisfies FleetEntries)
}

function commandFor(change: EntryChange): Command {
  return change.text === undefined
    ? ['del', change.name]
    : ['set', change.name, change.text, 'PX', Math.max(1, Math.ceil(change.lifetimeMs))]
}

function textOf(reply: unknown): string | undefined {
  return typeof reply === 'string' ? reply : undefined
}
