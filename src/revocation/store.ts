// What is asked of Redis: the log, the keys beside it, and what `check: redis` looks up. Every answer is bounded in time and
// size, and every error is an error: an outage must never read as "not revoked".
import { setTimeout as sleep } from 'node:timers/promises'
import type { VerifiedToken } from '../model/decision.ts'
import { describeAddress, parseRedisUrl } from './address.ts'
import { type Command, createConnection, messageOf, type RedisConnection } from './connection.ts'
import { encodeEntry, type LogEntry } from './entry.ts'
import { factsOf } from './facts.ts'
import { decodeMirror, encodeMirror, listKeysOf, mirrorField } from './mirror.ts'
import type { PlainKey } from './plain-keys.ts'
import type { RevocationLog, RevocationObserver } from './report.ts'
import { maxTimeSeconds, type Rule } from './rule.ts'
import { trimLog } from './trim.ts'

/** What one round of following the log answered. */
export interface FollowAnswer {
  readonly entries: readonly LogEntry[]
  /** Whether the entry after which was read is still in the log; where not, the log has lost what we had. */
  readonly isAnchored: boolean
}

export interface RedisStore {
  /** The address, without credentials. */
  readonly description: string
  /** Connects. Rejects where the first attempt fails, but goes on trying until `close`. */
  open(): Promise<void>
  close(): Promise<void>
  isUp(): boolean
  /** Up to `count` entries after an id, oldest first, without waiting for new ones. */
  readLog(afterId: string, count: number): Promise<readonly LogEntry[]>
  /** The same, but waits up to `blockMs` for the next one. */
  follow(afterId: string, blockMs: number, count: number): Promise<FollowAnswer>
  /**
   * Writes rules in one transaction, and answers the ids of their entries. Rules for which `keepsTime` is true keep their
   * own `at`; for the others the id is their time.
   * Rejects where Redis did not take them, or where fewer than `minReplicas` replicas confirmed them in time.
   */
  append(rules: readonly Rule[], keepsTime: (rule: Rule) => boolean): Promise<readonly string[]>
  /** Drops ended entries from the head of the log, in bounded steps. Answers how many entries Redis dropped. */
  trim(nowSeconds: number): Promise<number>
  /** Every rule that names a value of this token, in one round trip; whether it matches is for the caller to judge. */
  lookup(token: VerifiedToken): Promise<readonly Rule[]>
  /** The clock of Redis in milliseconds. */
  timeMs(): Promise<number>
  /** Whether Redis may evict rules; undefined where it does not tell. */
  evictionUnsafe(): Promise<boolean | undefined>
  /** Tries to become the one that writes lost rules back. */
  claimHealing(owner: string, lifetimeMs: number): Promise<boolean>
  releaseHealing(owner: string): Promise<void>
}

export interface RedisStoreParts {
  readonly url: string
  readonly list: string
  /** Beats the password in the URL. */
  readonly password?: string | undefined
  /** How many replicas must confirm a write. */
  readonly minReplicas?: number
  /** `poll` asks every 200 ms instead of waiting in Redis, for stores that have no XREAD BLOCK. */
  readonly follow?: 'stream' | 'poll'
  /** Keys of an existing list that `lookup` honours too. */
  readonly plainKeys?: readonly PlainKey[]
  /** The longest lifetime of any issuer's tokens: the end of an entry that names none. */
  readonly maxLifetimeSeconds: number
  /** The largest clock tolerance of any issuer: keys outlive their rule by it. */
  readonly toleranceSeconds: number
  readonly observe: RevocationObserver
  readonly log: RevocationLog
}

const commandTimeoutMs = 1000
const readTimeoutMs = 3000
// Half-open sockets: noticed at most this long after an answer was due.
const silenceMs = 2000
const replicationTimeoutMs = 500
const pollMs = 200

/** Makes a store; throws where the URL or the name of the list cannot be used. Nothing is connected before `open`. */
export function createRedisStore(parts: RedisStoreParts): RedisStore {
  const { observe, log, minReplicas = 0, plainKeys = [] } = parts
  const address = parseRedisUrl(parts.url)
  const keys = listKeysOf(parts.list)
  const isCluster = address.form === 'cluster'
  const isPolling = parts.follow === 'poll'
  if (isCluster && minReplicas > 0) {
    throw new Error('Cannot wait for replicas on a Redis Cluster: WAIT names no key, so it may ask another node')
  }
  const shared = { address, password: parts.password, observe, log }
  const commands = createConnection({ ...shared, silenceMs, onState: observe.redisUp })
  // Reads of the log have a connection of their own: a blocking one would hold up everything behind it.
  const reads = createConnection({ ...shared, silenceMs: silenceMs + 1000 })

  async function readLog(afterId: string, count: number): Promise<readonly LogEntry[]> {
    await reads.whenReady(commandTimeoutMs)
    const [reply] = await reads.send([['xread', 'COUNT', count, 'STREAMS', keys.log, afterId]], readTimeoutMs)
    return entriesOfRead(reply)
  }

  async function follow(afterId: string, blockMs: number, count: number): Promise<FollowAnswer> {
    await reads.whenReady(commandTimeoutMs)
    if (isPolling) await sleep(Math.min(blockMs, pollMs))
    // The anchor is looked for after the wait: a flush and a new entry during the wait would hide the loss otherwise.
    const [read, anchor] = await reads.send(
      [
        ['xread', 'COUNT', count, ...(isPolling ? [] : ['BLOCK', blockMs]), 'STREAMS', keys.log, afterId],
        ['xrange', keys.log, afterId, afterId, 'COUNT', 1],
      ],
      blockMs + silenceMs,
    )
    return { entries: entriesOfRead(read), isAnchored: Array.isArray(anchor) && anchor.length > 0 }
  }

  async function append(rules: readonly Rule[], keepsTime: (rule: Rule) => boolean): Promise<readonly string[]> {
    if (rules.length === 0) return []
    await commands.whenReady(commandTimeoutMs)
    const batch: Command[] = rules.map((rule) => [
      'xadd',
      keys.log,
      '*',
      ...encodeEntry(rule, { keepsTime: keepsTime(rule) }),
    ])
    for (const rule of rules) batch.push(...mirrorCommands(rule))
    const replies = await commands.transact(batch, commandTimeoutMs + rules.length)
    await confirmReplicas()
    return replies.slice(0, rules.length).map(String)
  }

  function mirrorCommands(rule: Rule): Command[] {
    const key = keys.rule(rule.kind, rule.value)
    if (rule.lifted) return [['hdel', key, mirrorField(rule)]]
    const endSeconds = Math.ceil(rule.expiresAtSeconds + parts.toleranceSeconds)
    return [
      ['hset', key, mirrorField(rule), encodeMirror(rule)],
      // Never shortened: another issuer's field in the same hash may have to live longer. GT alone leaves a new key without
      // a TTL as it is.
      ['expireat', key, endSeconds, 'NX'],
      ['expireat', key, endSeconds, 'GT'],
    ]
  }

  async function confirmReplicas(): Promise<void> {
    if (minReplicas <= 0) return
    const [confirmed] = await commands.send([['wait', minReplicas, replicationTimeoutMs]], commandTimeoutMs)
    if (Number(confirmed) >= minReplicas) return
    throw new Error(
      `Cannot confirm the revocation: it is written, but on ${Number(confirmed)} instead of ${minReplicas} replicas`,
    )
  }

  async function lookup(token: VerifiedToken): Promise<readonly Rule[]> {
    const facts = factsOf(token)
    const issuers = ['', token.claims.iss]
    const named = plainKeys.map((plainKey) => plainKey(token)).filter((key) => key !== undefined)
    const hashes: Command[] = facts.map(({ kind, value }) => ['hmget', keys.rule(kind, value), ...issuers])
    const exists: Command[] = named.map((key) => ['exists', key])
    const replies = await sendLookup(commands, hashes, exists, isCluster)
    const found: Rule[] = []
    for (const [index, { kind, value }] of facts.entries()) {
      const fields = replies[index]
      if (!Array.isArray(fields)) throw new Error('Cannot read a rule from Redis: the answer is not a list of fields')
      for (const [position, text] of fields.entries()) {
        if (typeof text !== 'string') continue
        found.push(decodeMirror({ kind, value, issuer: position === 0 ? undefined : issuers[position] }, text))
      }
    }
    const isNamed = replies.slice(facts.length).some((count) => Number(count) > 0)
    return isNamed ? [...found, plainKeyRule(token)] : found
  }

  return Object.freeze({
    description: describeAddress(address),
    open: async () => {
      try {
        await commands.open()
      } catch (error) {
        throw new Error(`Cannot reach ${describeAddress(address)}: ${messageOf(error)}`)
      }
    },
    close: async () => {
      await Promise.all([commands.close(), reads.close()])
    },
    isUp: () => commands.isReady(),
    readLog,
    follow,
    append,
    trim: (nowSeconds) =>
      trimLog({ send: (command) => sendOne(commands, command), entriesOf, logKey: keys.log, nowSeconds, ...parts }),
    lookup,
    timeMs: async () => {
      const reply = await sendOne(commands, ['time'])
      if (!Array.isArray(reply)) throw new Error('Cannot read the clock of Redis: the answer is not a pair')
      return Number(reply[0]) * 1000 + Number(reply[1]) / 1000
    },
    evictionUnsafe: () => evictionUnsafe(commands),
    claimHealing: async (owner, lifetimeMs) =>
      (await sendOne(commands, ['set', keys.healing, owner, 'PX', lifetimeMs, 'NX'])) === 'OK',
    releaseHealing: async (owner) => {
      if ((await sendOne(commands, ['get', keys.healing])) === owner) await sendOne(commands, ['del', keys.healing])
    },
  } satisfies RedisStore)
}

async function sendOne(connection: RedisConnection, command: Command): Promise<unknown> {
  const [reply] = await connection.send([command], commandTimeoutMs)
  return reply
}

// The keys of a list share a slot, foreign keys do not: in a Cluster each goes to its own node.
async function sendLookup(
  connection: RedisConnection,
  hashes: readonly Command[],
  exists: readonly Command[],
  isCluster: boolean,
): Promise<readonly unknown[]> {
  if (!isCluster || exists.length === 0) return connection.send([...hashes, ...exists], commandTimeoutMs)
  const parts = [hashes, ...exists.map((command) => [command])]
  return (await Promise.all(parts.map((batch) => connection.send(batch, commandTimeoutMs)))).flat()
}

async function evictionUnsafe(connection: RedisConnection): Promise<boolean | undefined> {
  try {
    const text = String(await sendOne(connection, ['info', 'memory']))
    const policy = /^maxmemory_policy:(\S+)/m.exec(text)?.[1]
    const maxMemory = /^maxmemory:(\d+)/m.exec(text)?.[1]
    if (policy === undefined || maxMemory === undefined) return undefined
    return policy !== 'noeviction' && maxMemory !== '0'
  } catch {
    return undefined
  }
}

function plainKeyRule(token: VerifiedToken): Rule {
  return {
    kind: 'token',
    value: token.id,
    expiresAtSeconds: maxTimeSeconds,
    reason: 'plain key',
    atMs: 0,
    lifted: false,
  }
}

// XREAD answers nothing, or one stream with its entries.
function entriesOfRead(reply: unknown): readonly LogEntry[] {
  if (reply === null || reply === undefined) return []
  const stream: unknown = Array.isArray(reply) ? reply[0] : undefined
  return entriesOf(Array.isArray(stream) ? stream[1] : undefined)
}

// Reads the entries of an XRANGE or XREAD reply; throws where it is something else.
function entriesOf(reply: unknown): readonly LogEntry[] {
  if (!Array.isArray(reply)) throw new Error('Cannot read the log: the answer is not a list of entries')
  return reply.map((entry: unknown) => {
    const [id, fields] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof id !== 'string') throw new Error('Cannot read the log: an entry has no id')
    return { id, fields: Array.isArray(fields) ? fields.map(String) : [] }
  })
}
