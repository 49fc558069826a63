// What is asked of Redis: the log, the keys beside it, and what `check: redis` looks up. Every answer is bounded in time and
// size, and every error is an error: an outage must never read as "not revoked".

import { setTimeout as sleep } from 'node:timers/promises'
import type { VerifiedToken } from '../../model/decision.ts'
import type { Logger } from '../../model/logger.ts'
import { describeAddress, parseRedisUrl } from '../../redis/address.ts'
import type { Credentials } from '../../redis/client.ts'
import { type Command, createConnection, type RedisConnection } from '../../redis/connection.ts'
import { createFleetEntries, type FleetEntries } from '../../redis/entries.ts'
import { createTroubleReport } from '../../redis/error-log.ts'
import { type Probe, readReplicaLink, readSafety, type Safety } from '../../redis/eviction-check.ts'
import { createLoneMaster } from '../../redis/lone-master.ts'
import { countOf, entriesOf, entriesOfRead, millisecondsOf } from '../../redis/replies.ts'
import { redisMessageOf } from '../../redis/report.ts'
import { createRights } from '../../redis/rights.ts'
import type { PlainKey } from '../rule/plain-keys.ts'
import type { Rule } from '../rule/rule.ts'
import type { LogEntry } from './entry.ts'
import { listKeysOf } from './keys.ts'
import { rightsFor } from './redis-rights.ts'
import type { RevocationObserver } from './report.ts'
import { createRuleLookup } from './rules-from-entries.ts'
import { createLifetimes } from './token-lifetimes.ts'
import { createAppend } from './writing/append.ts'
import { trimLog } from './writing/trim.ts'

/** What the log is like, for a reader who wants to know whether it still holds what was read of it. */
export interface LogState {
  /** The entry that was asked for, where the log has it. */
  readonly anchor: LogEntry | undefined
  readonly length: number
  /** How many entries were ever trimmed because they had ended. */
  readonly trimmed: number
  /** Whether it was read from a master with fewer replicas than writes need, which may have been replaced. */
  readonly isAlone: boolean
}

/** What one round of following the log answered; the state was read after the entries. */
export interface FollowAnswer {
  readonly entries: readonly LogEntry[]
  readonly state: LogState
}

export interface RedisStore {
  /** The address, without credentials. */
  readonly description: string
  /** Connects. Rejects where the first attempt fails, but goes on trying until `close`. */
  open(): Promise<void>
  close(): Promise<void>
  isUp(): boolean
  /** What was heard last of why it is not up. */
  trouble(): string | undefined
  /** Calls back with each new connection. */
  onUp(callback: () => void): void
  /** Up to `count` entries after an id, oldest first, without waiting for new ones. */
  readLog(afterId: string, count: number): Promise<readonly LogEntry[]>
  /** What the log is like now, seen from an entry. */
  logState(anchorId: string): Promise<LogState>
  /** The same as `readLog`, but waits up to `blockMs` for the next one. */
  follow(afterId: string, blockMs: number, count: number): Promise<FollowAnswer>
  /** Whether the log, where it is written, has all these entries. */
  holds(ids: readonly string[]): Promise<boolean>
  /**
   * Writes rules in one transaction, and answers the ids of their entries. Rules for which `keepsTime` is true keep their
   * own `at`; for the others the id is their time. No id is earlier than `leastMs`.
   * Rejects where Redis did not take them, or where fewer than `minReplicas` replicas confirmed them in time.
   */
  append(rules: readonly Rule[], keepsTime: (rule: Rule) => boolean, leastMs?: number): Promise<readonly string[]>
  /** Writes entries back as they were read. */
  appendRaw(entries: readonly (readonly string[])[], leastMs?: number): Promise<readonly string[]>
  /** Which of these entries stand where the log is read; undefined where one is gone. */
  standing(ids: readonly string[]): Promise<readonly (LogEntry | undefined)[]>
  /** Drops ended entries from the head of the log, in bounded steps. Answers how many entries Redis dropped. */
  trim(): Promise<number>
  /** Every rule that names a value of this token, in one round trip; whether it matches is for the caller to judge. */
  lookup(token: VerifiedToken): Promise<readonly Rule[]>
  /** Says how long tokens live that this gate admits, and hears of the others. */
  renewLifetimes(): Promise<void>
  /** The longest lifetime of a token that any gate of this list is known to admit, in seconds. */
  longestLifetimeSeconds(): number
  /** The clock of Redis in milliseconds. */
  timeMs(): Promise<number>
  safety(): Promise<Safety>
  /** Whether look-ups ask a master with fewer replicas than writes need, asked at most once a second; only where they need any. */
  readonly isAlone: (() => Promise<boolean>) | undefined
  /** Whether what is read here comes from a replica, and whether that is in touch with its master. */
  replicaLink(): Promise<'master' | 'up' | 'down' | undefined>
  /** Tries to become the one that writes lost rules back, or to stay it. */
  claimHealing(owner: string, lifetimeMs: number): Promise<boolean>
  releaseHealing(owner: string): Promise<void>
  /** What other parts of the gate keep beside the list. */
  readonly entries: FleetEntries
}

export interface RedisStoreParts extends Credentials {
  readonly url: string
  readonly list: string
  /** How many replicas must confirm a write. */
  readonly minReplicas?: number
  /** `poll` asks every 200 ms instead of waiting in Redis, for stores that have no XREAD BLOCK. */
  readonly follow?: 'stream' | 'poll'
  /** Keys of an existing list that `lookup` honours too. */
  readonly plainKeys?: readonly PlainKey[]
  /** The longest lifetime of any issuer's tokens: the end of an entry that names none. */
  readonly maxLifetimeSeconds: () => number
  /** The largest clock tolerance of any issuer: keys outlive their rule by it. */
  readonly toleranceSeconds: () => number
  readonly observe: RevocationObserver
  readonly log: Logger
}

const commandTimeoutMs = 1000
const readTimeoutMs = 3000
// Half-open sockets: noticed at most this long after an answer was due.
const silenceMs = 2000
const pollMs = 200

/** Makes a store; throws where the URL or the name of the list cannot be used. Nothing is connected before `open`. */
export function createRedisStore(parts: RedisStoreParts): RedisStore {
  const { observe, log, minReplicas = 0 } = parts
  const address = parseRedisUrl(parts.url)
  const keys = listKeysOf(parts.list)
  const isCluster = address.form === 'cluster'
  const isPolling = parts.follow === 'poll'
  if (isCluster && minReplicas > 0) {
    throw new Error('Cannot wait for replicas on a Redis Cluster: WAIT names no key, so it may ask another node')
  }
  const upCallbacks: (() => void)[] = []
  const troubles = createTroubleReport(log, describeAddress(address))
  const rights = createRights({ rights: rightsFor(parts.list), redis: describeAddress(address), log })
  const onState = (isUp: boolean) => {
    observe.redisUp(isUp)
    if (!isUp) return
    troubles.clear()
    rights.forget()
    for (const callback of upCallbacks) callback()
  }
  const shared = { address, credentials: parts, observe, onTrouble: troubles.note }
  const commands = createConnection({ ...shared, silenceMs, onState })
  // Reads of the log have a connection of their own: a blocking one would hold up everything behind it.
  const reads = createConnection({
    ...{ ...shared, silenceMs: silenceMs + 1000 },
    onState: (isUp) => isUp && troubles.clear(),
  })

  const lifetimes = createLifetimes({
    connection: commands,
    key: keys.lifetimes,
    ownSeconds: parts.maxLifetimeSeconds,
    rights,
    timeoutMs: commandTimeoutMs,
  })
  const renewLifetimes = async () => lifetimes.renew((await timeMs()) / 1000)

  const stateCommands = (anchorId: string): Command[] => [
    ['xrange', keys.log, anchorId, anchorId, 'COUNT', 1],
    ['xlen', keys.log],
    // After the length: a trim between the two must not look like a loss.
    ['get', keys.trimmed],
  ]

  async function readLog(afterId: string, count: number): Promise<readonly LogEntry[]> {
    await reads.whenReady(commandTimeoutMs)
    const [reply] = await reads.send([['xread', 'COUNT', count, 'STREAMS', keys.log, afterId]], readTimeoutMs)
    return entriesOfRead(reply)
  }

  async function logState(anchorId: string): Promise<LogState> {
    await reads.whenReady(commandTimeoutMs)
    const session = reads.session()
    const state = await reads.sendInOrder(stateCommands(anchorId), readTimeoutMs)
    return stateOf(state, await isAlone(session))
  }

  async function follow(afterId: string, blockMs: number, count: number): Promise<FollowAnswer> {
    await reads.whenReady(commandTimeoutMs)
    if (isPolling) await sleep(Math.min(blockMs, pollMs))
    const session = reads.session()
    // The state is asked for after the wait: a flush and a new entry during the wait would hide the loss otherwise.
    const [read, ...state] = await reads.sendInOrder(
      [
        ['xread', 'COUNT', count, ...(isPolling ? [] : ['BLOCK', blockMs]), 'STREAMS', keys.log, afterId],
        ...stateCommands(afterId),
      ],
      blockMs + silenceMs,
    )
    return { entries: entriesOfRead(read), state: stateOf(state, await isAlone(session)) }
  }

  const probeOf =
    (connection: RedisConnection): Probe =>
    (name, ...rest) =>
      connection.probeAt(keys.log, [name, ...rest], commandTimeoutMs)

  const loneOf = (connection: RedisConnection) =>
    createLoneMaster({
      probe: probeOf(connection),
      minReplicas,
      redis: describeAddress(address),
      log,
    })
  const readFrom = loneOf(reads)
  const askedAt = loneOf(commands)

  // Asked after what was read: replicas that are there now were there then. Another server speaks for itself only.
  const isAlone = async (session: number) =>
    minReplicas > 0 && ((await readFrom.isAlone()) || reads.session() !== session)

  async function timeMs(): Promise<number> {
    await commands.whenReady(commandTimeoutMs)
    return millisecondsOf(await probeOf(commands)('time'))
  }

  async function claimHealing(owner: string, lifetimeMs: number): Promise<boolean> {
    if ((await sendOne(commands, ['set', keys.healing, owner, 'PX', lifetimeMs, 'NX'])) === 'OK') return true
    if ((await sendOne(commands, ['get', keys.healing])) !== owner) return false
    return (await sendOne(commands, ['set', keys.healing, owner, 'PX', lifetimeMs, 'XX'])) === 'OK'
  }

  return Object.freeze({
    description: describeAddress(address),
    open: async () => {
      try {
        await commands.open()
      } catch (error) {
        throw new Error(`Cannot reach ${describeAddress(address)}: ${redisMessageOf(error)}`)
      }
    },
    close: async () => {
      await Promise.all([commands.close(), reads.close()])
    },
    isUp: () => commands.isReady(),
    trouble: () => commands.trouble(),
    onUp: (callback) => {
      upCallbacks.push(callback)
    },
    readLog,
    logState,
    follow,
    holds: async (ids) => {
      const found = await commands.send(
        ids.map((id) => ['xrange', keys.log, id, id, 'COUNT', 1]),
        commandTimeoutMs,
      )
      return found.every((reply) => entriesOf(reply).length > 0)
    },
    ...createAppend({
      connection: commands,
      keys,
      minReplicas,
      toleranceSeconds: parts.toleranceSeconds,
      timeoutMs: commandTimeoutMs,
    }),
    standing: async (ids) => {
      await reads.whenReady(commandTimeoutMs)
      const found = await reads.send(
        ids.map((id) => ['xrange', keys.log, id, id, 'COUNT', 1]),
        readTimeoutMs,
      )
      return found.map((reply) => entriesOf(reply)[0])
    },
    trim: async () => {
      // What no gate with a longer lifetime needs any more: those are heard of first.
      await renewLifetimes()
      return trimLog({
        send: (command) => sendOne(commands, command),
        transact: (batch) => commands.transact(batch, commandTimeoutMs),
        keys,
        nowSeconds: (await timeMs()) / 1000,
        maxLifetimeSeconds: lifetimes.longest(),
        toleranceSeconds: parts.toleranceSeconds(),
      })
    },
    renewLifetimes,
    longestLifetimeSeconds: lifetimes.longest,
    lookup: createRuleLookup({
      connection: commands,
      keys,
      plainKeys: parts.plainKeys ?? [],
      rights,
      timeoutMs: commandTimeoutMs,
    }),
    timeMs,
    safety: () => readSafety(probeOf(commands)),
    isAlone: minReplicas > 0 ? askedAt.wasAloneLately : undefined,
    replicaLink: async () => {
      await reads.whenReady(commandTimeoutMs)
      return readReplicaLink(probeOf(reads))
    },
    entries: createFleetEntries({ connection: commands, keys, timeoutMs: commandTimeoutMs }),
    claimHealing,
    releaseHealing: async (owner) => {
      if ((await sendOne(commands, ['get', keys.healing])) === owner) await sendOne(commands, ['del', keys.healing])
    },
  } satisfies RedisStore)
}

async function sendOne(connection: RedisConnection, command: Command): Promise<unknown> {
  const [reply] = await connection.send([command], commandTimeoutMs)
  return reply
}

function stateOf([anchors, length, trimmed]: readonly unknown[], isAlone: boolean): LogState {
  const count = trimmed === null ? 0 : countOf(trimmed)
  return { anchor: entriesOf(anchors)[0], length: countOf(length), trimmed: count, isAlone }
}
