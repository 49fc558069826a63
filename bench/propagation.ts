// How long does it take from a revocation to its enforcement on every gate of a fleet? Fifty gates, each with a connection,
// a feed and a list of its own, in five processes; one real Redis. Prints a table; run it on a quiet machine:
//   node bench/propagation.ts [revocations] [gates]
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { silentLog, silentObserver } from '../src/revocation/log/report.ts'
import { createRedisStore } from '../src/revocation/log/store.ts'
import { startRedis } from '../test/support/redis.ts'
import { printFigures, summarize } from './figures.ts'

const PROCESSES = 5
const revocations = Number(process.argv[2] ?? 1000)
const gates = Number(process.argv[3] ?? 50)
const PAUSE_MS = 20

/** What a process of gates tells: this gate enforces this token since this moment. */
export interface Enforced {
  readonly jti: string
  readonly atMs: number
}

const nowMs = () => performance.timeOrigin + performance.now()

const redis = await startRedis()
const children: ChildProcess[] = []
const waiting = new Map<string, { left: number; lastMs: number; done: (lastMs: number) => void }>()

for (let index = 0; index < PROCESSES; index++) {
  const share = Math.floor(gates / PROCESSES) + (index < gates % PROCESSES ? 1 : 0)
  const child = fork(new URL('./propagation-gates.ts', import.meta.url), [redis.url, String(share)])
  children.push(child)
  await once(child, 'message')
  child.on('message', ({ jti, atMs }: Enforced) => {
    const entry = waiting.get(jti)
    if (entry === undefined) return
    entry.lastMs = Math.max(entry.lastMs, atMs)
    if (--entry.left === 0) entry.done(entry.lastMs)
  })
}

const store = createRedisStore({
  url: redis.url,
  list: 'default',
  maxLifetimeSeconds: () => 3600,
  toleranceSeconds: () => 5,
  observe: silentObserver,
  log: silentLog,
})
await store.open()

const IDLE_MS = 10_000
const idleFrom = await redisCpuSeconds()
await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
const idleCpu = (await redisCpuSeconds()) - idleFrom

const totalsMs: number[] = []
const writesMs: number[] = []
const busyFrom = await redisCpuSeconds()
for (let count = 0; count < revocations; count++) {
  const jti = `token-${count}`
  const enforced = new Promise<number>((done) => waiting.set(jti, { left: gates, lastMs: 0, done }))
  const startedMs = nowMs()
  await store.append(
    [{ kind: 'token', value: jti, expiresAtSeconds: Math.floor(startedMs / 1000) + 600, atMs: startedMs }],
    () => false,
  )
  writesMs.push(nowMs() - startedMs)
  totalsMs.push((await enforced) - startedMs)
  waiting.delete(jti)
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}

const cpu = (await redisCpuSeconds()) - busyFrom
printFigures(`${revocations} revocations, ${gates} gates in ${PROCESSES} processes, one Redis`, [
  ['revoke → answered by Redis', summarize(writesMs)],
  [`revoke → refused on all ${gates}`, summarize(totalsMs)],
])
const microseconds = (seconds: number) => `${(seconds * 1_000_000).toFixed(1)} µs`
console.log('\nCPU of Redis')
console.log(`  idle: ${microseconds(idleCpu / gates / (IDLE_MS / 1000))} per gate and second`)
console.log(
  `  a revocation: ${microseconds(cpu / revocations)}, ${microseconds(cpu / revocations / gates)} per gate told`,
)

await store.close()
for (const child of children) child.kill()
await redis.stop()

async function redisCpuSeconds(): Promise<number> {
  const info = String(await redis.command('INFO', 'cpu'))
  const used = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0)
  return used('used_cpu_user') + used('used_cpu_sys')
}
