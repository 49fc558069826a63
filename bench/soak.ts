// Does the gate stay as it is under full load for long? Remembered tokens, wrong ones, clients that leave, slow readers and
// WebSockets at once, as fast as they are answered. Shows memory and handles every five seconds, and how they grow after the
// warm-up, the first third:
//   node bench/soak.ts [minutes]
import { setTimeout as sleep } from 'node:timers/promises'
import { makeKey } from '../test/support/tokens.ts'
import { ask, startGateUnderLoad } from './gate-process.ts'
import type { SoakAnswer, SoakOrder } from './soak-load.ts'

const seconds = Number(process.argv[2] ?? 10) * 60
const SAMPLE_SECONDS = 5

const gate = await startGateUnderLoad()
const tokens = Array.from({ length: 200 }, (_, count) =>
  gate.mint(count % 2 === 0 ? 'ES256' : 'RS256', `known-${count}`),
)
const junk = gate.mint('ES256', 'junk', makeKey('ES256', gate.keys.ES256?.keyId))
const load = ask<SoakAnswer>('soak-load.ts', { port: gate.port, tokens, junk, seconds } satisfies SoakOrder)

interface Sample {
  readonly atSeconds: number
  readonly residentMiB: number
  readonly heapMiB: number
  readonly outsideMiB: number
  readonly handles: number
}

const samples: Sample[] = []
const startedMs = performance.now()
console.log('     s   resident      heap   outside   handles   requests')
for (let next = SAMPLE_SECONDS; next < seconds; next += SAMPLE_SECONDS) {
  await sleep(next * 1000 - (performance.now() - startedMs))
  samples.push(await sample())
}
const counts = await load
// What is open shall be closed: the clients are gone
await sleep(2_000)
const after = await sample()
await gate.stop()

const settled = samples.slice(Math.floor(samples.length / 3))
console.log(`\n${JSON.stringify(counts)}`)
console.log(`handles without load: ${after.handles}`)
for (const name of ['residentMiB', 'heapMiB', 'outsideMiB', 'handles'] as const) {
  const perMinute = slope(settled.map((one) => [one.atSeconds / 60, one[name]]))
  const values = settled.map((one) => one[name])
  const range = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`
  console.log(`${name.padEnd(12)} ${perMinute >= 0 ? '+' : ''}${perMinute.toFixed(2)} a minute, ${range}`)
}

// The heap goes up and down with every collection; its low points tell whether something stays
const half = Math.floor(settled.length / 2)
const [low, later] = [settled.slice(0, half), settled.slice(half)].map((part) =>
  Math.min(...part.map((one) => one.heapMiB)),
)
console.log(`lowest heap  ${low?.toFixed(0)} MiB in the first half, ${later?.toFixed(0)} MiB in the second`)

async function sample(): Promise<Sample> {
  const metric = await gate.metrics()
  const mebibytes = (name: string) => metric(name) / 2 ** 20
  const one = {
    atSeconds: (performance.now() - startedMs) / 1000,
    residentMiB: mebibytes('process_resident_memory_bytes'),
    heapMiB: mebibytes('nodejs_heap_size_used_bytes'),
    outsideMiB: mebibytes('nodejs_external_memory_bytes'),
    handles: metric('nodejs_active_handles_total'),
  }
  const shown = [one.residentMiB, one.heapMiB, one.outsideMiB].map((value) => `${value.toFixed(1)}`.padStart(9))
  const requests = metric('sidegate_requests_total')
  console.log(
    `${one.atSeconds.toFixed(0).padStart(6)} ${shown.join(' ')} ${String(one.handles).padStart(9)} ${String(requests).padStart(10)}`,
  )
  return one
}

/** How much y grows with x, by least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return above / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}
