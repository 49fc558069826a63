// All measurements of speed and footprint by one command, on a quiet machine with two cores:
//   npm run bench                  the comparison and the costs, about sixteen minutes; writes docs/performance and bench/recorded.json
//   npm run bench -- comparison    one of the two alone; writes the page, records nothing
//   npm run bench -- costs
//   npm run bench -- trial FOLDER  both, far too short to mean anything, for work on the bench; writes into FOLDER
//   npm run bench:quick            under two minutes: the ratios of today against those recorded; writes nothing
// It builds what is measured first.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Comparison, compare, type Plan } from './compare/comparison.ts'
import { type Costs, measureCosts, measureDecisions, measureFirstSight } from './costs/costs.ts'
import { formatSpread, type Spread } from './figures.ts'
import { ratiosOf } from './report/tables.ts'
import { writeComparison, writeCosts } from './report/write.ts'

interface Recorded {
  readonly measuredAt: string
  readonly machine: string
  readonly ratios: Readonly<Record<string, Spread>>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const docs = join(root, 'docs')
const recordFile = join(root, 'bench', 'recorded.json')

const LATENCY = ['sidegate', 'open-forward', 'http-proxy', 'haproxy-es256', 'nginx']
/** At full load until V8 has made the code of a whole gate as fast as it gets: after four, it still did a third less. */
const WARM_SECONDS = 8
const record: Plan = {
  warmSeconds: WARM_SECONDS,
  runs: {
    get: { rounds: 7, seconds: 2 },
    post: { rounds: 3, seconds: 2 },
    download: { rounds: 3, seconds: 2 },
  },
  together: { rounds: 7, seconds: 2 },
  steady: { rounds: 3, seconds: 5, contenders: LATENCY },
}
const once = { rounds: 1, seconds: 2 }
const trial: Plan = {
  warmSeconds: 1,
  runs: { get: once, post: once, download: once },
  together: once,
  steady: { rounds: 1, seconds: 3, contenders: LATENCY },
}
const quickPlan: Plan = {
  contenders: ['sidegate', 'open-forward', 'http-proxy', 'haproxy-es256'],
  warmSeconds: WARM_SECONDS,
  runs: {},
  together: { rounds: 3, seconds: 2 },
}
const COST_ROUNDS = 3
const DECISIONS = [0, 1_000_000].map((rules) => ({ rules, routes: 1, issuers: 1 }))

const [command = 'all', folder] = process.argv.slice(2)
const commands: Readonly<Record<string, () => Promise<void>>> = {
  all: async () => {
    const comparison = await compareInto(docs, record)
    keep(comparison, await costsInto(docs, COST_ROUNDS))
  },
  comparison: async () => void (await compareInto(docs, record)),
  costs: async () => void (await costsInto(docs, COST_ROUNDS)),
  trial: async () => {
    if (folder === undefined) throw new Error('Cannot try without a folder to write into')
    mkdirSync(folder, { recursive: true })
    copyFileSync(join(docs, 'performance.md'), join(folder, 'performance.md'))
    await compareInto(folder, trial)
    await costsInto(folder, 1)
  },
  quick,
}
const chosen = commands[command]
if (chosen === undefined) throw new Error(`Cannot run "${command}": one of ${Object.keys(commands).join(', ')}`)
const startedMs = performance.now()
buildShipped()
await chosen()
console.log(`\nDone after ${((performance.now() - startedMs) / 60_000).toFixed(1)} minutes`)

async function compareInto(place: string, plan: Plan): Promise<Comparison> {
  const comparison = await compare(plan)
  writeComparison(place, comparison)
  return comparison
}

async function costsInto(place: string, rounds: number): Promise<Costs> {
  const costs = await measureCosts(rounds)
  writeCosts(place, costs)
  return costs
}

function keep({ measuredAt, machine, gates }: Comparison, costs: Costs): void {
  const recorded: Recorded = { measuredAt, machine, ratios: ratiosOf(gates, costs) }
  writeFileSync(recordFile, `${JSON.stringify(recorded, undefined, 2)}\n`)
}

async function quick(): Promise<void> {
  const { gates } = await compare(quickPlan)
  const decisions = await measureDecisions(DECISIONS, 2)
  const today = ratiosOf(gates, { decisions, firstSight: await measureFirstSight() })
  const recorded = existsSync(recordFile) ? (JSON.parse(readFileSync(recordFile, 'utf8')) as Recorded) : undefined
  console.log(`\nRecorded: ${recorded === undefined ? 'nothing' : `${recorded.measuredAt}, ${recorded.machine}`}`)
  console.log(`${''.padEnd(56)}${'today'.padEnd(24)}${'recorded'.padEnd(24)}today / recorded`)
  for (const [name, spread] of Object.entries(today)) {
    const before = recorded?.ratios[name]
    const cells = [formatSpread(spread), before === undefined ? 'none' : formatSpread(before)]
    const change = before === undefined ? '' : (spread.median / before.median).toFixed(2)
    console.log(`${name.padEnd(56)}${cells.map((cell) => cell.padEnd(24)).join('')}${change}`)
  }
}

function buildShipped(): void {
  const program = join(root, 'scripts', 'build.ts')
  const node = ['--disable-warning=ExperimentalWarning', program, '--bundle']
  const { status } = spawnSync(process.execPath, node, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('Cannot build what ships')
}
