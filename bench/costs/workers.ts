// How much more do two workers serve than one, where gate, app and load share both cores? Answers requests a second, in turn.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/listen.ts'
import { shippedProgram } from '../compare/contenders.ts'
import { sidegateFile } from '../compare/settings.ts'
import { endProcess, type Stage, startStage } from '../compare/stage.ts'
import { runWrk } from '../compare/wrk.ts'
import { startGate } from '../gate-process.ts'
import { isReady } from '../ready.ts'

/** Requests a second, a member for each round. */
export interface WorkersAnswer {
  readonly one: readonly number[]
  readonly two: readonly number[]
}

const ROUNDS = 7
const SECONDS = 2
const WARM_RUNS = 8

const stage = await startStage()
const gates = [await startWorkers(stage, 1), await startWorkers(stage, 2)] as const
const perSecond: [number[], number[]] = [[], []]
for (let round = 0; round < ROUNDS; round++)
  for (const [index, gate] of gates.entries()) perSecond[index]?.push((await load(gate.port)).requestsPerSecond)
await Promise.all(gates.map(({ stop }) => stop()))
await stage.stop()
const [one, two] = perSecond
process.send?.({ one, two } satisfies WorkersAnswer)

async function startWorkers(stage: Stage, count: number) {
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = join(stage.folder, `workers-${count}.yaml`)
  const settings = sidegateFile(stage).replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${port}`)
  writeFileSync(file, `${settings.replace('127.0.0.1:0 }', `127.0.0.1:${adminPort} }`)}workers: ${count}\n`)
  const { gate } = await startGate(file, { ...shippedProgram(), environment: { NODE_ENV: 'production' } })
  while (!(await isReady(adminPort))) await sleep(20)
  // Each worker has to see each token once, and sheds some of them at this pace; that is over when a whole run is good
  for (let run = 0; run < WARM_RUNS; run++) await load(port).catch(() => {})
  return { port, stop: () => endProcess(gate) }
}

function load(port: number) {
  const tokensFile = stage.tokensFile('ES256')
  return runWrk({ port, processId: process.pid, kind: 'get', seconds: SECONDS, tokensFile })
}
