// Which rules does Redis hold about one token? The keys beside the log, and the plain keys of an existing list. An answer of
// another shape is an error: an outage must never read as "not revoked".
import type { VerifiedToken } from '../model/decision.ts'
import type { Command, RedisConnection } from './connection.ts'
import { factsOf, issuersOf } from './facts.ts'
import { decodeMirror, type ListKeys } from './mirror.ts'
import { type PlainKey, plainKeyRule } from './plain-keys.ts'
import { countOf, fieldsOf } from './replies.ts'
import type { Rule } from './rule.ts'

export interface RuleLookupParts {
  readonly connection: RedisConnection
  readonly keys: ListKeys
  readonly plainKeys: readonly PlainKey[]
  readonly isCluster: boolean
  readonly timeoutMs: number
}

/** Makes the function that answers every rule that names a value of a token; whether it matches is for the caller to judge. */
export function createRuleLookup(parts: RuleLookupParts): (token: VerifiedToken) => Promise<readonly Rule[]> {
  const { keys, plainKeys } = parts
  return async (token) => {
    const facts = factsOf(token)
    const issuers = ['', ...issuersOf(token)]
    const named = plainKeys.flatMap((plainKey) => plainKey(token))
    const hashes: Command[] = facts.map(({ kind, value }) => ['hmget', keys.rule(kind, value), ...issuers])
    const exists: Command[] = named.map((key) => ['exists', key])
    const replies = await ask(parts, hashes, exists)
    const found: Rule[] = []
    for (const [index, { kind, value }] of facts.entries()) {
      for (const [position, text] of fieldsOf(replies[index], issuers.length).entries()) {
        if (text === null) continue
        found.push(decodeMirror({ kind, value, issuer: position === 0 ? undefined : issuers[position] }, text))
      }
    }
    // Every answer is read: one that is no count must not hide behind another.
    const existing = named.filter((_, index) => countOf(replies[facts.length + index]) > 0)
    return [...found, ...existing.map((key) => plainKeyRule(key, token))]
  }
}

// The keys of a list share a slot, foreign keys do not: in a Cluster each goes to its own node.
async function ask(
  { connection, isCluster, timeoutMs }: RuleLookupParts,
  hashes: readonly Command[],
  exists: readonly Command[],
): Promise<readonly unknown[]> {
  if (!isCluster || exists.length === 0) return connection.send([...hashes, ...exists], timeoutMs)
  const parts = [hashes, ...exists.map((command) => [command])]
  return (await Promise.all(parts.map((batch) => connection.send(batch, timeoutMs)))).flat()
}
