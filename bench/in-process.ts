// A gate without its sockets, in the process that measures: real settings, real keys in files, and a list of any length.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIssuers } from '../src/assembly/issuers.ts'
import { createOutbound } from '../src/assembly/outbound.ts'
import { readMaterials } from '../src/assembly/settings/file-contents.ts'
import { type BuiltGate, buildGate } from '../src/assembly/settings/settings-in-force.ts'
import { loadConfig } from '../src/config/load.ts'
import { createList, type RuleList } from '../src/revocation/compact-list/list.ts'
import { createMemoryRevocations } from '../src/revocation/in-process.ts'
import { createLog } from '../src/telemetry/logs/log.ts'
import { createMetrics } from '../src/telemetry/metrics/metrics.ts'
import { jwksOf, type TestKey } from '../test/support/tokens.ts'

export interface IssuerInProcess {
  readonly issuer: string
  readonly algorithm: string
  /** A key of a pair, or the secret of an HMAC. */
  readonly key: TestKey | string
}

export interface GateInProcess extends BuiltGate {
  readonly list: RuleList
}

/** Builds it; `more` are further settings as YAML. Its files are gone when it is there. */
export async function buildInProcess(issuers: readonly IssuerInProcess[], more = ''): Promise<GateInProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
  const entries = issuers.map(({ issuer, algorithm, key }, index) => {
    const file = join(folder, `key-${index}`)
    writeFileSync(file, typeof key === 'string' ? key : jwksOf(key), { mode: 0o600 })
    const kind = typeof key === 'string' ? 'secretFile' : 'jwksFile'
    return `  - { issuer: ${issuer}, audiences: [orders], algorithms: [${algorithm}], keys: { ${kind}: ${file} } }`
  })
  const text = `upstream: http://127.0.0.1:1\nissuers:\n${entries.join('\n')}\n${more}`
  const loaded = loadConfig({ file: { path: 'bench.yaml', text }, environment: {}, flags: {} })
  if ('problems' in loaded) throw new Error(`Cannot use the settings: ${JSON.stringify(loaded.problems)}`)
  const { config } = loaded
  const read = await readMaterials(config, Date.now)
  rmSync(folder, { recursive: true })
  if ('problems' in read) throw new Error(`Cannot use the keys: ${JSON.stringify(read.problems)}`)
  const { materials } = read

  const metrics = createMetrics()
  const log = createLog({ ...config.log, level: 'silent' }, { isTerminal: false, to: process.stderr })
  const shared = {
    metrics,
    log,
    clock: Date.now,
    monotonic: () => performance.now(),
    outbound: createOutbound({ proxy: () => 'none', environment: {}, log }),
  }
  const list = createList({ toleranceSeconds: 5 })
  const gate = buildGate({
    ...{ ...shared, config, materials },
    issuers: createIssuers(shared).build(config, materials),
    revocations: createMemoryRevocations({ list, clock: Date.now }),
  })
  return { ...gate, list }
}
