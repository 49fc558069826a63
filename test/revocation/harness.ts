// What the tests of revocation share: a gate's worth of parts on one real Redis, and what was reported.
import { expect, vi } from 'vitest'
import type { Clock } from '../../src/model/clock.ts'
import { createList, type RuleList } from '../../src/revocation/compact-list/list.ts'
import type { WhenStale } from '../../src/revocation/freshness.ts'
import { createFeed, type Feed } from '../../src/revocation/log/reading/feed.ts'
import { type RevocationObserver, silentLog, silentObserver } from '../../src/revocation/log/report.ts'
import { createRedisStore, type RedisStore } from '../../src/revocation/log/store.ts'
import { createRedisLookup } from '../../src/revocation/redis-lookup.ts'
import { createLocalRevocations, type Revocations } from '../../src/revocation/revocations.ts'
import { parsePlainKey } from '../../src/revocation/rule/plain-keys.ts'
import type { Rule, RuleIdentity } from '../../src/revocation/rule/rule.ts'
import { verifiedToken } from '../support/verified-token.ts'

export interface LocalGate {
  readonly revocations: Revocations
  readonly store: RedisStore
  readonly feed: Feed
  readonly list: RuleList
  readonly seen: Seen
}

/** What the observer and the log were told. */
export interface Seen {
  readonly reads: string[]
  readonly propagations: number[]
  readonly errors: string[]
  readonly lines: string[]
  healed: number
  overruled: number
  logAheadSeconds: number
  notUnderstood: number
  skipped: number
  synced: boolean
  evictionUnsafe: boolean | undefined
}

export interface GateOptions {
  readonly url: string
  readonly natMap?: Readonly<Record<string, string>>
  readonly list?: string
  readonly maxStalenessMs?: number
  readonly whenStale?: WhenStale
  readonly minReplicas?: number
  readonly plainKeys?: readonly string[]
  readonly pageSize?: number
  readonly timeoutMs?: number
  readonly clock?: Clock
  readonly monotonic?: Clock
  readonly password?: string | (() => string | undefined)
  readonly sentinelPassword?: string
  readonly authority?: string
  readonly follow?: 'stream' | 'poll'
  /** The longest lifetime of any issuer's tokens. Default a day. */
  readonly maxLifetimeSeconds?: number
}

const started: { stop(): Promise<void> }[] = []

/** Stops everything that was started in a test. */
export async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((one) => one.stop()))
}

export function storeFor(
  options: GateOptions,
  observe: RevocationObserver = silentObserver,
  log = silentLog,
): RedisStore {
  return createRedisStore({
    url: options.url,
    natMap: options.natMap,
    list: options.list ?? 'default',
    minReplicas: options.minReplicas ?? 0,
    password: options.password,
    sentinelPassword: options.sentinelPassword,
    authority: options.authority,
    follow: options.follow ?? 'stream',
    plainKeys: (options.plainKeys ?? []).map(parsePlainKey),
    maxLifetimeSeconds: () => options.maxLifetimeSeconds ?? 86_400,
    toleranceSeconds: () => 5,
    observe,
    log,
  })
}

/** Starts one gate that follows the log. */
export function startLocal(options: GateOptions): LocalGate {
  const seen = createSeen()
  const shared = {
    clock: options.clock ?? Date.now,
    monotonic: options.monotonic ?? (() => performance.now()),
    maxLifetimeSeconds: () => 86_400,
    toleranceSeconds: () => 5,
    observe: seen.observe,
    log: seen.log,
  }
  const store = storeFor(options, seen.observe, seen.log)
  const list = createList({ toleranceSeconds: 5 })
  const feed = createFeed({
    ...shared,
    store,
    list,
    pageSize: options.pageSize ?? 1000,
    maxStalenessMs: options.maxStalenessMs ?? 30_000,
  })
  const revocations = createLocalRevocations({
    ...shared,
    store,
    list,
    feed,
    maxStalenessMs: options.maxStalenessMs ?? 30_000,
    whenStale: options.whenStale ?? 'deny',
  })
  revocations.start()
  started.push(revocations)
  return { revocations, store, feed, list, seen: seen.seen }
}

/** Starts one gate that asks Redis each time, with a copy of the log beside it or without. */
export function startLookup(options: GateOptions & { readonly hasCopy?: boolean }): Revocations {
  const store = storeFor(options)
  const list = createList({ toleranceSeconds: 5 })
  const maxStalenessMs = options.maxStalenessMs ?? 30_000
  const shared = {
    store,
    clock: options.clock ?? Date.now,
    monotonic: options.monotonic ?? (() => performance.now()),
    maxLifetimeSeconds: () => 86_400,
    toleranceSeconds: () => 5,
    observe: silentObserver,
    log: silentLog,
  }
  const revocations = createRedisLookup({
    ...shared,
    ...(options.hasCopy && { copy: { feed: createFeed({ ...shared, list, maxStalenessMs }), list, maxStalenessMs } }),
    whenStale: options.whenStale ?? 'deny',
    timeoutMs: options.timeoutMs ?? 1000,
  })
  revocations.start()
  started.push(revocations)
  return revocations
}

/** A rule that ends in five minutes. */
export function rule(identity: RuleIdentity, more: Partial<Rule> = {}): Rule {
  return {
    expiresAtSeconds: Math.floor(Date.now() / 1000) + 300,
    atMs: Date.now(),
    lifted: false,
    ...identity,
    ...more,
  }
}

/** Where the log of the list `default` is. */
export const logKey = 'sidegate:{default}:log'
export const soon = { timeout: 10_000, interval: 10 }

/** What a gate says of the token with this jti. */
export function stateOf(gate: Pick<LocalGate, 'revocations'>, jti: string): string {
  const verdict = gate.revocations.check(verifiedToken({ jti }))
  if (verdict instanceof Promise) throw new Error('this gate does not answer at once')
  return verdict.state === 'clear' && verdict.degraded ? 'degraded' : verdict.state
}

/** How old the copy of a gate is, as it says itself. */
export function ageMs({ revocations }: Pick<LocalGate, 'revocations'>): number {
  const { detail } = revocations.readiness()
  const age = /(\d+\.\d) s old/.exec(detail)?.[1]
  if (age === undefined) throw new Error(`this gate does not say its age: ${detail}`)
  return Number(age) * 1000
}

export const untilSynced = (gate: LocalGate) => vi.waitFor(() => expect(gate.seen.synced).toBe(true), soon)
export const untilState = (gate: LocalGate, jti: string, state: string) =>
  vi.waitFor(() => expect(stateOf(gate, jti)).toBe(state), soon)

/** A gate whose copy is complete. */
export async function startSynced(options: GateOptions): Promise<LocalGate> {
  const gate = startLocal(options)
  await untilSynced(gate)
  return gate
}

/** Revokes tokens through a gate. */
export async function revoke(gate: LocalGate, ...jtis: readonly string[]): Promise<void> {
  await gate.revocations.write(jtis.map((value) => rule({ kind: 'token', value })))
}

export interface Oracle {
  /** Everything that must not have happened; ends the watch. */
  violations(): readonly string[]
}

/** Asks gates again and again: what they knew to be revoked is never admitted, and what was lifted never refused for it. */
export function watch(
  gates: readonly LocalGate[],
  tokens: { readonly revoked: readonly string[]; readonly lifted?: readonly string[] },
): Oracle {
  const violations = new Set<string>()
  const look = () => {
    for (const [index, gate] of gates.entries()) {
      for (const jti of tokens.revoked)
        if (stateOf(gate, jti) !== 'revoked') violations.add(`gate ${index} says ${stateOf(gate, jti)} to ${jti}`)
      for (const jti of tokens.lifted ?? [])
        if (stateOf(gate, jti) === 'revoked') violations.add(`gate ${index} refuses ${jti}, which was lifted`)
    }
  }
  const timer = setInterval(look, 2)
  look()
  return {
    violations: () => {
      clearInterval(timer)
      look()
      return [...violations]
    },
  }
}

function createSeen() {
  const seen: Seen = {
    reads: [],
    propagations: [],
    errors: [],
    lines: [],
    healed: 0,
    overruled: 0,
    logAheadSeconds: 0,
    notUnderstood: 0,
    skipped: 0,
    synced: false,
    evictionUnsafe: undefined,
  }
  const note = (_fields: object, message: string) => {
    seen.lines.push(message)
  }
  const observe: RevocationObserver = {
    ...silentObserver,
    read: (type, result) => seen.reads.push(`${type} ${result}`),
    propagated: (seconds) => seen.propagations.push(seconds),
    healed: (rules) => {
      seen.healed += rules
    },
    skipped: (entries) => {
      seen.skipped += entries
    },
    overruled: (entries) => {
      seen.overruled += entries
    },
    notUnderstood: (entries) => {
      seen.notUnderstood = entries
    },
    logAhead: (seconds) => {
      seen.logAheadSeconds = seconds
    },
    synced: (isSynced) => {
      seen.synced = isSynced
    },
    redisFailed: (kind) => seen.errors.push(kind),
    evictionUnsafe: (isUnsafe) => {
      seen.evictionUnsafe = isUnsafe
    },
  }
  return { seen, observe, log: { info: note, warn: note, error: note } }
}
