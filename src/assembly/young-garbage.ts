// How is V8 told to collect what was allocated lately, and only that? It offers this to programs that ask for it by a flag,
// which may be set while they run. A runtime that does not give it must not stop the gate.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Answers a function that collects the young generation at once: about a millisecond, whatever the old one holds.
 * Undefined where the runtime does not give it; then V8 collects in its own time, and long bodies take more memory.
 */
export function createYoungCollector(): (() => void) | undefined {
  // V8 ends the process where somebody sets a flag after they were frozen
  if (process.execArgv.some((flag) => /^--freeze[-_]flags/.test(flag))) return undefined
  try {
    setFlagsFromString('--expose-gc')
    // A context gets its globals when it is made, so the main one does not have it
    const collect: NodeJS.GCFunction = runInNewContext('gc')
    setFlagsFromString('--no-expose-gc')
    return () => collect({ type: 'minor', execution: 'sync' })
  } catch {
    return undefined
  }
}
