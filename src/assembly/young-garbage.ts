// How is V8 told to collect what was allocated lately, and only that? It offers this to programs that ask for it by a flag,
// which may be set while they run.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Answers a function that collects the young generation at once: about a millisecond, whatever the old one holds. */
export function createYoungCollector(): () => void {
  setFlagsFromString('--expose-gc')
  // A context gets its globals when it is made, so the main one does not have it
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return () => collect({ type: 'minor', execution: 'sync' })
}
