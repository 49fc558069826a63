// Requests at a fixed rate, whatever becomes of those before: how long does each take from the moment when it was due? A wait
// that is counted from the moment of sending would leave out what a slow gate holds up. A second thread keeps the time, because
// the timers of an event loop know whole milliseconds only.
import { Agent, request } from 'node:http'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** What it is told; each connection is used in turn. */
export interface SteadyOrder {
  readonly port: number
  readonly tokens: readonly string[]
  readonly connections: number
  readonly perSecond: number
  readonly seconds: number
}

/** What it answers: milliseconds of each request, those of the first second left out, and how many answers were not 200. */
export interface SteadyAnswer {
  readonly waitsMs: readonly number[]
  readonly bad: number
}

interface Pace {
  readonly startNs: bigint
  readonly perSecond: number
  readonly count: number
}

const LEAD_NS = 50_000_000n
const NS_PER_SECOND = 1_000_000_000n
const NS_PER_MS = 1e6

if (isMainThread) process.once('message', async (order: SteadyOrder) => process.send?.(await load(order)))
else keepTime(workerData as Pace)

async function load({ port, tokens, connections, perSecond, seconds }: SteadyOrder): Promise<SteadyAnswer> {
  const agents = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  const pace: Pace = { startNs: process.hrtime.bigint() + LEAD_NS, perSecond, count: perSecond * seconds }
  const waitsMs: number[] = []
  let bad = 0
  let left = pace.count
  await new Promise<void>((resolve) => {
    const answered = (turn: number, status: number | undefined) => {
      if (status !== 200) bad++
      if (turn >= perSecond) waitsMs.push(Number(process.hrtime.bigint() - dueNs(pace, turn)) / NS_PER_MS)
      if (--left === 0) resolve()
    }
    new Worker(new URL(import.meta.url), { workerData: pace }).on('message', (turn: number) => {
      const headers = { authorization: `Bearer ${tokens[turn % tokens.length]}`, host: 'orders.example.com' }
      const agent = agents[turn % connections]
      request({ port, host: '127.0.0.1', path: '/orders/1', agent, headers }, (answer) => {
        answer.resume().on('end', () => answered(turn, answer.statusCode))
      })
        .on('error', () => answered(turn, undefined))
        .end()
    })
  })
  for (const agent of agents) agent.destroy()
  return { waitsMs, bad }
}

function keepTime(pace: Pace): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < pace.count; turn++) {
    const waitMs = Number(dueNs(pace, turn) - process.hrtime.bigint()) / NS_PER_MS
    if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs)
    parentPort?.postMessage(turn)
  }
}

function dueNs({ startNs, perSecond }: Pace, turn: number): bigint {
  return startNs + (BigInt(turn) * NS_PER_SECOND) / BigInt(perSecond)
}
