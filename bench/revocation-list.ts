// What does the local copy of the revocation list cost: memory for each rule, time for each check, pauses, and a full read of a
// million rules from a real Redis? Each part runs in a process of its own; run it on a quiet machine:
//   node --expose-gc --max-semi-space-size=4 bench/revocation-list.ts [memory | uuids | check | sweep | churn | redis] [rules]
// V8's young generation is kept small because it grows with what is done, not with what is held, and would blur the figures.
import { spawnSync } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { VerifiedToken } from '../src/model/decision.ts'
import { createList, type RuleList } from '../src/revocation/compact-list/list.ts'
import { createFeed } from '../src/revocation/log/reading/feed.ts'
import { silentLog, silentObserver } from '../src/revocation/log/report.ts'
import { createRedisStore } from '../src/revocation/log/store.ts'
import type { Rule } from '../src/revocation/rule/rule.ts'
import { startRedis } from '../test/support/redis.ts'
import { summarize } from './figures.ts'
import { mixed, plainRuleOf, ruleOf, startSeconds, tokenOf, writeLog } from './rules.ts'

const MEBIBYTE = 2 ** 20
const parts = { memory: () => memory('mixed'), uuids: () => memory('uuid'), check, sweep, churn, redis }
const [name, count = '1000000'] = process.argv.slice(2)
const million = Number(count)
const touched = { sum: 0 }

if (name !== undefined && Object.hasOwn(parts, name)) await parts[name as keyof typeof parts]()
else {
  for (const part of Object.keys(parts)) {
    spawnSync(process.execPath, ['--expose-gc', '--max-semi-space-size=4', import.meta.filename, part, count], {
      stdio: 'inherit',
    })
  }
}

async function memory(mix: 'mixed' | 'uuid'): Promise<void> {
  // The same work without keeping anything: what is above that belongs to the rules.
  for (let index = 0; index < million; index += 1) touched.sum += makeRule(index, mix).value.length
  const before = await settledBytes()
  const list = createList()
  const startMs = performance.now()
  fill(list, 0, million, mix)
  const elapsedMs = performance.now() - startMs
  const bytes = (await settledBytes()) - before
  console.log(
    `${million} rules, ${mix}: ${mebibytes(bytes)} MiB of RSS over a process that made the same rules and kept none, ` +
      `${(bytes / million).toFixed(1)} bytes a rule; memoryBytes() says ${mebibytes(list.memoryBytes())} MiB; ` +
      `made and applied ${Math.round(million / elapsedMs)} rules a millisecond`,
  )
}

// Compiles the code of the list, so that it is not counted as memory of the rules.
function warmUp(): void {
  const list = createList()
  fill(list, 0, 100_000, 'mixed')
  list.sweep(startSeconds + 10 * 86_400, Number.POSITIVE_INFINITY)
}

async function check(): Promise<void> {
  const list = createList({ toleranceSeconds: 5 })
  for (const rules of [0, 10_000, million]) {
    fill(list, list.sizeAll(), rules, 'mixed')
    const clear = Array.from({ length: 100_000 }, (_, index) => tokenOf(2 * million + index))
    const revoked = Array.from({ length: 100_000 }, (_, index) => tokenOf((mixed(index, 7) >>> 0) % Math.max(rules, 1)))
    const kinds = 'token subject session client key issuer'
    console.log(`${rules} rules, ${rules === 0 ? 'no kind has any' : `rules of ${kinds}`}: ns for each check`)
    printNanoseconds('miss', timeChecks(list, clear, false))
    if (rules > 0) printNanoseconds('hit', timeChecks(list, revoked, true))
  }
}

async function sweep(): Promise<void> {
  const list = createList()
  fill(list, 0, million, 'mixed')
  printPauses(`sweep of 5000 while ${million} rules end over a day`, sweepAll(list, 0, 100))
  fill(list, 0, million, 'mixed')
  printPauses('sweep of 5000 where every rule has ended', sweepAll(list, 10 * 86_400, 0))
}

// Both the time that passed and the time of the processor: on a machine with other work the first says little.
function sweepAll(list: RuleList, fromSeconds: number, stepSeconds: number): readonly (readonly [number, number])[] {
  const pauses: [number, number][] = []
  for (let passed = fromSeconds; list.sizeAll() > 0; passed += stepSeconds) {
    const used = process.cpuUsage()
    const startMs = performance.now()
    list.sweep(startSeconds + passed, 5000)
    const elapsedMs = performance.now() - startMs
    const { user, system } = process.cpuUsage(used)
    pauses.push([elapsedMs, (user + system) / 1000])
  }
  return pauses
}

function printPauses(title: string, pauses: readonly (readonly [number, number])[]): void {
  const { median, p99, max } = summarize(pauses.map(([elapsedMs]) => elapsedMs))
  const processorMs = summarize(pauses.map(([elapsedMs, cpuMs]) => Math.min(elapsedMs, cpuMs))).max
  const figures = `p50 ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(2)} ms`
  console.log(`${title}: ${figures}, max of the processor ${processorMs.toFixed(2)} ms`)
}

async function churn(): Promise<void> {
  const list = createList()
  warmUp()
  const before = await settledBytes()
  let slowestMs = 0
  const sizes: string[] = []
  // Ten times as many rules pass through as are alive at a time; time goes on as they come.
  for (let first = 0; first < 11 * million; first += 1000) {
    const nowSeconds = startSeconds + Math.floor((first / million) * 43_200)
    for (let index = first; index < first + 1000; index += 1) {
      const startMs = performance.now()
      list.apply(ruleOf(index, nowSeconds))
      slowestMs = Math.max(slowestMs, performance.now() - startMs)
    }
    list.sweep(nowSeconds, 10_000)
    if ((first + 1000) % million === 0) {
      sizes.push(
        `${list.sizeAll()} rules ${mebibytes(list.memoryBytes())}/${mebibytes((await settledBytes()) - before)} MiB`,
      )
    }
  }
  console.log(
    `churn: ${sizes.join(', ')}; slowest single apply ${slowestMs.toFixed(2)} ms (collections of V8 included)`,
  )
}

async function redis(): Promise<void> {
  const server = await startRedis()
  await writeLog(server, million)
  warmUp()
  const list = createList({ toleranceSeconds: 5 })
  const shared = {
    maxLifetimeSeconds: () => 86_400,
    toleranceSeconds: () => 5,
    observe: silentObserver,
    log: silentLog,
  }
  const store = createRedisStore({ ...shared, url: server.url, list: 'default' })
  const feed = createFeed({ ...shared, store, list, clock: Date.now, maxStalenessMs: 30_000 })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const before = await settledBytes()
  await store.open()
  delay.enable()
  const startMs = performance.now()
  feed.start()
  while (!feed.hasReadInFull()) await sleep(5)
  const elapsedMs = performance.now() - startMs
  delay.disable()
  console.log(
    `full read of ${list.sizeAll()} rules from Redis: ${(elapsedMs / 1000).toFixed(2)} s, event loop held up ` +
      `p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms; ` +
      `RSS ${mebibytes((await settledBytes()) - before)} MiB more, ioredis included`,
  )
  const stopped = feed.stop()
  await store.close()
  await stopped
  await server.stop()
}

function fill(list: RuleList, from: number, to: number, mix: 'mixed' | 'uuid'): void {
  for (let index = from; index < to; index += 1) list.apply(makeRule(index, mix))
}

function makeRule(index: number, mix: 'mixed' | 'uuid'): Rule {
  return mix === 'mixed' ? ruleOf(index, startSeconds) : plainRuleOf(index)
}

function timeChecks(list: RuleList, tokens: readonly VerifiedToken[], isHit: boolean): number[] {
  const values: number[] = []
  for (let round = 0; round < 3; round += 1) {
    values.length = 0
    for (const token of tokens) {
      touch(token)
      const start = process.hrtime.bigint()
      const rule = list.check(token, startSeconds)
      const end = process.hrtime.bigint()
      if ((rule !== undefined) !== isHit) throw new Error('Wrong answer of the list')
      values.push(Number(end - start))
    }
  }
  const cost = summarize(
    tokens.map(() => {
      const start = process.hrtime.bigint()
      return Number(process.hrtime.bigint() - start)
    }),
  ).median
  return values.map((value) => Math.max(0, value - cost))
}

// The gate has just verified the token or found it again: its claims are at hand, the rows of the list are not.
function touch({ claims, id, keyId }: VerifiedToken): void {
  for (const value of [id, keyId, claims.sub, claims.sid, claims.iss, claims.azp, claims.client_id]) {
    if (typeof value === 'string') touched.sum += value.charCodeAt(0) + value.charCodeAt(value.length - 1)
  }
}

function printNanoseconds(title: string, values: readonly number[]): void {
  const { median, p99 } = summarize(values)
  console.log(`  ${title.padEnd(6)} p50 ${median.toFixed(0)}   p99 ${p99.toFixed(0)}`)
}

async function settledBytes(): Promise<number> {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.()
    await sleep(20)
  }
  return process.memoryUsage.rss()
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1)
}
