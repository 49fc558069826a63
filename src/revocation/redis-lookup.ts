// Is this token revoked, by one look-up in Redis for every request (`check: redis`)? An error, a time-out or an open breaker
// is "stale", never "not revoked".
import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import { createBreaker } from './breaker.ts'
import { decodeEntry, logStart } from './entry.ts'
import { matches } from './facts.ts'
import type { Feed } from './feed.ts'
import { createList, type RuleList } from './list.ts'
import type { RevocationLog, RevocationObserver } from './report.ts'
import {
  appendStamped,
  clear,
  clearDegraded,
  createChores,
  liftBy,
  type Revocations,
  rulesInForce,
  type Verdict,
  type WhenStale,
} from './revocations.ts'
import type { Rule } from './rule.ts'
import type { RedisStore } from './store.ts'

export interface RedisLookupParts {
  readonly store: RedisStore
  readonly clock: Clock
  readonly whenStale: WhenStale
  readonly maxLifetimeSeconds: number
  readonly toleranceSeconds: number
  /** How long a request may wait for Redis. */
  readonly timeoutMs?: number
  /**
   * A local copy of the log beside the look-ups. It enforces what was added to the log by XADD alone, and announces rules to
   * `onChange`, so that open connections end.
   */
  readonly copy?: { readonly feed: Feed; readonly list: RuleList }
  readonly observe: RevocationObserver
  readonly log: RevocationLog
}

const pageSize = 1000

/** Judges by asking Redis each time. */
export function createRedisLookup(parts: RedisLookupParts): Revocations {
  const { clock, copy, store, timeoutMs = 50, toleranceSeconds } = parts
  const breaker = createBreaker({ clock, maxInFlight: 1000, failuresToOpen: 5, openForMs: 1000 })
  const chores = createChores(parts)
  const callbacks: ((rule: Rule) => void)[] = []
  let answeredMs = 0
  let wasUp = false
  copy?.feed.onApplied((rule) => {
    for (const callback of callbacks) callback(rule)
  })

  const ageMs = () => (answeredMs === 0 ? Number.POSITIVE_INFINITY : Math.abs(clock() - answeredMs))

  function unknown(): Verdict {
    return parts.whenStale === 'allow' ? clearDegraded : { state: 'stale', ageMs: ageMs() }
  }

  function judge(rules: readonly Rule[], token: VerifiedToken): Verdict {
    const nowMs = clock()
    answeredMs = nowMs
    const rule = rules.find((candidate) => matches(candidate, token, nowMs / 1000, toleranceSeconds))
    return rule === undefined ? clear : { state: 'revoked', rule }
  }

  function check(token: VerifiedToken): Verdict | Promise<Verdict> {
    const known = copy?.list.check(token, clock() / 1000)
    if (known !== undefined) return { state: 'revoked', rule: known }
    return lookUp(token)
  }

  function lookUp(token: VerifiedToken): Promise<Verdict> {
    if (!breaker.enter()) return Promise.resolve(unknown())
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        breaker.fail()
        parts.observe.redisFailed('timeout')
        resolve(unknown())
      }, timeoutMs)
      // The place in flight is held until Redis or its client really answers, so that late answers cannot pile up.
      store
        .lookup(token)
        .then(
          (rules) => {
            breaker.succeed()
            resolve(judge(rules, token))
          },
          () => {
            breaker.fail()
            resolve(unknown())
          },
        )
        .finally(() => {
          clearTimeout(timer)
          breaker.leave()
        })
    })
  }

  async function readList(): Promise<RuleList> {
    const list = createList({ toleranceSeconds })
    const farSeconds = clock() / 1000 + parts.maxLifetimeSeconds
    for (let position = logStart; ; ) {
      const entries = await store.readLog(position, pageSize)
      for (const { id, fields } of entries) {
        const rule = decodeEntry(id, fields, farSeconds)
        if (rule !== undefined) list.apply(rule)
        position = id
      }
      if (entries.length < pageSize) return list
    }
  }

  async function write(rules: readonly Rule[], known?: Rule): Promise<readonly Rule[]> {
    const written = await appendStamped(store, rules, () => known, clock())
    chores.afterWrite()
    return written
  }

  return Object.freeze({
    check,
    write: (rules) => write(rules),
    list: async () => rulesInForce(await readList(), clock() / 1000),
    lift: async (kind, value, issuer) => {
      const known = (await readList()).find({ kind, value, issuer })
      return liftBy(known, (rules) => write(rules, known), clock() / 1000)
    },
    readiness: () => {
      wasUp ||= store.isUp()
      return wasUp
        ? { ready: true, detail: 'revocations are looked up in Redis' }
        : { ready: false, detail: 'Redis was not reached yet' }
    },
    start: () => {
      store.open().catch(() => {})
      copy?.feed.start()
      chores.start()
    },
    stop: async () => {
      chores.stop()
      const ended = copy?.feed.stop()
      await store.close()
      await ended
    },
    ageMs,
    holdings: () => ({ rules: (kind) => copy?.list.size(kind) ?? 0, memoryBytes: copy?.list.memoryBytes() ?? 0 }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}
