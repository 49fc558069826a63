// From the settings of an issuer to its keys: how old they may be, by which clock, and what is counted of them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createIssuers } from '../../src/assembly/issuers.ts'
import { createOutbound } from '../../src/assembly/outbound.ts'
import { readMaterials } from '../../src/assembly/settings/file-contents.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { createLog } from '../../src/telemetry/logs/log.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, ISSUER, sumOf } from '../support/gateway.ts'
import { answerWith, startKeyServer } from '../support/key-server.ts'
import { configOf } from '../support/settings.ts'
import { jwksOf, makeKey } from '../support/tokens.ts'

const HOUR_MS = 3_600_000
const [one, two] = [makeKey('ES256', 'one'), makeKey('ES256', 'two')]
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Issuers whose wall clock and whose other clock can be turned. */
function createTestIssuers() {
  const clocks = { wallMs: 1_800_000_000_000, monotonicMs: 5000 }
  const metrics = createMetrics()
  const log = createLog({ level: 'silent', format: 'json' }, { isTerminal: false, to: { write: () => {} } })
  const issuers = createIssuers({
    outbound: createOutbound({ proxy: () => 'none', environment: {}, log }),
    clock: () => clocks.wallMs,
    monotonic: () => clocks.monotonicMs,
    metrics,
    log,
  })
  closing.push(issuers.stop)
  const build = async (keys: string) => {
    const config = configOf(`issuers: [{ issuer: '${ISSUER}', audiences: [orders], keys: ${keys} }]`)
    const read = await readMaterials(config, Date.now)
    if ('problems' in read) throw new Error('The keys cannot be read')
    return issuers.build(config, read.materials)
  }
  const count = async (name: string, labels: Record<string, string> = {}) =>
    sumOf(await metrics.registry.metrics(), `sidegate_${name}`, labels)
  return { clocks, build, count }
}

/** The same with keys that are fetched, when they are there. */
async function createFetchingIssuers() {
  const server = await startKeyServer(answerWith(jwksOf(one)))
  closing.push(server.close)
  const made = createTestIssuers()
  const [issuer] = await made.build(`{ jwksUri: '${server.url}' }`)
  await eventually(() => expect(issuer?.keys.missing()).toBeUndefined())
  const find = async (keyId: string) => {
    const found = await issuer?.keys.find('ES256', keyId)
    return found === undefined || isRefusal(found) ? found?.reason : found.map((key) => key.keyId)
  }
  return { ...made, server, find }
}

test('a key that was not found is looked for again half a minute later, though the wall clock was set back meanwhile', async () => {
  const { clocks, server, find } = await createFetchingIssuers()
  expect(await find('two')).toBe('key_unknown')
  clocks.wallMs -= HOUR_MS
  server.answer = answerWith(jwksOf(one, two))
  clocks.monotonicMs += 29_000
  expect(await find('two')).toBe('key_unknown')
  clocks.monotonicMs += 2000
  expect(await find('two')).toEqual(['two'])
})

test('keys that cannot be fetched serve for a day and no longer, whatever the wall clock says', async () => {
  const { clocks, server, find, count } = await createFetchingIssuers()
  expect(await count('jwks_last_success_timestamp_seconds')).toBe(1_800_000_000)
  server.answer = answerWith('', 503)
  clocks.wallMs += 48 * HOUR_MS
  expect(await find('one')).toEqual(['one'])
  clocks.wallMs -= 96 * HOUR_MS
  clocks.monotonicMs += 25 * HOUR_MS
  expect(await find('one')).toBe('keys_unavailable')
})

test('a token that is judged by old keys is counted', async () => {
  const { clocks, find, count } = await createFetchingIssuers()
  const admittedAnyway = () => count('degraded_decisions_total', { dependency: 'keys', policy: 'allow' })
  clocks.monotonicMs += 19 * 60_000
  await find('one')
  expect(await admittedAnyway()).toBe(0)
  clocks.monotonicMs += 2 * 60_000
  await find('one')
  expect(await admittedAnyway()).toBe(1)
})

test('the keys of a file are counted at the start and with each reload', async () => {
  const world = createWorld()
  closing.push(world.remove)
  const file = join(world.folder, 'keys.json')
  const { build, count } = createTestIssuers()
  for (const keys of [[one, two], [two]]) {
    writeFileSync(file, jwksOf(...keys))
    await build(`{ jwksFile: '${file}' }`)
    expect(await count('jwks_keys', { issuer: ISSUER })).toBe(keys.length)
  }
})
