// How do rules get into Redis? All of a batch in one transaction: an entry of the log and the key that `check: redis` reads.
// Must never say yes to what is not certain.
import type { Command, RedisConnection } from './connection.ts'
import { encodeEntry } from './entry.ts'
import { encodeMirror, type ListKeys, mirrorField } from './mirror.ts'
import { countOf } from './replies.ts'
import type { Rule } from './rule.ts'
import { CLOCK_MARGIN_SECONDS } from './trim.ts'

export interface AppendParts {
  readonly connection: RedisConnection
  readonly keys: ListKeys
  readonly minReplicas: number
  readonly toleranceSeconds: number
  readonly timeoutMs: number
}

const REPLICATION_TIMEOUT_MS = 500

/** Makes the function that writes rules and answers the ids of their entries; it rejects where that is not certain. */
export function createAppend(parts: AppendParts) {
  const { connection, keys, minReplicas, timeoutMs } = parts

  async function append(rules: readonly Rule[], keepsTime: (rule: Rule) => boolean): Promise<readonly string[]> {
    if (rules.length === 0) return []
    await connection.whenReady(timeoutMs)
    const session = connection.session()
    const batch: Command[] = rules.map((rule) => [
      'xadd',
      keys.log,
      '*',
      ...encodeEntry(rule, { keepsTime: keepsTime(rule) }),
    ])
    for (const rule of rules) batch.push(...mirrorCommands(rule))
    const replies = await connection.transact(batch, timeoutMs + rules.length)
    if (minReplicas > 0) await confirmReplicas(session)
    return replies.slice(0, rules.length).map(String)
  }

  function mirrorCommands(rule: Rule): Command[] {
    const key = keys.rule(rule.kind, rule.value)
    if (rule.lifted) return [['hdel', key, mirrorField(rule)]]
    const endSeconds = Math.ceil(rule.expiresAtSeconds + parts.toleranceSeconds + CLOCK_MARGIN_SECONDS)
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

  return append
}
