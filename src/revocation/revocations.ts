// Is this token revoked, and may we say so? What the gate and the admin API ask, over a local copy that the feed keeps, or in
// memory alone. "Not known" is never "clear" unless the operator chose so, and then the verdict says that it is degraded.
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { messageOf } from './connection.ts'
import { millisecondsOfId } from './entry.ts'
import type { Feed } from './feed.ts'
import type { RuleList } from './list.ts'
import type { RevocationLog, RevocationObserver } from './report.ts'
import type { Rule, RuleIdentity, RuleKind } from './rule.ts'
import type { RedisStore } from './store.ts'

/** The answer for one token. `degraded`: clear by what is known, but that may be out of date, and the operator allows it. */
export type Verdict =
  | { readonly state: 'clear'; readonly degraded: boolean }
  | { readonly state: 'revoked'; readonly rule: Rule }
  /** `ageMs` is how old the copy is; infinite before the first full read. */
  | { readonly state: 'stale'; readonly ageMs: number }

/** What to do when the list is not up to date. */
export type WhenStale = 'deny' | 'allow'

/** The one interface of every way to know what is revoked. */
export interface Revocations {
  /** Judges a token now. A promise only where every request is looked up in Redis. */
  check(token: VerifiedToken): Verdict | Promise<Verdict>
  /** Writes rules for the whole fleet and answers them as written. Rejects where that is not certain. */
  write(rules: readonly Rule[]): Promise<readonly Rule[]>
  /** Every rule in force. */
  list(): Promise<readonly Rule[]>
  /** Ends a rule for the whole fleet. Answers the rule that was in force, or undefined where there was none. */
  lift(kind: RuleKind, value: string, issuer?: string): Promise<Rule | undefined>
  readiness(): { readonly ready: boolean; readonly detail: string }
  start(): void
  stop(): Promise<void>
  /** How old the copy is in milliseconds; infinite before it was first complete. */
  ageMs(): number
  /** What it holds here, for the gauges. */
  holdings(): Holdings
  /** Calls back for every rule that came into force or was lifted, so that open connections can be judged again. */
  onChange(callback: (rule: Rule) => void): void
}

export interface Holdings {
  readonly rules: (kind: RuleKind) => number
  readonly memoryBytes: number
}

export const clear: Verdict = Object.freeze({ state: 'clear', degraded: false })
export const clearDegraded: Verdict = Object.freeze({ state: 'clear', degraded: true })

const sweepEveryMs = 1000
const sweepBudget = 5000
const trimEveryMs = 60_000
const evictionCheckEveryMs = 60_000
// Two writes of one rule within a second get their times from us: their ids could fall into the same millisecond.
const closeWritesMs = 1000

export interface LocalParts {
  readonly store: RedisStore
  readonly list: RuleList
  readonly feed: Feed
  readonly clock: Clock
  readonly maxStalenessMs: number
  readonly whenStale: WhenStale
  readonly observe: RevocationObserver
  readonly log: RevocationLog
}

/** Judges by the local copy of the log. Known rules count even where the copy is stale. */
export function createLocalRevocations(parts: LocalParts): Revocations {
  const { clock, feed, list, maxStalenessMs, store } = parts
  const chores = createChores(parts)
  const callbacks: ((rule: Rule) => void)[] = []
  feed.onApplied((rule) => {
    for (const callback of callbacks) callback(rule)
  })

  function ageMsAt(nowMs: number): number {
    const heardMs = feed.lastHeardMs()
    // A clock that was set back is as unsure as one that ran on.
    return heardMs === 0 ? Number.POSITIVE_INFINITY : Math.abs(nowMs - heardMs)
  }

  function check(token: VerifiedToken): Verdict {
    const nowMs = clock()
    const rule = list.check(token, nowMs / 1000)
    if (rule !== undefined) return { state: 'revoked', rule }
    const ageMs = ageMsAt(nowMs)
    if (ageMs <= maxStalenessMs) return clear
    return parts.whenStale === 'allow' ? clearDegraded : { state: 'stale', ageMs }
  }

  async function write(rules: readonly Rule[]): Promise<readonly Rule[]> {
    const written = await appendStamped(store, rules, (rule) => list.find(rule), clock() + feed.clockOffsetMs())
    for (const rule of written) {
      if (!list.apply(rule)) continue
      for (const callback of callbacks) callback(rule)
    }
    chores.afterWrite()
    return written
  }

  return Object.freeze({
    check,
    write,
    list: async () => rulesInForce(list, clock() / 1000),
    lift: (kind, value, issuer) => liftBy(list.find({ kind, value, issuer }), write, clock() / 1000),
    readiness: () =>
      feed.hasReadInFull()
        ? { ready: true, detail: `revocation list read in full, ${list.sizeAll()} rules` }
        : { ready: false, detail: 'revocation list not read in full yet' },
    start: () => {
      store.open().catch(() => {})
      feed.start()
      chores.start()
    },
    stop: async () => {
      chores.stop()
      const ended = feed.stop()
      await store.close()
      await ended
    },
    ageMs: () => ageMsAt(clock()),
    holdings: () => ({ rules: list.size, memoryBytes: list.memoryBytes() }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}

/** Judges by a list in this process alone: nothing is shared, nothing outlives it. */
export function createMemoryRevocations(parts: { readonly list: RuleList; readonly clock: Clock }): Revocations {
  const { clock, list } = parts
  const callbacks: ((rule: Rule) => void)[] = []
  let timer: NodeJS.Timeout | undefined

  async function write(rules: readonly Rule[]): Promise<readonly Rule[]> {
    return rules.map((rule) => {
      const known = list.find(rule)
      const written = { ...rule, atMs: Math.max(clock(), known === undefined ? 0 : known.atMs + 1) }
      if (list.apply(written)) for (const callback of callbacks) callback(written)
      return written
    })
  }

  return Object.freeze({
    check: (token) => {
      const rule = list.check(token, clock() / 1000)
      return rule === undefined ? clear : { state: 'revoked', rule }
    },
    write,
    list: async () => rulesInForce(list, clock() / 1000),
    lift: (kind, value, issuer) => liftBy(list.find({ kind, value, issuer }), write, clock() / 1000),
    readiness: () => ({ ready: true, detail: `revocation list in memory, ${list.sizeAll()} rules` }),
    start: () => {
      timer = setInterval(() => list.sweep(clock() / 1000, sweepBudget), sweepEveryMs).unref()
    },
    stop: async () => clearInterval(timer),
    ageMs: () => 0,
    holdings: () => ({ rules: list.size, memoryBytes: list.memoryBytes() }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}

/** The rules of a list that are in force. */
export function rulesInForce(list: RuleList, nowSeconds: number): readonly Rule[] {
  return [...list.entries()].filter((rule) => !rule.lifted && rule.expiresAtSeconds > nowSeconds)
}

/** Lifts a rule that is in force by writing its end; answers the rule, or undefined where there is nothing to lift. */
export async function liftBy(
  rule: Rule | undefined,
  write: (rules: readonly Rule[]) => Promise<unknown>,
  nowSeconds: number,
): Promise<Rule | undefined> {
  if (rule === undefined || rule.lifted || rule.expiresAtSeconds <= nowSeconds) return undefined
  await write([{ ...rule, lifted: true, reason: undefined }])
  return rule
}

/** Appends rules so that each counts over the copy that is known of it, and answers them with the time they got. */
export async function appendStamped(
  store: RedisStore,
  rules: readonly Rule[],
  find: (identity: RuleIdentity) => Rule | undefined,
  serverNowMs: number,
): Promise<readonly Rule[]> {
  const stamped = new Set<Rule>()
  const prepared = rules.map((rule) => {
    const known = find(rule)
    if (known === undefined || known.atMs < serverNowMs - closeWritesMs) return rule
    const later = { ...rule, atMs: known.atMs + 1 }
    stamped.add(later)
    return later
  })
  const ids = await store.append(prepared, (rule) => stamped.has(rule))
  return prepared.map((rule, index) => {
    const idMs = millisecondsOfId(ids[index] ?? '')
    return stamped.has(rule) || idMs === undefined ? rule : { ...rule, atMs: idMs }
  })
}

export interface Chores {
  start(): void
  afterWrite(): void
  stop(): void
}

/** What has to be done now and then: trimming the log after a write, asking whether Redis may evict. */
export function createChores(parts: Omit<LocalParts, 'feed' | 'list' | 'maxStalenessMs' | 'whenStale'>): Chores {
  const { clock, log, observe, store } = parts
  let timers: NodeJS.Timeout[] = []
  let trimmedMs = 0
  let wasUnsafe = false

  async function checkEviction(): Promise<void> {
    const isUnsafe = await store.evictionUnsafe()
    observe.evictionUnsafe(isUnsafe)
    if (isUnsafe && !wasUnsafe)
      log.warn({ redis: store.description }, 'Redis may evict revocation rules: set maxmemory-policy noeviction')
    wasUnsafe = isUnsafe ?? wasUnsafe
  }

  return Object.freeze({
    start: () => {
      timers = [setTimeout(checkEviction, 1000).unref(), setInterval(checkEviction, evictionCheckEveryMs).unref()]
    },
    afterWrite: () => {
      if (Math.abs(clock() - trimmedMs) < trimEveryMs) return
      trimmedMs = clock()
      store.trim(clock() / 1000).catch((error: unknown) => {
        log.warn({ detail: messageOf(error) }, 'Cannot trim the revocation log')
      })
    },
    stop: () => {
      for (const timer of timers) clearTimeout(timer)
    },
  } satisfies Chores)
}
