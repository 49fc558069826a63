// What does a gate need for each WebSocket that is open and quiet? Opens them through one gate process to an app process, from a
// process of their own and each with a token of its own, and shows how the memory of the gate has grown:
//   node bench/idle-sockets.ts [how many, 10000]
// The gate holds two sockets for each; `ulimit -n` has to allow that.
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startGateUnderLoad } from './gate-process.ts'
import type { IdleOrder } from './idle-clients.ts'

const count = Number(process.argv[2] ?? 10_000)
const WARM_UP = 500
const SPARE_FILES = 100
const SETTLE_MS = 2_000

const files = Number(execFileSync('sh', ['-c', 'ulimit -Hn']).toString().replace('unlimited', 'Infinity'))
if (files < 2 * count + SPARE_FILES) {
  throw new Error(`Cannot open ${count} WebSockets: "ulimit -n" is ${files}, the gate needs ${2 * count + SPARE_FILES}`)
}
const collector = fileURLToPath(new URL('./collect-on-signal.ts', import.meta.url))
const gate = await startGateUnderLoad({ nodeArguments: ['--expose-gc', '--import', collector] })

try {
  const warm = await openIdle(WARM_UP, 'warm')
  await warm.close()
  const before = await memory()
  const idle = await openIdle(count, 'idle')
  const after = await memory()
  await idle.close()
  const left = await memory()

  console.log(`${idle.open} idle WebSockets through one gate, each with a token of its own`)
  console.log(
    `${''.padEnd(10)}${['before', 'with them', 'for each', 'closed'].map((text) => text.padStart(14)).join('')}`,
  )
  for (const name of ['resident', 'heap', 'outside'] as const) {
    const forEach = `${((after[name] - before[name]) / 2 ** 10 / idle.open).toFixed(1)} KiB`
    const cells = [mebibytes(before[name]), mebibytes(after[name]), forEach, mebibytes(left[name])]
    console.log(`${name.padEnd(10)}${cells.map((text) => text.padStart(14)).join('')}`)
  }
} finally {
  await gate.stop()
}

async function openIdle(number: number, name: string): Promise<{ open: number; close: () => Promise<void> }> {
  const tokens = Array.from({ length: number }, (_, index) => gate.mint('ES256', `${name}-${index}`))
  const clients = fork(new URL('./idle-clients.ts', import.meta.url))
  clients.send({ port: gate.port, tokens } satisfies IdleOrder)
  const [open] = (await Promise.race([once(clients, 'message'), once(clients, 'exit').then(failed)])) as [number]
  const close = async (): Promise<void> => {
    clients.kill()
    while ((await gate.metric('sidegate_guarded_connections')) > 0) await sleep(SETTLE_MS)
  }
  return { open, close }
}

function failed(): never {
  throw new Error('Cannot open the WebSockets: the clients ended')
}

/** In bytes, of the gate, when it has nothing to do and all garbage is collected. */
async function memory(): Promise<{ resident: number; heap: number; outside: number }> {
  for (let times = 0; times < 3; times++) {
    await sleep(SETTLE_MS)
    process.kill(gate.processId ?? 0, 'SIGUSR2')
  }
  await sleep(SETTLE_MS)
  const metric = await gate.metrics()
  return {
    resident: metric('process_resident_memory_bytes'),
    heap: metric('nodejs_heap_size_used_bytes'),
    outside: metric('nodejs_external_memory_bytes'),
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
