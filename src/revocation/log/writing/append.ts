// How do rules get into Redis? All of a batch in one transaction, unless a slot moves: an entry of the log and the key that `check: redis` reads.
// Must never say yes to what is not certain.
import type { Command, RedisConnection } from '../../../redis/connection.ts'
import { countOf, entriesOf } from '../../../redis/replies.ts'
import { redisMessageOf } from '../../../redis/report.ts'
import { createSteadyWrite } from '../../../redis/slot-moves.ts'
import type { Rule } from '../../rule/rule.ts'
import { encodeEntry } from '../entry.ts'
import { encodeMirror, type ListKeys, mirrorField } from '../keys.ts'
import { CLOCK_MARGIN_SECONDS } from './trim.ts'

export interface AppendParts {
  readonly connection: RedisConnection
  readonly keys: ListKeys
  readonly minReplicas: number
  readonly toleranceSeconds: () => number
  readonly timeoutMs: number
}

const REPLICATION_TIMEOUT_MS = 500

/** Makes what writes entries and answers their ids; it rejects where that is not certain. */
export function createAppend(parts: AppendParts) {
  const { connection, keys, minReplicas, timeoutMs } = parts
  const writeSteadily = createSteadyWrite(connection)

  async function append(
    rules: readonly Rule[],
    keepsTime: (rule: Rule) => boolean,
    leastMs?: number,
  ): Promise<readonly string[]> {
    if (rules.length === 0) return []
    await connection.whenReady(timeoutMs)
    const session = connection.session()
    const entries = rules.map((rule) => encodeEntry(rule, { keepsTime: keepsTime(rule) }))
    const ids = await writeFrom(leastMs, entries, rules.flatMap(mirrorCommands))
    if (minReplicas > 0) await confirmReplicas(session)
    return ids
  }

  /** Entries as they are, for what this version cannot read. */
  async function appendRaw(entries: readonly (readonly string[])[], leastMs?: number): Promise<readonly string[]> {
    if (entries.length === 0) return []
    await connection.whenReady(timeoutMs)
    return writeFrom(leastMs, entries, [])
  }

  // The first entry takes the log to `leastMs`, so that the ids of all are no earlier. A log that is there already needs none
  // of that, and would refuse it.
  async function writeFrom(
    leastMs: number | undefined,
    entries: readonly (readonly string[])[],
    mirror: readonly Command[],
  ): Promise<readonly string[]> {
    const write = async (first: string) => {
      const adds = entries.map((fields, index): Command => ['xadd', keys.log, index === 0 ? first : '*', ...fields])
      const replies = await writeSteadily(adds, mirror, timeoutMs + entries.length)
      return replies.slice(0, entries.length).map(String)
    }
    if (leastMs === undefined || (await reaches(leastMs))) return write('*')
    try {
      return await write(`${leastMs}-*`)
    } catch (error) {
      // Somebody else was faster. What is written twice is one rule.
      if (!redisMessageOf(error).includes('equal or smaller')) throw error
      return write('*')
    }
  }

  async function reaches(leastMs: number): Promise<boolean> {
    const [found] = await connection.send([['xrange', keys.log, `${leastMs}-0`, '+', 'COUNT', 1]], timeoutMs)
    return entriesOf(found).length > 0
  }

  function mirrorCommands(rule: Rule): Command[] {
    const key = keys.rule(rule.kind, rule.value)
    if (rule.lifted) return [['hdel', key, mirrorField(rule)]]
    const endSeconds = Math.ceil(rule.expiresAtSeconds + parts.toleranceSeconds() + CLOCK_MARGIN_SECONDS)
    return [
      ['hset', key, mirrorField(rule), encodeMirror(rule)],
      // Never shortened: another issuer's field in the same hash may have to live longer. GT alone leaves a new key without
      // a TTL as it is.
      ['expireat', key, endSeconds, 'NX'],
      ['expireat', key, endSeconds, 'GT'],
    ]
  }

  async function confirmReplicas(session: number): Promise<void> {
    // WAIT speaks of the writes of its own connection: on a new one, or after a failover, it would say yes to nothing.
    if (connection.session() !== session) {
      throw new Error('Cannot confirm the revocation: it is written, but the connection broke before a replica had it')
    }
    const [reply] = await connection.send(
      [['wait', minReplicas, REPLICATION_TIMEOUT_MS]],
      timeoutMs + REPLICATION_TIMEOUT_MS,
    )
    const confirmed = countOf(reply)
    if (confirmed >= minReplicas) return
    throw new Error(
      `Cannot confirm the revocation: it is written, but on ${confirmed} instead of ${minReplicas} replicas`,
    )
  }

  return Object.freeze({ append, appendRaw })
}
