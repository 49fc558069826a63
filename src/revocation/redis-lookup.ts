// Is this token revoked, by one look-up in Redis for every request (`check: redis`)? An error, a time-out or an open breaker
// is "stale", never "not revoked".

import type { Clock } from '../model/clock.ts'
import type { VerifiedToken } from '../model/decision.ts'
import type { Logger } from '../model/logger.ts'
import { afterPatience } from '../outbound-http/stall-tolerant-timer.ts'
import { createBreaker } from '../redis/breaker.ts'
import type { RuleList } from './compact-list/list.ts'
import type { WhenStale } from './freshness.ts'
import { createFreshness } from './freshness.ts'
import type { Feed } from './log/reading/feed.ts'
import { createLogReader } from './log/reading/reader.ts'
import type { RevocationObserver } from './log/report.ts'
import type { RedisStore } from './log/store.ts'
import { appendStamped, liftBy } from './log/writing/write.ts'
import { createChores } from './maintenance.ts'
import { clear, clearDegraded, type Revocations, rulesInForce, type Verdict } from './revocations.ts'
import type { Rule, WrittenRule } from './rule/rule.ts'
import { matches } from './rule/token-facts.ts'

export interface RedisLookupParts {
  readonly store: RedisStore
  readonly clock: Clock
  /** Milliseconds that only move forward: for ages. */
  readonly monotonic: Clock
  readonly whenStale: WhenStale
  readonly maxLifetimeSeconds: () => number
  readonly toleranceSeconds: () => number
  /** How long a request may wait for Redis. */
  readonly timeoutMs?: number
  /**
   * A local copy of the log beside the look-ups. It enforces what was added to the log by XADD alone, and announces rules to
   * `onChange`, so that open connections end. Where it is older than `maxStalenessMs`, a rule that stands in
   * the log alone would be missed: then nothing is clear.
   */
  readonly copy?: { readonly feed: Feed; readonly list: RuleList; readonly maxStalenessMs: number }
  readonly observe: RevocationObserver
  readonly log: Logger
}

/** Judges by asking Redis each time. */
export function createRedisLookup(parts: RedisLookupParts): Revocations {
  const { clock, copy, monotonic, store, timeoutMs = 50, toleranceSeconds } = parts
  const breaker = createBreaker({ clock, maxInFlight: 1000, failuresToOpen: 5, openForMs: 1000 })
  const chores = createChores({ ...parts, isFollowing: copy !== undefined })
  const freshness = copy === undefined ? undefined : createFreshness({ ...parts, ...copy })
  const callbacks: ((rule: Rule) => void)[] = []
  let answeredMs: number | undefined
  let wasUp = false
  const announce = (rule: Rule) => {
    for (const callback of callbacks) callback(rule)
  }
  copy?.feed.onApplied(announce)

  const ageMs = () => (answeredMs === undefined ? Number.POSITIVE_INFINITY : monotonic() - answeredMs)

  function unknown(): Verdict {
    return parts.whenStale === 'allow' ? clearDegraded : { state: 'stale', ageMs: ageMs() }
  }

  function judge(rules: readonly Rule[], isAlone: boolean, token: VerifiedToken): Verdict {
    if (!isAlone) answeredMs = monotonic()
    const nowSeconds = clock() / 1000
    const rule = rules.find((candidate) => matches(candidate, token, nowSeconds, toleranceSeconds()))
    if (rule !== undefined) return { state: 'revoked', rule }
    return !isAlone && (freshness === undefined || freshness.isFresh()) ? clear : unknown()
  }

  function check(token: VerifiedToken): Verdict | Promise<Verdict> {
    const known = copy?.list.check(token, clock() / 1000)
    if (known !== undefined) return { state: 'revoked', rule: known }
    return lookUp(token)
  }

  async function ask(token: VerifiedToken): Promise<Verdict> {
    const found = store.lookup(token)
    if (store.isAlone === undefined) return judge(await found, false, token)
    const [rules, isAlone] = await Promise.all([found, store.isAlone()])
    return judge(rules, isAlone, token)
  }

  function lookUp(token: VerifiedToken): Promise<Verdict> {
    if (!breaker.enter()) return Promise.resolve(unknown())
    return new Promise((resolve) => {
      const callOff = afterPatience(timeoutMs, () => {
        breaker.fail()
        parts.observe.redisFailed('timeout')
        resolve(unknown())
      })
      // The place in flight is held until Redis or its client really answers, so that late answers cannot pile up.
      ask(token)
        .then(
          (verdict) => {
            breaker.succeed()
            resolve(verdict)
          },
          () => {
            breaker.fail()
            resolve(unknown())
          },
        )
        .finally(() => {
          callOff()
          breaker.leave()
        })
    })
  }

  // Without a copy the rules that are known are those of the log: a rule must count over whatever is there, also where that
  // has a later time than now. Of a million entries all would take seconds, and a revocation is in a hurry.
  const recent = createLogReader(parts, true)
  const readList = () => createLogReader(parts).read()

  async function write(rules: readonly Rule[], known?: RuleList): Promise<readonly WrittenRule[]> {
    const { find } = known ?? copy?.list ?? (await recent.read())
    const append = () => appendStamped(store, rules, find)
    const written = await (copy === undefined ? append() : copy.feed.track(append))
    for (const rule of written.rules) if (copy?.list.apply(rule)) announce(rule)
    // A command line does not trim: it does not know how long the tokens of every gate live.
    if (copy !== undefined) chores.afterWrite()
    return written.rules
  }

  function readiness(): { ready: boolean; detail: string } {
    wasUp ||= store.isUp()
    if (!wasUp) {
      const why = store.trouble()
      return { ready: false, detail: `Redis was not reached yet${why === undefined ? '' : `: ${why}`}` }
    }
    const detail = [
      'revocations are looked up in Redis',
      freshness?.describe(),
      ...chores.warnings(),
      ...(copy?.feed.warnings() ?? []),
    ]
    return { ready: copy?.feed.hasReadInFull() ?? true, detail: detail.filter((text) => text !== undefined).join('; ') }
  }

  return Object.freeze({
    check,
    isKnownRevoked: (token) => copy?.list.check(token, clock() / 1000) !== undefined,
    write: (rules) => write(rules),
    list: async () => rulesInForce(await readList(), clock() / 1000),
    lift: async (kind, value, issuer, actor) => {
      const known = await readList()
      const copies = known.findAll({ kind, value, issuer })
      return liftBy(copies, (rules) => write(rules, known), { nowSeconds: clock() / 1000, actor })
    },
    timeMs: () => store.timeMs().catch(clock),
    readiness,
    start: () => {
      store.open().catch(() => {})
      copy?.feed.start()
      chores.start()
      freshness?.start()
    },
    stop: async () => {
      chores.stop()
      freshness?.stop()
      const ended = copy?.feed.stop()
      await store.close()
      await ended
    },
    holdings: () => ({ rules: (kind) => copy?.list.size(kind) ?? 0, memoryBytes: copy?.list.memoryBytes() ?? 0 }),
    onChange: (callback) => {
      callbacks.push(callback)
    },
  } satisfies Revocations)
}
