// Is a rule in force against this token? The exact local list: copies merge in any order, an answer costs a few look-ups
// and no allocation, and none at all while the list is empty. Pure; must never forget a rule before it has ended.
import type { VerifiedToken } from '../model/decision.ts'
import { matches, textClaim } from './facts.ts'
import { compareRules, type Rule, type RuleIdentity, type RuleKind, ruleKinds } from './rule.ts'

/** The local copy of the revocation list. */
export interface RuleList {
  /** Merges a copy of a rule. Answers true where it changed what the list says. */
  apply(rule: Rule): boolean
  /** The rule that is against this token now, if there is one. */
  check(token: VerifiedToken, nowSeconds: number): Rule | undefined
  /** The copy that counts of one rule, a lifted one too. */
  find(identity: RuleIdentity): Rule | undefined
  /** Looks at up to `budget` rules, where it left off the last time, and drops those that ended. Answers how many. */
  sweep(nowSeconds: number, budget: number): number
  /** How many rules of a kind it holds, lifts not counted. */
  size(kind: RuleKind): number
  /** How many entries it holds, lifts included. */
  sizeAll(): number
  /** Everything it holds, lifts included; a lift ends when the last rule that it could meet ends. */
  entries(): IterableIterator<Rule>
  /** An estimate of the memory that the entries take. */
  memoryBytes(): number
}

/** Rules of one kind and value differ in their issuer only; there is nearly always one, so they form a chain. */
interface Entry {
  rule: Rule
  /** The latest end of all copies seen: a lift must outlive every older copy that could still arrive. */
  forgetAtSeconds: number
  next: Entry | undefined
}

type Table = Map<string, Entry>

// Measured on V8: the rule object, the entry, the map slot and the string headers, without the characters.
const bytesPerEntry = 260

/** Makes an empty list. `toleranceSeconds` is the largest clock tolerance of any issuer. */
export function createList(settings: { readonly toleranceSeconds?: number } = {}): RuleList {
  const toleranceSeconds = settings.toleranceSeconds ?? 0
  const tables: Readonly<Record<RuleKind, Table>> = {
    token: new Map(),
    subject: new Map(),
    session: new Map(),
    client: new Map(),
    key: new Map(),
    issuer: new Map(),
  }
  const rulesOf: Record<RuleKind, number> = { token: 0, subject: 0, session: 0, client: 0, key: 0, issuer: 0 }
  let total = 0
  let characters = 0
  let cursor: Iterator<readonly [Table, string, Entry]> | undefined

  function count(rule: Rule, step: 1 | -1): void {
    if (!rule.lifted) rulesOf[rule.kind] += step
    characters += step * (rule.value.length + (rule.issuer?.length ?? 0) + (rule.reason?.length ?? 0))
  }

  function apply(rule: Rule): boolean {
    const table = tables[rule.kind]
    const head = table.get(rule.value)
    const entry = entryOf(head, rule.issuer)
    if (entry === undefined) {
      table.set(rule.value, { rule, forgetAtSeconds: rule.expiresAtSeconds, next: head })
      total += 1
      count(rule, 1)
      return true
    }
    entry.forgetAtSeconds = Math.max(entry.forgetAtSeconds, rule.expiresAtSeconds)
    if (compareRules(rule, entry.rule) <= 0) return false
    count(entry.rule, -1)
    entry.rule = rule
    count(rule, 1)
    return true
  }

  function lookUp(
    kind: RuleKind,
    value: string | undefined,
    token: VerifiedToken,
    nowSeconds: number,
  ): Rule | undefined {
    if (value === undefined || rulesOf[kind] === 0) return undefined
    for (let entry = tables[kind].get(value); entry !== undefined; entry = entry.next) {
      if (matches(entry.rule, token, nowSeconds, toleranceSeconds)) return entry.rule
    }
    return undefined
  }

  function check(token: VerifiedToken, nowSeconds: number): Rule | undefined {
    if (total === 0) return undefined
    return (
      lookUp('token', token.id, token, nowSeconds) ??
      (rulesOf.subject === 0 ? undefined : lookUp('subject', textClaim(token, 'sub'), token, nowSeconds)) ??
      (rulesOf.session === 0 ? undefined : lookUp('session', textClaim(token, 'sid'), token, nowSeconds)) ??
      (rulesOf.client === 0
        ? undefined
        : (lookUp('client', textClaim(token, 'azp'), token, nowSeconds) ??
          lookUp('client', textClaim(token, 'client_id'), token, nowSeconds))) ??
      lookUp('key', token.keyId, token, nowSeconds) ??
      lookUp('issuer', token.claims.iss, token, nowSeconds)
    )
  }

  function sweep(nowSeconds: number, budget: number): number {
    let dropped = 0
    for (let step = 0; step < budget; step += 1) {
      cursor ??= walk(tables)
      const next = cursor.next()
      if (next.done) {
        cursor = undefined
        break
      }
      const [table, value, entry] = next.value
      if (entry.forgetAtSeconds + toleranceSeconds > nowSeconds) continue
      unlink(table, value, entry)
      count(entry.rule, -1)
      total -= 1
      dropped += 1
    }
    return dropped
  }

  return Object.freeze({
    apply,
    check,
    find: (identity) => entryOf(tables[identity.kind].get(identity.value), identity.issuer)?.rule,
    sweep,
    size: (kind) => rulesOf[kind],
    sizeAll: () => total,
    entries: () => entriesOf(tables),
    memoryBytes: () => total * bytesPerEntry + characters,
  } satisfies RuleList)
}

function entryOf(head: Entry | undefined, issuer: string | undefined): Entry | undefined {
  let entry = head
  while (entry !== undefined && entry.rule.issuer !== issuer) entry = entry.next
  return entry
}

function unlink(table: Table, value: string, entry: Entry): void {
  const head = table.get(value)
  if (head === entry) {
    if (entry.next === undefined) table.delete(value)
    else table.set(value, entry.next)
    return
  }
  for (let before = head; before !== undefined; before = before.next) {
    if (before.next === entry) before.next = entry.next
  }
}

function* walk(tables: Readonly<Record<RuleKind, Table>>): Generator<readonly [Table, string, Entry]> {
  for (const kind of ruleKinds) {
    const table = tables[kind]
    for (const [value, head] of table) {
      for (let entry: Entry | undefined = head; entry !== undefined; entry = entry.next) yield [table, value, entry]
    }
  }
}

function* entriesOf(tables: Readonly<Record<RuleKind, Table>>): Generator<Rule> {
  for (const [, , { rule, forgetAtSeconds }] of walk(tables)) {
    yield rule.lifted && forgetAtSeconds > rule.expiresAtSeconds ? { ...rule, expiresAtSeconds: forgetAtSeconds } : rule
  }
}
