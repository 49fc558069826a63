// Runs one measurement in a process of its own, so that it meets neither code nor garbage of another.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ON_ALL_CORES, ON_GATE_CORE } from '../machine.ts'

/** Answers what the program of this folder sends; it runs on the core of the gates. */
export function measureAlone<T>(file: string, given: readonly (string | number)[] = []): Promise<T> {
  return measureOn(ON_GATE_CORE, file, given)
}

/** The same, where what is measured, and all that it starts, may use every core. */
export function measureOnAllCores<T>(file: string): Promise<T> {
  return measureOn(ON_ALL_CORES, file, [])
}

async function measureOn<T>(cores: readonly string[], file: string, given: readonly (string | number)[]): Promise<T> {
  const program = fileURLToPath(new URL(`./${file}`, import.meta.url))
  const nodeArguments = ['--expose-gc', '--disable-warning=ExperimentalWarning']
  const [first = '', ...rest] = [...cores, process.execPath, ...nodeArguments, program, ...given.map(String)]
  const child = spawn(first, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`Cannot measure by "${file} ${given.join(' ')}": it ended without an answer`)
  })
  ended.catch(() => {})
  const [answer] = (await Promise.race([once(child, 'message'), ended])) as [T]
  child.kill()
  return answer
}
