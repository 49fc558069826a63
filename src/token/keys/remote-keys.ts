// Keys that an identity provider publishes: fetched ahead of need, once for all who wait, kept when the provider fails. A
// token with an unknown key id waits for the next fetch that may begin; a flood of them never makes the gate ask more often
// than its allowance, and never has a token refused for a key that no fetch has looked for.

import type { Clock } from '../../model/clock.ts'
import { messageOf } from '../../model/error.ts'
import { refuse } from '../../model/refusal.ts'
import { createAbsentKeys } from './absent-keys.ts'
import { createFetchAllowance } from './fetch-allowance.ts'
import { hasLostKeys, isSameSet } from './key-changes.ts'
import { candidates, type KeySet, type RejectedKey, readKeySet, type VerificationKey } from './key-set.ts'
import { createKeyWaiters } from './key-waiters.ts'
import { type FoundKeys, type KeySource, OUT_OF_DATE, unknownKey } from './keys.ts'

/** Answers the text of a key set, or throws an error whose message is for the operator. */
export type FetchKeySet = () => Promise<string>

export interface RemoteKeysParts {
  readonly fetchKeySet: FetchKeySet
  /** Milliseconds that only move forward: a wall clock that is set back must not lengthen an age. */
  readonly monotonic: Clock
  readonly timing?: Partial<RemoteKeysTiming>
  readonly observe: RemoteKeysObserver
}

export interface RemoteKeysTiming {
  /** How long a key id that a fetch did not find is refused without another fetch. Default 30 s. */
  readonly absentMs: number
  /** Fetches that tokens may cause: at most this many at once, by default five … */
  readonly allowance: number
  /** … and one more after each of these. Default 6 s. */
  readonly allowanceMs: number
  /** How many tokens may wait for a fetch. Default 1,000. */
  readonly maxWaiting: number
  /** How long a token waits. Default 6 s. */
  readonly waitMs: number
  /** Between two fetches ahead of need, give or take a tenth. Default 10 min. */
  readonly refreshMs: number
  /** After a failure, doubled up to `refreshMs`. Default 1 s. */
  readonly retryMs: number
  /** The longest time between two attempts while there are no keys at all. Default 15 s. */
  readonly urgentMs: number
  /** How long the last good set serves while the provider fails. Default 24 h. */
  readonly keepMs: number
  /** How long a set without any key must be published before it counts. Default 30 s. */
  readonly emptyMs: number
}

export interface RemoteKeysObserver {
  fetched(result: 'ok' | 'empty' | 'error', detail: { readonly keys: number; readonly problem?: string }): void
  /** Told once of each key that cannot be used. */
  rejected(key: RejectedKey): void
  /** Told of the keys that are in force whenever they are not the ones before. */
  changed(keys: readonly VerificationKey[]): void
  /** Told of each token with an unknown key id: it waits for a fetch, a fetch did not find its key, or too many wait. */
  unknownKeyId(action: 'fetched' | 'cooldown' | 'turned_away'): void
  /** Told of each token that is judged by keys which two fetches ahead of need in a row should have renewed. */
  servedOld(): void
}

const defaults: RemoteKeysTiming = {
  absentMs: 30_000,
  allowance: 5,
  allowanceMs: 6_000,
  maxWaiting: 1_000,
  waitMs: 6_000,
  refreshMs: 600_000,
  retryMs: 1_000,
  urgentMs: 15_000,
  keepMs: 24 * 3_600_000,
  emptyMs: 30_000,
}

const EMPTY = 'the key set lists no key at all'

function reasonsOf(rejected: readonly RejectedKey[]): string {
  return rejected
    .slice(0, 3)
    .map(({ keyId, why }) => (keyId === undefined ? why : `${JSON.stringify(keyId.slice(0, 64))}: ${why}`))
    .join('; ')
}

/** Makes a source of keys that are fetched. Nothing is fetched before `start`. */
export function createRemoteKeys(parts: RemoteKeysParts): KeySource {
  const { monotonic, observe } = parts
  const timing = { ...defaults, ...parts.timing }
  const allowance = createFetchAllowance(timing.allowance, timing.allowanceMs, monotonic)
  const absent = createAbsentKeys(timing.absentMs, monotonic)
  const waiters = createKeyWaiters({ most: timing.maxWaiting, waitMs: timing.waitMs, onAbsent: absent.add })
  let set: KeySet | undefined
  let problem = 'the keys have not been fetched yet'
  let generation = 0
  let revision = 0
  let lastSuccessMs = 0
  let lastAttemptMs = 0
  let emptySinceMs: number | undefined
  let toldOf: ReadonlySet<string> = new Set()
  let failures = 0
  let fetches = 0
  let isUnderWay = false
  let nextFetch: NodeJS.Timeout | undefined
  let dueFetch: NodeJS.Timeout | undefined
  let isStopped = true

  async function fetchNow(): Promise<void> {
    if (isUnderWay) return
    isUnderWay = true
    clearTimeout(nextFetch)
    clearTimeout(dueFetch)
    dueFetch = undefined
    const number = ++fetches
    const startedMs = monotonic()
    lastAttemptMs = startedMs
    const fetched = await load()
    isUnderWay = false
    const trouble = typeof fetched === 'string' ? fetched : troubleWith(fetched)
    if (typeof fetched === 'string' || trouble !== undefined) {
      failures++
      problem = trouble ?? ''
      const result = typeof fetched !== 'string' && fetched.isEmpty ? 'empty' : 'error'
      observe.fetched(result, { keys: set?.keys.length ?? 0, problem })
      waiters.failed(problem)
    } else {
      takeOver(fetched)
      waiters.fetched(fetched, number)
    }
    if (isStopped) return
    scheduleNext(monotonic() - startedMs)
    if (waiters.size() > 0) fetchWhenDue()
  }

  /** The set that is published now, or why it cannot be had. */
  async function load(): Promise<KeySet | string> {
    try {
      return readKeySet(await parts.fetchKeySet())
    } catch (error) {
      return messageOf(error)
    }
  }

  /**
   * Why a set that was read does not count. One without any key counts where it is still so a while later: a provider that
   * restarts may publish nothing for a moment; one that goes on has withdrawn its keys.
   */
  function troubleWith({ keys, rejected, isEmpty }: KeySet): string | undefined {
    tellRejected(rejected)
    if (!isEmpty) {
      emptySinceMs = undefined
      return keys.length === 0 ? `the key set holds no usable key (${reasonsOf(rejected)})` : undefined
    }
    emptySinceMs ??= monotonic()
    if (monotonic() - emptySinceMs >= timing.emptyMs) return undefined
    return `${EMPTY}; it counts if that is still so in ${timing.emptyMs / 1000} s`
  }

  function takeOver(fetched: KeySet): void {
    if (set !== undefined && hasLostKeys(set, fetched)) generation++
    const isChanged = set === undefined || !isSameSet(set, fetched)
    if (isChanged) revision++
    set = fetched
    failures = 0
    lastSuccessMs = monotonic()
    observe.fetched(fetched.isEmpty ? 'empty' : 'ok', { keys: fetched.keys.length })
    if (isChanged) observe.changed(fetched.keys)
  }

  function tellRejected(rejected: readonly RejectedKey[]): void {
    const nameOf = ({ keyId, why }: RejectedKey) => `${keyId} ${why}`
    for (const key of rejected) if (!toldOf.has(nameOf(key))) observe.rejected(key)
    toldOf = new Set(rejected.map(nameOf))
  }

  function scheduleNext(tookMs: number): void {
    clearTimeout(nextFetch)
    nextFetch = setTimeout(fetchNow, delayMs(tookMs))
    nextFetch.unref()
  }

  function delayMs(tookMs: number): number {
    // Jitter: a fleet that started together must not ask the provider together.
    const jitter = 0.9 + Math.random() * 0.2
    const backedOffMs = timing.retryMs * 2 ** Math.min(failures - 1, 30)
    const delay = jitter * Math.min(timing.refreshMs, failures === 0 ? timing.refreshMs : backedOffMs)
    if (emptySinceMs !== undefined) return Math.min(timing.refreshMs, timing.emptyMs * (1 + Math.random() * 0.1))
    if (usable() !== undefined) return delay
    return Math.min(delay, Math.max(timing.urgentMs - tookMs, timing.retryMs))
  }

  /** Sees to it that a fetch begins for those who wait, as soon as the allowance has one. */
  function fetchWhenDue(): void {
    if (isStopped || isUnderWay || dueFetch !== undefined) return
    if (allowance.take()) void fetchNow()
    else
      dueFetch = setTimeout(() => {
        dueFetch = undefined
        if (waiters.size() > 0) fetchWhenDue()
      }, allowance.dueInMs())
  }

  function usable(): KeySet | undefined {
    return set !== undefined && monotonic() - lastSuccessMs <= timing.keepMs ? set : undefined
  }

  function served(found: readonly VerificationKey[]): FoundKeys {
    if (monotonic() - lastSuccessMs > 2 * timing.refreshMs) observe.servedOld()
    return found
  }

  function find(algorithm: string, keyId: string | undefined): FoundKeys | Promise<FoundKeys> {
    const current = usable()
    const found = current === undefined ? [] : candidates(current.keys, algorithm, keyId)
    if (found.length > 0) return served(found)
    if (current !== undefined && absent.has(algorithm, keyId)) {
      observe.unknownKeyId('cooldown')
      return unknownKey(algorithm, keyId)
    }
    if (isStopped) return refuse('keys_unavailable', { detail: problem })
    const waiting = waiters.join(algorithm, keyId, fetches)
    if (current !== undefined) observe.unknownKeyId(waiting === undefined ? 'turned_away' : 'fetched')
    if (waiting === undefined)
      return refuse('keys_unavailable', { detail: `${timing.maxWaiting} tokens wait for a fetch of the keys already` })
    fetchWhenDue()
    return waiting
  }

  return {
    find,
    keys: () => usable()?.keys ?? [],
    generation: (nowMs) => (set !== undefined && nowMs - lastSuccessMs > timing.keepMs ? OUT_OF_DATE : generation),
    doubt: () => {
      // Junk comes here too: never more than one fetch in the time that an unknown key id is remembered
      if (isStopped || isUnderWay || monotonic() - lastAttemptMs < timing.absentMs) return
      if (allowance.take()) void fetchNow()
    },
    revision: () => revision,
    missing: () => {
      const current = usable()
      if (current === undefined) return problem
      return current.keys.length === 0 ? EMPTY : undefined
    },
    size: () => set?.keys.length ?? 0,
    start: () => {
      isStopped = false
      void fetchNow()
    },
    stop: () => {
      isStopped = true
      clearTimeout(nextFetch)
      clearTimeout(dueFetch)
      waiters.failed('the gate no longer fetches these keys')
    },
  }
}
