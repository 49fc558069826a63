// Runs one measurement in a process of its own on the core of the gates, so that it meets neither code nor garbage of another.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ON_GATE_CORE } from '../machine.ts'

/** Answers what the program of this folder sends. */
export async function measureAlone<T>(file: string, given: readonly (string | number)[] = []): Promise<T> {
  const program = fileURLToPath(new URL(`./${file}`, import.meta.url))
  const nodeArguments = ['--expose-gc', '--disable-warning=ExperimentalWarning']
  const [first = '', ...rest] = [...ON_GATE_CORE, process.execPath, ...nodeArguments, program, ...given.map(String)]
  const child = spawn(first, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`Cannot measure by "${file} ${given.join(' ')}": it ended without an answer`)
  })
  ended.catch(() => {})
  const [answer] = (await Promise.race([once(child, 'message'), ended])) as [T]
  child.kill()
  return answer
}
