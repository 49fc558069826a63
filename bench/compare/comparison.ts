// One run of the comparison: every gate is started and warmed up, then ours and another one are measured in turn, several times
// over (A B A B), each right after the other, so that what the machine does besides meets both alike: its speed drifts within
// a minute by more than most gates differ.
import { setTimeout as sleep } from 'node:timers/promises'
import { formatSpread, type Spread, spreadOf, summarize } from '../figures.ts'
import { ask } from '../gate-process.ts'
import { describeMachine, moveToLoadCore, requireTools, residentMebibytes } from '../machine.ts'
import type { SteadyAnswer, SteadyOrder } from '../steady-load.ts'
import { type Contender, contenders, type Runner } from './contenders.ts'
import { type Stage, startStage } from './stage.ts'
import { warmUp } from './warm-up.ts'
import { type Kind, kinds, type Run, runWrk } from './wrk.ts'

const SETTLE_MS = 3_000
const FIRST_SECONDS = 2
const STEADY = { connections: 20, perSecond: 500 }

/** How often and how long; what is absent is not measured. */
export interface Plan {
  readonly contenders?: readonly string[]
  readonly warmSeconds: number
  readonly runs: Partial<Record<Kind, Times>>
  /** Ours and another gate under load at the same time, on the same core. */
  readonly together?: Times
  /** Latency at a fixed rate, for these gates. */
  readonly steady?: Times & { readonly contenders: readonly string[] }
}

interface Times {
  readonly rounds: number
  readonly seconds: number
}

/** The 50th and the 99th percentile in milliseconds. */
interface Waits {
  readonly p50: number
  readonly p99: number
}

type Runs = Readonly<Record<Kind, readonly Run[]>>

/** All that was measured of one gate; a list has a member for each round. */
export interface Measured extends Omit<Contender, 'start' | 'missing'> {
  readonly idleMiB: number
  readonly runs: Runs
  /** What ours did right before each of these runs; of ours itself, nothing. */
  readonly beside: Runs
  /** How many times as much ours did for each second of its core while both were under load. */
  readonly together: readonly number[]
  /** Above the direct connection in the same round. */
  readonly added: readonly Waits[]
}

const noRuns = (): Record<Kind, Run[]> => ({ get: [], post: [], download: [] })

export interface Comparison {
  readonly measuredAt: string
  readonly machine: string
  readonly rules: number
  readonly direct: readonly Waits[]
  readonly gates: readonly Measured[]
}

/** Measures what the plan asks for. Prints each figure as it comes. */
export async function compare(plan: Plan): Promise<Comparison> {
  requireTools(['taskset', 'wrk', 'nginx', 'haproxy', 'redis-server'])
  moveToLoadCore()
  const wanted = contenders(plan.contenders)
  const stage = await startStage()
  const running: Runner[] = []
  try {
    for (const { start, ...known } of wanted) running.push({ ...known, ...(await start(stage)) })
    await sleep(SETTLE_MS)
    const idle = new Map(running.map(({ id, processId }) => [id, residentMebibytes(processId)]))
    for (const gate of running) await warmUp(gate, stage, plan.warmSeconds)
    const together = await runTogether(running, stage, plan)
    const runs = await runAll(running, stage, plan)
    const { direct, added } = await waitAll(running, stage, plan)
    return {
      ...{ measuredAt: new Date().toISOString(), machine: describeMachine(), rules: stage.rules, direct },
      gates: running.map(({ id, title, version, checks, algorithm }) => ({
        ...{ id, title, version, checks, algorithm, idleMiB: idle.get(id) ?? Number.NaN },
        ...(runs.get(id) ?? { runs: noRuns(), beside: noRuns() }),
        together: together.get(id) ?? [],
        added: added.get(id) ?? [],
      })),
    }
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
    await stage.stop()
  }
}

type Kept = Record<'runs' | 'beside', Record<Kind, Run[]>>

async function runAll([ours, ...others]: readonly Runner[], stage: Stage, plan: Plan): Promise<Map<string, Kept>> {
  const all = new Map<string, Kept>()
  const keptOf = ({ id }: Runner): Kept => {
    const kept = all.get(id) ?? { runs: noRuns(), beside: noRuns() }
    all.set(id, kept)
    return kept
  }
  const measure = async ({ id, port, processId, algorithm }: Runner, kind: Kind, seconds: number): Promise<Run> => {
    const run = await runWrk({ port, processId, kind, seconds, tokensFile: stage.tokensFile(algorithm) })
    const perCore = `${run.requestsPerCore.toFixed(0)} requests for each second of its core`
    console.log(`${kind.padEnd(9)} ${id.padEnd(14)} ${perCore}, ${run.requestsPerSecond.toFixed(0)} a second`)
    return run
  }
  if (ours === undefined) return all
  for (const kind of kinds) {
    const { rounds, seconds } = plan.runs[kind] ?? { rounds: 0, seconds: 0 }
    if (rounds === 0) continue
    // Once more than asked for, which is not kept: each kind of request runs through code of its own
    for (const gate of [ours, ...others]) await measure(gate, kind, FIRST_SECONDS)
    for (let round = 0; round < rounds; round++) {
      for (const gate of others) {
        const before = await measure(ours, kind, seconds)
        keptOf(ours).runs[kind].push(before)
        keptOf(gate).beside[kind].push(before)
        keptOf(gate).runs[kind].push(await measure(gate, kind, seconds))
      }
    }
  }
  return all
}

/** The same disturbance, to the microsecond, meets both. What it leaves out is how each does with a whole core. */
async function runTogether([ours, ...others]: readonly Runner[], stage: Stage, { together }: Plan) {
  const all = new Map<string, readonly number[]>()
  if (ours === undefined || together === undefined) return all
  const { rounds, seconds } = together
  for (const gate of others) {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const both = [ours, gate].map(({ port, processId, algorithm }) =>
        runWrk({ port, processId, kind: 'get', seconds, tokensFile: stage.tokensFile(algorithm) }),
      )
      const [mine, theirs] = await Promise.allSettled(both)
      // A gate that gets half a core may leave a connection without an answer for longer than the run: that round says nothing
      if (mine?.status === 'fulfilled' && theirs?.status === 'fulfilled')
        times.push(mine.value.requestsPerCore / theirs.value.requestsPerCore)
      else console.log(`together  ${gate.id.padEnd(14)} a round without an answer is left out`)
    }
    if (times.length === 0) continue
    all.set(gate.id, times)
    console.log(`together  ${gate.id.padEnd(14)} ${formatSpread(spreadOf(times))} times`)
  }
  return all
}

async function waitAll(gates: readonly Runner[], stage: Stage, { steady }: Plan) {
  const direct: Waits[] = []
  const added = new Map<string, Waits[]>()
  for (let round = 0; round < (steady?.rounds ?? 0); round++) {
    const seconds = steady?.seconds ?? 0
    const straight = await waitsOf(stage.appPort, stage.tokens('ES256'), seconds)
    direct.push(straight)
    for (const { id, port, algorithm } of gates.filter((gate) => steady?.contenders.includes(gate.id))) {
      const { p50, p99 } = await waitsOf(port, stage.tokens(algorithm), seconds)
      const more = { p50: p50 - straight.p50, p99: p99 - straight.p99 }
      added.set(id, [...(added.get(id) ?? []), more])
      console.log(`steady    ${id.padEnd(14)} p50 + ${more.p50.toFixed(3)} ms, p99 + ${more.p99.toFixed(3)} ms`)
    }
  }
  return { direct, added }
}

async function waitsOf(port: number, tokens: readonly string[], seconds: number): Promise<Waits> {
  const order: SteadyOrder = { port, tokens, seconds, ...STEADY }
  const { waitsMs, bad } = await ask<SteadyAnswer>('steady-load.ts', order)
  if (bad > 0) throw new Error(`Cannot use a run at a fixed rate: ${bad} answers are bad`)
  const { median, p99 } = summarize(waitsMs)
  return { p50: median, p99 }
}

/** How many times as much as another gate ours does for each second of its core, round by round; of ours itself, nothing. */
export function ratio({ runs, beside }: Pick<Measured, 'runs' | 'beside'>, kind: Kind): Spread | undefined {
  if (beside[kind].length === 0) return undefined
  return spreadOf(
    beside[kind].map(({ requestsPerCore }, round) => {
      return requestsPerCore / (runs[kind][round]?.requestsPerCore ?? Number.NaN)
    }),
  )
}
