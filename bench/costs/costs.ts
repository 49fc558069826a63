// The costs that grow with something, each measured alone and in turn with what it is compared to.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Spread, spreadOf } from '../figures.ts'
import { describeMachine, moveToLoadCore, ON_ALL_CORES, requireTools } from '../machine.ts'
import { measureAlone, measureOnAllCores } from './alone.ts'
import type { ConnectionMemoryAnswer } from './connection-memory.ts'
import type { DecisionAnswer } from './decision.ts'
import type { FirstSightAnswer } from './first-sight.ts'
import { measureStarts, type Start } from './start.ts'
import type { TokenMemoryAnswer } from './token-memory.ts'
import type { WorkersAnswer } from './workers.ts'

/** One decision; `times` is against the first row, round by round. */
export interface DecisionCost {
  readonly rules: number
  readonly routes: number
  readonly issuers: number
  readonly medianNs: Spread
  readonly p99Ns: Spread
  readonly times: Spread
}

export interface FirstSightCost {
  readonly algorithm: string
  readonly microseconds: Spread
  /** Against the bare verification by node:crypto. */
  readonly times: Spread
}

export interface Costs {
  readonly measuredAt: string
  readonly machine: string
  readonly decisions: readonly DecisionCost[]
  readonly firstSight: readonly FirstSightCost[]
  readonly tokenMemory: TokenMemoryAnswer
  readonly connectionMemory: ConnectionMemoryAnswer
  readonly ruleBytes: number
  readonly fullRead: { readonly rules: number; readonly seconds: number }
  readonly starts: readonly Start[]
  readonly workers: WorkersAnswer
}

const MILLION = 1_000_000
const cases = [
  ...[0, 10_000, MILLION].map((rules) => ({ rules, routes: 1, issuers: 1 })),
  ...[10, 100].map((routes) => ({ rules: 0, routes, issuers: 1 })),
  ...[10, 32].map((issuers) => ({ rules: 0, routes: 1, issuers })),
]

/** Measures all of them; takes about three minutes. */
export async function measureCosts(rounds: number): Promise<Costs> {
  requireTools(['taskset', 'redis-server', 'wrk', 'nginx'])
  moveToLoadCore()
  const list = runListProgram
  return {
    ...{ measuredAt: new Date().toISOString(), machine: describeMachine() },
    decisions: await measureDecisions(cases, rounds),
    firstSight: await measureFirstSight(),
    tokenMemory: await measureAlone<TokenMemoryAnswer>('token-memory.ts'),
    connectionMemory: await measureAlone<ConnectionMemoryAnswer>('connection-memory.ts'),
    ruleBytes: list('memory', /([\d.]+) bytes a rule/),
    fullRead: { rules: MILLION, seconds: list('redis', /from Redis: ([\d.]+) s/) },
    starts: await measureStarts(rounds),
    workers: await measureOnAllCores<WorkersAnswer>('workers.ts'),
  }
}

/** The first case is what the others are compared to. */
export async function measureDecisions(
  which: readonly Pick<DecisionCost, 'rules' | 'routes' | 'issuers'>[],
  rounds: number,
): Promise<readonly DecisionCost[]> {
  const answers: DecisionAnswer[][] = which.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, { rules, routes, issuers }] of which.entries()) {
      const answer = await measureAlone<DecisionAnswer>('decision.ts', [rules, routes, issuers])
      answers[index]?.push(answer)
      const what = `${rules} rules, ${routes} routes, ${issuers} issuers`
      console.log(`decision  ${what}: median ${answer.medianNs} ns, p99 ${answer.p99Ns} ns`)
    }
  }
  const [first = []] = answers
  return which.map((one, index) => {
    const own = answers[index] ?? []
    return {
      ...one,
      medianNs: spreadOf(own.map(({ medianNs }) => medianNs)),
      p99Ns: spreadOf(own.map(({ p99Ns }) => p99Ns)),
      times: spreadOf(own.map(({ medianNs }, round) => medianNs / (first[round]?.medianNs ?? Number.NaN))),
    }
  })
}

export async function measureFirstSight(): Promise<readonly FirstSightCost[]> {
  const answers = await measureAlone<readonly FirstSightAnswer[]>('first-sight.ts')
  return answers.map(({ algorithm, oursMicroseconds, bareMicroseconds }) => ({
    algorithm,
    microseconds: spreadOf(oursMicroseconds),
    times: spreadOf(oursMicroseconds.map((ours, round) => ours / (bareMicroseconds[round] ?? Number.NaN))),
  }))
}

/** A figure out of what bench/revocation-list.ts prints of a million rules. */
function runListProgram(part: string, figure: RegExp): number {
  const program = fileURLToPath(new URL('../revocation-list.ts', import.meta.url))
  const node = [process.execPath, '--expose-gc', '--max-semi-space-size=4', program, part, String(MILLION)]
  // Its Redis is a process of its own and shall not share the core
  const [first = '', ...rest] = [...ON_ALL_CORES, ...node]
  const { stdout } = spawnSync(first, rest, { encoding: 'utf8' })
  console.log(stdout.trim())
  return Number(figure.exec(stdout)?.[1] ?? Number.NaN)
}
