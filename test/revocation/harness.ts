// What the tests of revocation share: a gate's worth of parts on one real Redis, and what was reported.
import { createFeed, type Feed } from '../../src/revocation/feed.ts'
import { createList, type RuleList } from '../../src/revocation/list.ts'
import { parsePlainKey } from '../../src/revocation/plain-keys.ts'
import { createRedisLookup } from '../../src/revocation/redis-lookup.ts'
import { type RevocationObserver, silentLog, silentObserver } from '../../src/revocation/report.ts'
import { createLocalRevocations, type Revocations, type WhenStale } from '../../src/revocation/revocations.ts'
import type { Rule, RuleIdentity } from '../../src/revocation/rule.ts'
import { createRedisStore, type RedisStore } from '../../src/revocation/store.ts'

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
  skipped: number
  synced: boolean
  evictionUnsafe: boolean | undefined
}

export interface GateOptions {
  readonly url: string
  readonly list?: string
  readonly maxStalenessMs?: number
  readonly whenStale?: WhenStale
  readonly minReplicas?: number
  readonly plainKeys?: readonly string[]
  readonly pageSize?: number
  readonly timeoutMs?: number
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
    list: options.list ?? 'default',
    minReplicas: options.minReplicas ?? 0,
    plainKeys: (options.plainKeys ?? []).map(parsePlainKey),
    maxLifetimeSeconds: 86_400,
    toleranceSeconds: 5,
    observe,
    log,
  })
}

/** Starts one gate that follows the log. */
export function startLocal(options: GateOptions): LocalGate {
  const seen = createSeen()
  const shared = {
    clock: Date.now,
    maxLifetimeSeconds: 86_400,
    toleranceSeconds: 5,
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

/** Starts one gate that asks Redis each time. */
export function startLookup(options: GateOptions): Revocations {
  const revocations = createRedisLookup({
    store: storeFor(options),
    clock: Date.now,
    whenStale: options.whenStale ?? 'deny',
    maxLifetimeSeconds: 86_400,
    toleranceSeconds: 5,
    timeoutMs: options.timeoutMs ?? 1000,
    observe: silentObserver,
    log: silentLog,
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

function createSeen() {
  const seen: Seen = {
    reads: [],
    propagations: [],
    errors: [],
    lines: [],
    healed: 0,
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
