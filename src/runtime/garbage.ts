// How is V8 told to collect garbage now, and what of it? It offers this to programs that ask for it by a flag, which may be set
// while they run. A runtime that does not give it must not stop the gate.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface GarbageCollectors {
  /** Collects what was allocated lately: about a millisecond, whatever the rest of the heap holds. */
  readonly young: () => void
  /** Collects all that can be had and gives the room back to the system: about a tenth of a second. */
  readonly all: () => void
}

/** Answers the collectors; undefined where the runtime does not give them, and V8 collects in its own time. */
export function createGarbageCollectors(): GarbageCollectors | undefined {
  // V8 ends the process where somebody sets a flag after they were frozen
  if (process.execArgv.some((flag) => /^--freeze[-_]flags/.test(flag))) return undefined
  try {
    setFlagsFromString('--expose-gc')
    // A context gets its globals when it is made, so the main one does not have it
    const collect: NodeJS.GCFunction = runInNewContext('gc')
    setFlagsFromString('--no-expose-gc')
    return {
      young: () => collect({ type: 'minor', execution: 'sync' }),
      all: () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
    }
  } catch {
    return undefined
  }
}
