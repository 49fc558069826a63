// Is a rule in force against this token? The exact local list: copies merge in any order, an answer costs a few look-ups
// and no allocation, and none at all while the list is empty. Pure; must never forget a rule before it has ended.
import type { VerifiedToken } from '../../model/decision.ts'
import { mergeRules, type Rule, type RuleIdentity, type RuleKind, ruleKinds } from '../rule/rule.ts'
import { firstTokenId, textClaim } from '../rule/token-facts.ts'
import { createBlocks } from './blocks.ts'
import { createSecretHash, type WordHash } from './hash.ts'
import { createKey, fillKey, MAX_KEY_UNITS } from './key.ts'
import { createRounds } from './rounds.ts'
import { createRows } from './row.ts'
import { writeScope } from './scopes.ts'
import { eachRow, findRow, firstRow, nextRow, noRow, type Shard } from './shard.ts'
import { createTable, type Table } from './table.ts'
import { createWideRules, heaviestValue } from './values-with-many-rules.ts'

/** The local copy of the revocation list. */
export interface RuleList {
  /** Merges a copy of a rule. Answers true where it changed what the list says. */
  apply(rule: Rule): boolean
  /** The rule that is against this token now, if there is one; one of people for tokens of any issuer before others. */
  check(token: VerifiedToken, nowSeconds: number): Rule | undefined
  /** The copy that counts of one rule, a lifted one too. */
  find(identity: RuleIdentity): Rule | undefined
  /** The same for every source, that of people first. */
  findAll(identity: OneName): readonly Rule[]
  /**
   * Looks at about `budget` rules, where it left off the last time, and drops those that ended. Answers how many. It goes
   * shard by shard, so it looks at a few hundred more than asked, and never at a rule twice in one call.
   */
  sweep(nowSeconds: number, budget: number): number
  /** How many rules of a kind it holds, lifts not counted. */
  size(kind: RuleKind): number
  /** How many entries it holds, lifts included. */
  sizeAll(): number
  /**
   * Everything it holds, lifts included; a lift ends when the last rule that it could meet ends. What is applied meanwhile
   * may or may not show, and then a rule may show twice; none is left out.
   */
  entries(): IterableIterator<Rule>
  /**
   * How many values have too many rules, each for one issuer or of one source, to be kept one by one: one rule for tokens of every issuer
   * stands for them, and goes with the last of them. Neither that one nor one of those can be lifted.
   */
  sizeWide(): number
  /** The latest time of all copies that it ever held. */
  highestAtMs(): number
  /** Takes back what lies later than this: a lift to a minute before, as the rule that it ends may be known elsewhere alone. */
  lower(limitMs: number): void
  /** The memory that it takes: what was set aside for rows, and an estimate of what is on the heap of V8. */
  memoryBytes(): number
}

type OneName = Pick<RuleIdentity, 'kind' | 'value' | 'issuer'>

export interface ListSettings {
  /** The largest clock tolerance of any issuer. */
  readonly toleranceSeconds?: number | (() => number)
  /** For tests that need collisions; without it, a hash with a secret key of its own. */
  readonly hash?: WordHash
}

const LIFTS_BEFORE_MS = 60_000

const isOfPeople = ({ source, extra }: Rule) => source === undefined && extra === undefined
const isScoped = (rule: Rule) => rule.issuer !== undefined || !isOfPeople(rule)

/** Makes an empty list. */
export function createList(settings: ListSettings = {}): RuleList {
  const tolerance = settings.toleranceSeconds ?? 0
  const toleranceSeconds = typeof tolerance === 'number' ? () => tolerance : tolerance
  const hash = settings.hash ?? createSecretHash()
  const blocks = createBlocks()
  const rows = createRows(toleranceSeconds)
  const wide = createWideRules(toleranceSeconds)
  const key = createKey()
  const table = (kind: RuleKind) => createTable(kind, blocks, hash)
  const token = table('token')
  const subject = table('subject')
  const session = table('session')
  const client = table('client')
  const keyId = table('key')
  const issuer = table('issuer')
  const tables = { token, subject, session, client, key: keyId, issuer } satisfies Record<RuleKind, Table>
  let total = 0
  let highestAtMs = 0
  const visitNext = createRounds(tables)

  // The row is in `rows.scratch`.
  function insert(to: Table, rule: Rule, length: number): void {
    while (!to.insert(key, rows.scratch, length)) {
      makeRoom(to)
      if (!isScoped(rule) || !wide.holds(rule)) continue
      rows.release(rows.scratch, 0)
      absorb(to, rule)
      return
    }
    to.sieve.add(rule.value)
    total += 1
    if (!rule.lifted) to.inForce += 1
  }

  // In the shard of the key: of the value that has the most scoped rules, one rule takes the place of all.
  function makeRoom(at: Table): void {
    const shard = at.shardOf(key.hash)
    const value = shard === undefined ? undefined : heaviestValue(shard, rows, at.kind)
    if (shard === undefined || value === undefined) {
      throw new RangeError('Cannot hold a revocation rule: too many have one hash')
    }
    at.drop(shard, (words, row) => {
      if (!rows.isScoped(words, row)) return false
      const rule = rows.read(words, row, at.kind)
      if (rule.value !== value) return false
      absorb(at, rule)
      discount(at, words, row)
      return true
    })
  }

  function absorb(of: Table, rule: Rule): boolean {
    const before = wide.size()
    const isChanged = wide.absorb(rule)
    total += wide.size() - before
    of.inForce += wide.size() - before
    return isChanged
  }

  // Before a row goes, for whatever reason.
  function discount(from: Table, words: Int32Array, row: number): void {
    if (!rows.isLifted(words, row)) from.inForce -= 1
    rows.release(words, row)
    total -= 1
  }

  function apply(rule: Rule): boolean {
    if (!fillKey(key, rule.value, hash)) {
      throw new RangeError(`Cannot hold a revocation rule: its value has more than ${MAX_KEY_UNITS} characters`)
    }
    const of = tables[rule.kind]
    highestAtMs = Math.max(highestAtMs, rule.atMs)
    if (!isOfPeople(rule)) return merge(of, liftedByPerson(of, rule) ?? rule)
    const isChanged = merge(of, rule)
    return rule.lifted ? liftSources(of, rule) || isChanged : isChanged
  }

  // What a person lifts is lifted whatever source it has. Asked again where a rule of a source comes in after its lift.
  function liftedByPerson(of: Table, rule: Rule): Rule | undefined {
    const shard = of.shardOf(key.hash)
    const row = shard === undefined || rule.lifted ? noRow : rowOf(shard, rule.issuer)
    if (shard === undefined || row === noRow || !rows.isLifted(shard.words, row)) return undefined
    const { atMs, reason, actor } = rows.read(shard.words, row, rule.kind, rule.value)
    return atMs > rule.atMs ? { ...rule, lifted: true, atMs, reason, actor } : undefined
  }

  function liftSources(of: Table, { atMs, reason, actor, ...lift }: Rule): boolean {
    let isChanged = false
    for (const rule of findAll(lift)) {
      if (isOfPeople(rule) || rule.lifted || rule.atMs >= atMs) continue
      isChanged = merge(of, { ...rule, lifted: true, atMs, reason, actor }) || isChanged
    }
    return isChanged
  }

  // The key is that of the rule's value.
  function merge(of: Table, rule: Rule): boolean {
    if (isScoped(rule) && wide.holds(rule)) return absorb(of, rule)
    const shard = of.shardOf(key.hash)
    const row = shard === undefined ? noRow : rowOf(shard, writeScope(rule))
    if (shard === undefined || row === noRow) {
      if (total === 0) rows.begin(rule.atMs)
      insert(of, rule, rows.write(rule, rule.expiresAtSeconds, key))
      return true
    }
    const known = rows.read(shard.words, row, rule.kind, rule.value)
    const knownForgetAt = rows.forgetAtSeconds(shard.words, row)
    const forgetAtSeconds = Math.max(knownForgetAt, rule.expiresAtSeconds)
    const kept = mergeRules(known, rule)
    if (kept === known && forgetAtSeconds === knownForgetAt) return false
    // Written before the old row goes: what cannot be written must not cost a rule.
    const length = rows.write(kept, forgetAtSeconds, key)
    discount(of, shard.words, row)
    of.remove(shard, key, row)
    insert(of, kept, length)
    return kept !== known
  }

  // The row of the key's value with this very issuer and source, or with neither.
  function rowOf(shard: Shard, scope: string | undefined): number {
    let row = firstRow(shard, key)
    while (row !== noRow && !rows.hasScope(shard.words, row, scope)) row = nextRow(shard, key, row)
    return row
  }

  function lookUp(of: Table, value: string | undefined, asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    if (of.inForce === 0 || value === undefined) return undefined
    return lookUpRow(of, value, asked, nowSeconds) ?? wide.against(of.kind, value, asked, nowSeconds)
  }

  function lookUpRow(of: Table, value: string, asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    if (!of.sieve.mayHold(value)) return undefined
    if (!fillKey(key, value, hash)) return undefined
    const shard = of.shardOf(key.hash)
    if (shard === undefined) return undefined
    let scoped = noRow
    for (let row = firstRow(shard, key); row !== noRow; row = nextRow(shard, key, row)) {
      if (!rows.isAgainst(shard.words, row, asked, nowSeconds)) continue
      if (!rows.isScoped(shard.words, row)) return rows.read(shard.words, row, of.kind, value)
      scoped = row
    }
    return scoped === noRow ? undefined : rows.read(shard.words, scoped, of.kind, value)
  }

  function lookUpClient(asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    const authorizedParty = textClaim(asked, 'azp')
    const clientId = textClaim(asked, 'client_id')
    return (
      lookUp(client, authorizedParty, asked, nowSeconds) ??
      (clientId === authorizedParty ? undefined : lookUp(client, clientId, asked, nowSeconds))
    )
  }

  function lookUpKey(asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    return (
      lookUp(keyId, asked.keyId, asked, nowSeconds) ??
      (asked.namedKeyId === asked.keyId ? undefined : lookUp(keyId, asked.namedKeyId, asked, nowSeconds)) ??
      (asked.isSuccessor ? lookUpFirstKey(asked, nowSeconds) : undefined)
    )
  }

  // The key that verified the first token of the session. Successors of older gates do not name it: it may be any.
  function lookUpFirstKey(asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    if (asked.originalKeyId !== undefined) return lookUp(keyId, asked.originalKeyId, asked, nowSeconds)
    for (const shard of keyId.shards()) {
      const row = findRow(shard, (words, at) => rows.isAgainst(words, at, asked, nowSeconds))
      if (row !== noRow) return rows.read(shard.words, row, 'key')
    }
    return wide.againstAny('key', asked, nowSeconds)
  }

  function check(asked: VerifiedToken, nowSeconds: number): Rule | undefined {
    if (total === 0) return undefined
    return (
      lookUp(token, asked.id, asked, nowSeconds) ??
      (asked.isSuccessor ? lookUp(token, firstTokenId(asked), asked, nowSeconds) : undefined) ??
      (subject.inForce === 0 ? undefined : lookUp(subject, textClaim(asked, 'sub'), asked, nowSeconds)) ??
      (session.inForce === 0 ? undefined : lookUp(session, textClaim(asked, 'sid'), asked, nowSeconds)) ??
      (client.inForce === 0 ? undefined : lookUpClient(asked, nowSeconds)) ??
      (keyId.inForce === 0 ? undefined : lookUpKey(asked, nowSeconds)) ??
      lookUp(issuer, asked.claims.iss, asked, nowSeconds) ??
      (asked.issuer === asked.claims.iss ? undefined : lookUp(issuer, asked.issuer, asked, nowSeconds))
    )
  }

  function find(identity: RuleIdentity): Rule | undefined {
    if (!fillKey(key, identity.value, hash)) return undefined
    const shard = tables[identity.kind].shardOf(key.hash)
    if (shard === undefined) return undefined
    const row = rowOf(shard, writeScope(identity))
    return row === noRow ? undefined : rows.read(shard.words, row, identity.kind, identity.value)
  }

  function findAll({ kind, value, issuer: ofIssuer }: OneName): readonly Rule[] {
    if (!fillKey(key, value, hash)) return []
    const shard = tables[kind].shardOf(key.hash)
    const found: Rule[] = []
    if (shard === undefined) return found
    for (let row = firstRow(shard, key); row !== noRow; row = nextRow(shard, key, row)) {
      const rule = rows.read(shard.words, row, kind, value)
      if (rule.issuer !== ofIssuer) continue
      if (isOfPeople(rule)) found.unshift(rule)
      else found.push(rule)
    }
    return found
  }

  function sweep(nowSeconds: number, budget: number): number {
    let dropped = 0
    visitNext(budget, (at, shard) => {
      dropped += at.drop(shard, (words, row) => {
        if (rows.forgetAtSeconds(words, row) + toleranceSeconds() > nowSeconds) return false
        discount(at, words, row)
        return true
      })
    })
    for (const kind of wide.drop(nowSeconds)) {
      tables[kind].inForce -= 1
      total -= 1
      dropped += 1
    }
    return dropped
  }

  function* entries(): Generator<Rule> {
    for (const kind of ruleKinds) {
      const shards = tables[kind].shards()
      for (let index = 0; index < shards.length; index += 1) {
        const shard = shards[index]
        // A shard at a time: the caller may change the list between two rules.
        const found: Rule[] = []
        if (shard !== undefined) eachRow(shard, (words, row) => found.push(entryOf(words, row, kind)))
        yield* found
      }
    }
    yield* wide.entries()
  }

  function lower(limitMs: number): void {
    if (highestAtMs <= limitMs) return
    const later = [...entries()].filter(({ atMs }) => atMs > limitMs)
    for (const rule of later) {
      if (!fillKey(key, rule.value, hash)) continue
      const of = tables[rule.kind]
      const shard = of.shardOf(key.hash)
      const row = shard === undefined ? noRow : rowOf(shard, writeScope(rule))
      if (shard === undefined || row === noRow) continue
      discount(of, shard.words, row)
      of.remove(shard, key, row)
      merge(of, { ...rule, atMs: rule.lifted ? limitMs - LIFTS_BEFORE_MS : limitMs })
    }
    highestAtMs = limitMs
  }

  function entryOf(words: Int32Array, row: number, kind: RuleKind): Rule {
    const rule = rows.read(words, row, kind)
    return rule.lifted ? { ...rule, expiresAtSeconds: rows.forgetAtSeconds(words, row) } : rule
  }

  return Object.freeze({
    apply,
    check,
    find,
    findAll,
    highestAtMs: () => highestAtMs,
    lower,
    sweep,
    size: (kind) => tables[kind].inForce,
    sizeAll: () => total,
    entries,
    sizeWide: wide.size,
    memoryBytes: () =>
      Object.values(tables).reduce(
        (sum, { bytes }) => sum + bytes(),
        wide.bytes() + blocks.bytes() + (total === 0 ? 0 : rows.bytes()),
      ),
  } satisfies RuleList)
}
