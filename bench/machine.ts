// The machine of a measurement: which core does what, which tools it lacks, and what a process has used so far.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release } from 'node:os'

const GATE_CORE = '0'
const LOAD_CORE = '1'

/** Before a command line: it runs on the core of the gates. */
export const ON_GATE_CORE = ['taskset', '-c', GATE_CORE]
export const ON_ALL_CORES = ['taskset', '-c', `${GATE_CORE},${LOAD_CORE}`]

/** Which Debian package brings which tool. */
const tools = {
  taskset: 'util-linux',
  wrk: 'wrk',
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  'redis-server': 'redis-server',
}

/** Throws with all that is missing, and how to get it. */
export function requireTools(names: readonly (keyof typeof tools)[]): void {
  const missing = names.filter((name) => !isInstalled(name))
  if (missing.length > 0) {
    const packages = missing.map((name) => tools[name]).join(' ')
    throw new Error(`Cannot measure without ${missing.join(', ')}: on Debian, apt-get install -y ${packages}`)
  }
  if (cpus().length < 2) throw new Error('Cannot measure on one core: gate and load need one each')
}

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0
}

/** This process and all that it starts run on the core of app and load from now on, if they are not told otherwise. */
export function moveToLoadCore(): void {
  execFileSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)], { stdio: 'ignore' })
}

/** In words: what the figures were measured on. */
export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Linux ${release()}`
}

/** What a program says about its version, on either output: the first thing that looks like one. */
export function versionOf(program: string, flag: string): string {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
  return /\d+\.\d+\.\d+\S*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown'
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
const USER_TICKS = 11
const SYSTEM_TICKS = 12

/** Seconds of the processor that all threads of a process have used. */
export function processorSeconds(processId: number): number {
  const text = readFileSync(`/proc/${processId}/stat`, 'utf8')
  // The name before the last parenthesis may hold spaces
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND
}

/** Resident memory of a process, in MiB. */
export function residentMebibytes(processId: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${processId}/status`, 'utf8'))?.[1]
  return Number(kibibytes) / 2 ** 10
}
