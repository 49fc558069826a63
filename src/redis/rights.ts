// Which commands does Redis deny to the gate's user? Rights that were given for an older gate lack what newer ones ask: all that
// the older one did must go on, and one line says what to give.
import type { Logger } from '../model/logger.ts'
import { refusalCodeOf } from './refusals.ts'

/** Commands that gates of 7d4b85d did not send. Each is sent apart from the transaction of a write, which a denial would undo. */
export type LaterCommand = 'hgetall'

export interface Rights {
  /** Undefined until it was tried over this connection. */
  mayUse(command: LaterCommand): boolean | undefined
  /** Tries a command. Answers undefined where Redis denies it; what else fails rejects. */
  attempt<T>(command: LaterCommand, ask: () => Promise<T>): Promise<T | undefined>
  /** Another server may answer from now on. */
  forget(): void
}

export interface RightsParts {
  /** The ACL line that gives the user all of them. */
  readonly rights: string
  /** The address, without credentials. */
  readonly redis: string
  readonly log: Logger
}

export function createRights({ rights, redis, log }: RightsParts): Rights {
  const tried = new Map<LaterCommand, boolean>()
  const told = new Set<LaterCommand>()

  function deny(command: LaterCommand): void {
    tried.set(command, false)
    if (told.has(command)) return
    told.add(command)
    log.warn(
      { redis, command, rights },
      'Redis denies its user a command of this version: what older gates did goes on; set the user anew with "rights"',
    )
  }

  return Object.freeze({
    mayUse: (command) => tried.get(command),
    attempt: async (command, ask) => {
      try {
        const answer = await ask()
        tried.set(command, true)
        told.delete(command)
        return answer
      } catch (error) {
        if (refusalCodeOf(error) !== 'NOPERM') throw error
        deny(command)
        return undefined
      }
    },
    forget: () => tried.clear(),
  } satisfies Rights)
}
