// Which rules does Redis hold about one token? The keys beside the log, and the plain keys of an existing list. An answer of
// another shape is an error: an outage must never read as "not revoked".
import type { VerifiedToken } from '../../model/decision.ts'
import type { Command, RedisConnection } from '../../redis/connection.ts'
import { countOf, fieldsOf, pairsOf } from '../../redis/replies.ts'
import type { Rights } from '../../redis/rights.ts'
import { readScope } from '../compact-list/scopes.ts'
import { type PlainKey, plainKeyRule } from '../rule/plain-keys.ts'
import type { Rule } from '../rule/rule.ts'
import { factsOf, issuersOf } from '../rule/token-facts.ts'
import { decodeMirror, type ListKeys } from './keys.ts'

export interface RuleLookupParts {
  readonly connection: RedisConnection
  readonly keys: ListKeys
  readonly plainKeys: readonly PlainKey[]
  readonly rights: Rights
  readonly timeoutMs: number
}

/** Makes the function that answers every rule that names a value of a token; whether it matches is for the caller to judge. */
export function createRuleLookup(parts: RuleLookupParts): (token: VerifiedToken) => Promise<readonly Rule[]> {
  const { keys, plainKeys, rights } = parts

  // A field for each issuer and source: which sources there are is not known beforehand. Where the user may not ask for all
  // fields, those of people are read, and the copy of the log beside this has the others.
  async function readHashes(names: readonly string[], issuers: readonly string[], exists: readonly Command[]) {
    if (rights.mayUse('hgetall') !== false) {
      const whole: Command[] = names.map((name) => ['hgetall', name])
      const isSure = rights.mayUse('hgetall') === true
      const replies = await rights.attempt('hgetall', () => ask(parts, whole, exists, isSure))
      if (replies !== undefined) return { hashes: replies.slice(0, names.length).map(pairsOf), replies }
    }
    const some: Command[] = names.map((name) => ['hmget', name, ...issuers])
    const replies = await ask(parts, some, exists, true)
    const hashes = replies
      .slice(0, names.length)
      .map((reply) =>
        fieldsOf(reply, issuers.length).flatMap((text, at) =>
          text === null ? [] : [[issuers[at] ?? '', text] as const],
        ),
      )
    return { hashes, replies }
  }

  return async (token) => {
    const facts = factsOf(token)
    const issuers = ['', ...issuersOf(token)]
    const named = plainKeys.flatMap((plainKey) => plainKey(token))
    const names = facts.map(({ kind, value }) => keys.rule(kind, value))
    const exists: Command[] = named.map((key) => ['exists', key])
    const { hashes, replies } = await readHashes(names, issuers, exists)
    const found: Rule[] = []
    for (const [index, fact] of facts.entries()) {
      for (const [field, text] of hashes[index] ?? []) {
        const scope = readScope(field)
        if (issuers.includes(scope.issuer ?? '')) found.push(decodeMirror({ ...fact, ...scope }, text))
      }
    }
    // Every answer is read: one that is no count must not hide behind another.
    const existing = named.filter((_, index) => countOf(replies[facts.length + index]) > 0)
    return [...found, ...existing.map((key) => plainKeyRule(key, token))]
  }
}

function ask(
  { connection, timeoutMs }: RuleLookupParts,
  hashes: readonly Command[],
  exists: readonly Command[],
  isCounted: boolean,
): Promise<readonly unknown[]> {
  return (isCounted ? connection.send : connection.probe)([...hashes, ...exists], timeoutMs)
}
