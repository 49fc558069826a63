// How long does one wait for somebody who may never answer?

const STEPS = 10

/**
 * Calls back once `timeoutMs` have passed, unless the function that it answers is called first. The time is counted in ten steps
 * between which the event loop turns. Where this process stood still for longer than all of it (garbage, or a core that somebody
 * else had), one step is lost and not the whole time: what came in meanwhile is heard before it counts as missing.
 */
export function afterPatience(timeoutMs: number, giveUp: () => void): () => void {
  let steps = 0
  let timer = setTimeout(step, timeoutMs / STEPS)
  function step(): void {
    steps += 1
    if (steps === STEPS) giveUp()
    else timer = setTimeout(step, timeoutMs / STEPS)
  }
  return () => clearTimeout(timer)
}
