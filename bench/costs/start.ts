// How long from the start of a process until it is ready, and what does it hold then: the bundle of the image, the same from
// dist/ with its packages beside it, and the source; without Redis, and with a list of 100,000 rules to read.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../test/support/listen.ts'
import { startRedis } from '../../test/support/redis.ts'
import { jwksOf, makeKey } from '../../test/support/tokens.ts'
import { shippedProgram } from '../compare/contenders.ts'
import { ON_GATE_CORE, residentMebibytes } from '../machine.ts'
import { isReady } from '../ready.ts'
import { writeLog } from '../rules.ts'

export interface Start {
  readonly what: string
  readonly rules: number
  readonly readyMs: readonly number[]
  /** Some seconds later, with nothing to do. */
  readonly idleMiB: readonly number[]
}

const RULES = 100_000
const POLL_MS = 3
const IDLE_MS = 3_000
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Starts each of them in turn, so many times. */
export async function measureStarts(rounds: number): Promise<readonly Start[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
  writeFileSync(join(folder, 'jwks.json'), jwksOf(makeKey('ES256')))
  const redis = await startRedis()
  await writeLog(redis, RULES)
  const { program, nodeArguments } = shippedProgram()
  const ways = [
    { what: 'bundle', given: [...nodeArguments, program], url: undefined },
    { what: 'bundle', given: [...nodeArguments, program], url: redis.url },
    { what: 'dist', given: [...nodeArguments, join(root, 'dist', 'cli.js')], url: undefined },
    { what: 'source', given: [...nodeArguments, join(root, 'src', 'cli.ts')], url: undefined },
  ]
  const starts = ways.map((way) => ({ ...way, readyMs: [] as number[], idleMiB: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { given, url, readyMs, idleMiB } of starts) {
      const one = await startOnce(folder, given, url)
      readyMs.push(one.readyMs)
      idleMiB.push(one.idleMiB)
    }
  }
  await redis.stop()
  rmSync(folder, { recursive: true })
  return starts.map(({ what, url, readyMs, idleMiB }) => ({ what, rules: url ? RULES : 0, readyMs, idleMiB }))
}

async function startOnce(folder: string, given: readonly string[], redisUrl: string | undefined) {
  const port = await freePort()
  const file = join(folder, 'sidegate.yaml')
  writeFileSync(
    file,
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:1
admin: { listen: 127.0.0.1:${port} }
issuers:
  - { issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: ${folder}/jwks.json } }
${redisUrl === undefined ? '' : `revocation: { redis: ${redisUrl} }`}
`,
  )
  const [first = '', ...rest] = [...ON_GATE_CORE, process.execPath, ...given, 'run', '--config', file]
  const startedMs = performance.now()
  const gate = spawn(first, rest, { stdio: 'ignore', env: { ...process.env, NODE_ENV: 'production' } })
  while (!(await isReady(port))) {
    if (gate.exitCode !== null) throw new Error(`Cannot start "${given.join(' ')}": exit code is ${gate.exitCode}`)
    await sleep(POLL_MS)
  }
  const readyMs = performance.now() - startedMs
  await sleep(IDLE_MS)
  const idleMiB = residentMebibytes(gate.pid ?? 0)
  gate.kill('SIGKILL')
  await once(gate, 'exit')
  return { readyMs, idleMiB }
}
