// Keys that an identity provider publishes: fetched ahead of need, once for all who wait, never more often than the
// cooldown allows, and kept when the provider fails. A flood of unknown key ids costs one fetch per cooldown.
import type { Clock } from '../model/clock.ts'
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import { type KeySet, readKeySet, type VerificationKey } from './key-set.ts'
import { choose, type FoundKeys, type KeySource } from './keys.ts'

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
  /** Between two fetches for unknown key ids, whatever their result. Default 30 s. */
  readonly cooldownMs: number
  /** Between two fetches ahead of need, give or take a tenth. Default 10 min. */
  readonly refreshMs: number
  /** After a failure, doubled up to `refreshMs`. Default 1 s. */
  readonly retryMs: number
  /** How long the last good set serves while the provider fails. Default 24 h. */
  readonly keepMs: number
}

export interface RemoteKeysObserver {
  fetched(result: 'ok' | 'error', detail: { readonly keys: number; readonly problem?: string }): void
  rejected(keyId: string | undefined, why: string): void
  unknownKeyId(action: 'fetched' | 'cooldown'): void
  /** Told of each token that is judged by keys which two fetches ahead of need in a row should have renewed. */
  servedOld(): void
}

const defaults: RemoteKeysTiming = {
  cooldownMs: 30_000,
  refreshMs: 600_000,
  retryMs: 1_000,
  keepMs: 24 * 3_600_000,
}

/** Makes a source of keys that are fetched. Nothing is fetched before `start`. */
export function createRemoteKeys(parts: RemoteKeysParts): KeySource {
  const { monotonic, observe } = parts
  const timing = { ...defaults, ...parts.timing }
  let set: KeySet | undefined
  let problem = 'the keys have not been fetched yet'
  let generation = 0
  let revision = 0
  let lastSuccessMs = 0
  let lastUnknownFetchMs = Number.NEGATIVE_INFINITY
  let failures = 0
  let underWay: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = true

  function fetchOnce(): Promise<void> {
    underWay ??= load().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  async function load(): Promise<void> {
    try {
      const fetched = readKeySet(await parts.fetchKeySet())
      for (const key of fetched.rejected) observe.rejected(key.keyId, key.why)
      if (fetched.keys.length === 0) throw new Error('the key set holds no usable key')
      if (set !== undefined && hasLostKeys(set, fetched)) generation++
      if (set === undefined || !isSame(set, fetched)) revision++
      set = fetched
      failures = 0
      lastSuccessMs = monotonic()
      observe.fetched('ok', { keys: fetched.keys.length })
    } catch (error) {
      failures++
      problem = error instanceof Error ? error.message : String(error)
      observe.fetched('error', { keys: set?.keys.length ?? 0, problem })
    }
    scheduleNext()
  }

  function scheduleNext(): void {
    if (stopped) return
    clearTimeout(timer)
    const delayMs = failures === 0 ? timing.refreshMs : Math.min(timing.retryMs * 2 ** (failures - 1), timing.refreshMs)
    // Jitter: a fleet that started together must not ask the provider together.
    timer = setTimeout(fetchOnce, delayMs * (0.9 + Math.random() * 0.2))
    timer.unref()
  }

  function usable(): KeySet | undefined {
    return set !== undefined && monotonic() - lastSuccessMs <= timing.keepMs ? set : undefined
  }

  function unavailable(): FoundKeys {
    return refuse('keys_unavailable', { detail: problem })
  }

  async function findAfterFetch(algorithm: string, keyId: string | undefined): Promise<FoundKeys> {
    await fetchOnce()
    const current = usable()
    if (current === undefined) return unavailable()
    const found = choose(current, algorithm, keyId)
    return isRefusal(found) ? orUnavailable(found) : served(found)
  }

  function served(found: FoundKeys): FoundKeys {
    if (monotonic() - lastSuccessMs > 2 * timing.refreshMs) observe.servedOld()
    return found
  }

  /** While the provider fails nobody knows which keys it has by now: not finding one is no verdict on the token. */
  function orUnavailable(found: Refusal): FoundKeys {
    if (failures === 0) return found
    return refuse('keys_unavailable', { detail: `${found.detail}, and new ones cannot be fetched: ${problem}` })
  }

  function find(algorithm: string, keyId: string | undefined): FoundKeys | Promise<FoundKeys> {
    const current = usable()
    if (current === undefined) return underWay === undefined ? unavailable() : findAfterFetch(algorithm, keyId)
    const found = choose(current, algorithm, keyId)
    if (!isRefusal(found)) return served(found)
    // Perhaps a key that was added since the last fetch. Whoever comes while one is under way waits for it as well, or
    // of all the first requests with a new key only one would be served.
    if (underWay !== undefined) {
      observe.unknownKeyId('fetched')
      return findAfterFetch(algorithm, keyId)
    }
    // The cooldown counts from the attempt, so that a failing provider
    // is not asked more often than a healthy one.
    if (monotonic() - lastUnknownFetchMs < timing.cooldownMs) {
      observe.unknownKeyId('cooldown')
      return orUnavailable(found)
    }
    lastUnknownFetchMs = monotonic()
    observe.unknownKeyId('fetched')
    return findAfterFetch(algorithm, keyId)
  }

  return {
    find,
    generation: () => generation,
    revision: () => revision,
    missing: () => (usable() === undefined ? problem : undefined),
    size: () => set?.keys.length ?? 0,
    start: () => {
      stopped = false
      void fetchOnce()
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

/** True where a key of the old set is not in the new one as it was: tokens verified with it must be verified again. */
function hasLostKeys(before: KeySet, after: KeySet): boolean {
  return before.keys.some((old) => !after.keys.some((key) => serves(key, old)))
}

/** True where the same keys are tried for every token, and in the same order. */
function isSame(before: KeySet, after: KeySet): boolean {
  return (
    before.keys.length === after.keys.length &&
    before.keys.every((old, index) => {
      const key = after.keys[index]
      return key !== undefined && serves(key, old) && serves(old, key)
    })
  )
}

/** True where everything that the old key verified is verified by this one. */
function serves(key: VerificationKey, old: VerificationKey): boolean {
  return (
    key.keyId === old.keyId &&
    key.key.equals(old.key) &&
    old.algorithms.every((algorithm) => key.algorithms.includes(algorithm))
  )
}
