// How small may the container be? A gate in a cgroup (version 1, as root) with this much memory and processor, under 50
// requests a second, half of them with a token of their own. It runs a Node of its own, which no other process has read
// into memory: so its pages count, as they do in a pod.
//   node bench/small-container.ts MEBIBYTES PERCENT_OF_A_CORE [seconds] [built gate]
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { printFigures, summarize } from './figures.ts'
import { startGateUnderLoad } from './gate-process.ts'

const [mebibytes = 128, percent = 100, seconds = 60] = process.argv.slice(2, 5).map(Number)
const REQUESTS_PER_SECOND = 50
const PERIOD_MICROSECONDS = 100_000

const name = `sidegate-bench-${process.pid}`
const memory = `/sys/fs/cgroup/memory/${name}`
const processor = `/sys/fs/cgroup/cpu/${name}`
for (const group of [memory, processor]) mkdirSync(group)
writeFileSync(`${memory}/memory.limit_in_bytes`, String(mebibytes * 2 ** 20))
writeFileSync(`${processor}/cpu.cfs_period_us`, String(PERIOD_MICROSECONDS))
writeFileSync(`${processor}/cpu.cfs_quota_us`, String((PERIOD_MICROSECONDS * percent) / 100))

const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-node-'))
const node = join(folder, 'node')
copyFileSync(process.execPath, node)
execFileSync('dd', [`of=${node}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' })
const enter = `echo $$ > ${memory}/cgroup.procs; echo $$ > ${processor}/cgroup.procs; shift; exec ${node} "$@"`

const startedMs = performance.now()
const program = process.argv[5]
const gate = await startGateUnderLoad({
  launcher: ['sh', '-c', enter, 'sh'],
  ...(program === undefined ? {} : { program }),
})
console.log(`${mebibytes} MiB, ${percent} % of a core: running after ${(performance.now() - startedMs).toFixed(0)} ms`)

const known = gate.mint('ES256', 'known')
const statuses = new Map<string, number>()
const waits: number[] = []

async function request(token: string): Promise<void> {
  const began = performance.now()
  const status = await fetch(`http://127.0.0.1:${gate.port}/`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(30_000),
  }).then(
    async (response) => {
      await response.arrayBuffer()
      return String(response.status)
    },
    () => 'none',
  )
  statuses.set(status, (statuses.get(status) ?? 0) + 1)
  waits.push(performance.now() - began)
}

const requests: Promise<void>[] = []
const loadBeganMs = performance.now()
for (let count = 0; count < seconds * REQUESTS_PER_SECOND; count++) {
  await sleep(Math.max(0, loadBeganMs + (count * 1000) / REQUESTS_PER_SECOND - performance.now()))
  requests.push(request(count % 2 === 0 ? known : gate.mint(count % 4 === 1 ? 'ES256' : 'RS256', `own-${count}`)))
}
await Promise.all(requests)

const resident = await gate.metric('process_resident_memory_bytes').catch(() => Number.NaN)
const mostUsed = Number(readFileSync(`${memory}/memory.max_usage_in_bytes`, 'utf8'))
const refusedPages = readFileSync(`${memory}/memory.failcnt`, 'utf8').trim()
const throttled = /nr_throttled (\d+)/.exec(readFileSync(`${processor}/cpu.stat`, 'utf8'))?.[1]
console.log(`answers ${JSON.stringify(Object.fromEntries(statuses))}, throttled in ${throttled} periods`)
console.log(
  `resident ${(resident / 2 ** 20).toFixed(0)} MiB, most in the cgroup ${(mostUsed / 2 ** 20).toFixed(0)} MiB, at its limit ${refusedPages} times`,
)
printFigures('What a client waits', [['all requests', summarize(waits)]])

await gate.stop()
await sleep(500)
for (const group of [memory, processor]) rmdirSync(group)
rmSync(folder, { recursive: true })
