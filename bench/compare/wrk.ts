// As many requests as a gate answers, from 64 kept-alive connections of wrk, and what the processor of the gate did meanwhile.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { processorSeconds, residentMebibytes } from '../machine.ts'

const script = fileURLToPath(new URL('./wrk.lua', import.meta.url))
const CONNECTIONS = 64
const TOLERATED_SHARE = 0.001

export const kinds = ['get', 'post', 'download'] as const
export type Kind = (typeof kinds)[number]

export interface WrkOrder {
  readonly port: number
  /** A file for Lua that answers the list of tokens. */
  readonly tokensFile: string
  readonly kind: Kind
  readonly seconds: number
  /** The gate, or what stands in its place. */
  readonly processId: number
}

/** One run. */
export interface Run {
  readonly requestsPerSecond: number
  /** Requests for each second of processor that the gate used. */
  readonly requestsPerCore: number
  /** How much of its core the gate used; where that is well below 1, something else was the limit. */
  readonly busy: number
  readonly residentMiB: number
}

/** Runs wrk once. Throws where answers failed: such a run says nothing. */
export async function runWrk({ port, tokensFile, kind, seconds, processId }: WrkOrder): Promise<Run> {
  const usedBefore = processorSeconds(processId)
  const { stdout } = await promisify(execFile)(
    'wrk',
    ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, `http://127.0.0.1:${port}/`],
    { env: { ...process.env, BENCH_KIND: kind, BENCH_TOKENS: tokensFile } },
  )
  const used = processorSeconds(processId) - usedBefore
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const answer = JSON.parse(last) as { requests: number; seconds: number; bad: number }
  if (answer.requests === 0) throw new Error(`Cannot use a run of "${kind}": there was no answer in ${seconds} s`)
  if (answer.bad > answer.requests * TOLERATED_SHARE)
    throw new Error(`Cannot use a run of "${kind}": ${answer.bad} of ${answer.requests} answers are bad`)
  return {
    requestsPerSecond: answer.requests / answer.seconds,
    requestsPerCore: answer.requests / used,
    busy: used / answer.seconds,
    residentMiB: residentMebibytes(processId),
  }
}
