// A log and gates without sockets: the real list, intake, ledger, healer and writer over a stream that gives ids as Redis does, and
// that can lose its end, or all of it, to a server whose clock is behind.

import { createList, type RuleList } from '../../src/revocation/compact-list/list.ts'
import { compareIds, encodeEntry, LOG_START, type LogEntry, valueOfEntry } from '../../src/revocation/log/entry.ts'
import { type AfterLoss, createAfterLoss } from '../../src/revocation/log/reading/after-loss.ts'
import { createHeadWatch } from '../../src/revocation/log/reading/head-watch.ts'
import { createIntake } from '../../src/revocation/log/reading/intake.ts'
import { createLedger } from '../../src/revocation/log/reading/ledger.ts'
import { createNotUnderstood } from '../../src/revocation/log/reading/unknown-entries.ts'
import { silentLog, silentObserver } from '../../src/revocation/log/report.ts'
import type { RedisStore } from '../../src/revocation/log/store.ts'
import { createExplicitEnds } from '../../src/revocation/log/writing/explicit-ends.ts'
import { createHealer } from '../../src/revocation/log/writing/healer.ts'
import { appendStamped, liftBy } from '../../src/revocation/log/writing/write.ts'
import type { Rule } from '../../src/revocation/rule/rule.ts'

export interface ModelLog {
  readonly entries: readonly LogEntry[]
  /** XADD of any program, with an id as Redis gives it. */
  add(fields: readonly string[], leastMs?: number): string
  /** Time goes on. */
  pass(ms: number): void
  /** Another server answers, with the first entries that there were, and a clock that is off by so much. */
  loseAllBut(kept: number, clockOffMs: number): void
  nowMs(): number
}

export function createModelLog(startMs: number): ModelLog {
  let entries: LogEntry[] = []
  let clockMs = startMs
  let top = LOG_START
  return {
    get entries() {
      return entries
    },
    add: (fields, leastMs) => {
      const [topMs = 0, topSequence = 0] = top.split('-').map(Number)
      const wantedMs = leastMs === undefined || leastMs < topMs ? clockMs : leastMs
      const id = wantedMs > topMs ? `${wantedMs}-0` : `${topMs}-${topSequence + 1}`
      entries.push({ id, fields })
      top = id
      return id
    },
    pass: (ms) => {
      clockMs += ms
    },
    loseAllBut: (kept, clockOffMs) => {
      entries = entries.slice(0, kept)
      top = entries.at(-1)?.id ?? LOG_START
      clockMs += clockOffMs
    },
    nowMs: () => clockMs,
  }
}

export interface ModelGate {
  readonly list: RuleList
  /** Reads what is new, all of it where the log has lost entries. */
  follow(): Promise<void>
  heal(): Promise<void>
  write(rule: Rule): Promise<void>
  lift(rule: Rule): Promise<void>
}

export function createModelGate(log: ModelLog, clock: () => number): ModelGate {
  const list = createList()
  const ledger = createLedger()
  const after = (id: string) => log.entries.filter((entry) => compareIds(entry.id, id) > 0)
  const store = {
    readLog: async (id, count) => after(id).slice(0, count),
    timeMs: async () => log.nowMs(),
    standing: async (ids) => ids.map((id) => log.entries.find((entry) => entry.id === id)),
    append: async (rules, keepsTime, leastMs) =>
      rules.map((rule, at) =>
        log.add(encodeEntry(rule, { keepsTime: keepsTime(rule) }), at === 0 ? leastMs : undefined),
      ),
    claimHealing: async () => true,
    releaseHealing: async () => {},
    renewLifetimes: async () => {},
    longestLifetimeSeconds: () => 86_400,
  } satisfies Partial<RedisStore>
  const afterLoss: AfterLoss = createAfterLoss({ store, list })
  const shared = {
    list,
    clock,
    longestLifetimeSeconds: () => 86_400,
    headWatch: createHeadWatch(),
    toleranceSeconds: () => 0,
    observe: silentObserver,
    log: silentLog,
  }
  const append = async (rules: readonly Rule[]) => {
    const fromMs = await afterLoss.healFromMs()
    await ledger.track(async () => ({
      ids: await store.append(rules, () => true, fromMs),
      values: rules.map((rule) => rule.value),
    }))
  }
  const notUnderstood = createNotUnderstood(shared)
  const kept = { missingEntries: notUnderstood.missing, appendEntries: async () => {} }
  const healer = createHealer({ ...shared, ...kept, store, append })
  const explicitEnds = createExplicitEnds({
    ...shared,
    store,
    appendEntries: async (entries) => {
      await ledger.track(async () => ({
        ids: entries.map((fields) => log.add([...fields])),
        values: entries.map(valueOfEntry),
      }))
    },
  })
  const server = { isClockKnown: () => false, clockOffsetMs: () => 0 } as never
  const complaints = { note: () => {}, tell: () => {} }
  const intake = createIntake({
    ...shared,
    notUnderstood,
    ledger,
    afterLoss,
    healer,
    explicitEnds,
    server,
    complaints,
    redis: 'model',
  })
  let hasRead = false

  const state = (id: string) => ({
    anchor: log.entries.find((entry) => entry.id === id),
    length: log.entries.length,
    trimmed: 0,
  })

  async function readInFull(): Promise<void> {
    if (hasRead) await afterLoss.begin()
    ledger.begin(state(LOG_START))
    if (hasRead) healer.begin()
    hasRead = true
    intake.take(log.entries, false)
  }

  async function follow(): Promise<void> {
    if (!hasRead || ledger.lossIn(state(ledger.position())) !== undefined) return readInFull()
    intake.take(after(ledger.position()), true)
    if (ledger.lossIn(state(ledger.position())) !== undefined || ledger.excessIn(state(ledger.position())) > 0)
      return readInFull()
    const isGone = (id: string) => !log.entries.some((entry) => entry.id === id)
    if (ledger.awaited().some(isGone)) await readInFull()
  }

  const write = async (rules: readonly Rule[]) => {
    const { rules: written } = await ledger.track(() => appendStamped(store, rules, list.find))
    for (const rule of written) list.apply(rule)
  }

  return {
    list,
    follow,
    heal: async () => {
      if (healer.isPending()) await healer.attempt(follow)
      else if (explicitEnds.isPending()) await explicitEnds.attempt(follow)
    },
    write: (rule) => write([rule]),
    lift: async (rule) => {
      await liftBy(list.findAll(rule), write, { nowSeconds: clock() / 1000, actor: rule.actor })
    },
  }
}
