// How much memory does a gate need for a kept-alive connection on which nothing happens? Opens them to a gate process, each
// with one answered request behind it, and answers bytes of resident memory and of heap for each.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startGateUnderLoad } from '../gate-process.ts'

export interface ConnectionMemoryAnswer {
  readonly connections: number
  readonly residentBytes: number
  readonly heapBytes: number
}

const WARM_UP = 300
const CONNECTIONS = 3_000
const AT_ONCE = 20
const SETTLE_MS = 400

const collector = fileURLToPath(new URL('../collect-on-signal.ts', import.meta.url))
const gate = await startGateUnderLoad({ nodeArguments: ['--expose-gc', '--import', collector] })
const authorization = `Bearer ${gate.mint('ES256', 'one')}`

for (const socket of await open(WARM_UP)) socket.destroy()
const before = await memory()
const sockets = await open(CONNECTIONS)
const after = await memory()
for (const socket of sockets) socket.destroy()
await gate.stop()
process.send?.({
  connections: CONNECTIONS,
  residentBytes: (after.resident - before.resident) / CONNECTIONS,
  heapBytes: (after.heap - before.heap) / CONNECTIONS,
} satisfies ConnectionMemoryAnswer)

async function open(count: number): Promise<readonly Socket[]> {
  const all: Socket[] = []
  let next = 0
  const opener = async (): Promise<void> => {
    while (next++ < count) all.push(await askOnce())
  }
  await Promise.all(Array.from({ length: AT_ONCE }, opener))
  return all
}

async function askOnce(): Promise<Socket> {
  const socket = connect({ port: gate.port, host: '127.0.0.1' })
  socket.write(`GET / HTTP/1.1\r\nHost: orders.example.com\r\nAuthorization: ${authorization}\r\n\r\n`)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  if (!bytes.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error('Cannot measure: a request is refused')
  return socket
}

async function memory(): Promise<{ resident: number; heap: number }> {
  for (let times = 0; times < 3; times++) {
    await sleep(SETTLE_MS)
    process.kill(gate.processId ?? 0, 'SIGUSR2')
  }
  await sleep(SETTLE_MS)
  const metric = await gate.metrics()
  return { resident: metric('process_resident_memory_bytes'), heap: metric('nodejs_heap_size_used_bytes') }
}
