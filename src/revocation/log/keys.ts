// What is in the keys that `check: redis` reads beside the log? One hash for each kind and value, one field for each issuer and
// source (the empty one for any issuer and no source), so that the same jti of two issuers never meets. An unreadable field is an outage, not a "no".
import { writeScope } from '../compact-list/scopes.ts'
import type { Rule, RuleIdentity, RuleKind } from '../rule/rule.ts'

/** The names of everything that one list has in Redis; they share a hash tag, so that a Cluster keeps them together. */
export interface ListKeys {
  readonly log: string
  readonly healing: string
  /** How many entries were ever trimmed from the log. */
  readonly trimmed: string
  /** How long tokens live that gates of the list admit. */
  readonly lifetimes: string
  rule(kind: RuleKind, value: string): string
  /** An entry of another part of the gate. */
  beside(kind: string, id: string): string
}

/** Names the keys of a list. Throws where its name could break out of the hash tag. */
export function listKeysOf(list: string): ListKeys {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(list)) {
    throw new Error(
      `Cannot use the revocation list ${JSON.stringify(list)}: its name may hold letters, digits, ".", "_", "-"`,
    )
  }
  const prefix = `sidegate:{${list}}`
  return {
    log: `${prefix}:log`,
    healing: `${prefix}:healing`,
    trimmed: `${prefix}:trimmed`,
    lifetimes: `${prefix}:lifetimes`,
    rule: (kind, value) => `${prefix}:${kind}:${value}`,
    beside: (kind, id) => `${prefix}:${kind}:${id}`,
  }
}

/** The field of a rule in its hash. */
export function mirrorField(identity: RuleIdentity): string {
  return writeScope(identity) ?? ''
}

/** A rule as the content of its field. */
export function encodeMirror(rule: Rule): string {
  return JSON.stringify({
    at: rule.atMs,
    before: rule.issuedBeforeSeconds,
    expires: rule.expiresAtSeconds,
    reason: rule.reason,
    actor: rule.actor,
  })
}

/** Reads a field back. Throws where it is not what `encodeMirror` writes: that is an outage. */
export function decodeMirror(identity: RuleIdentity, text: string): Rule {
  const content: unknown = text.length <= 4096 ? JSON.parse(text) : undefined
  if (typeof content !== 'object' || content === null) throw new Error('Cannot read a rule from Redis: it is not JSON')
  const members = new Map<string, unknown>(Object.entries(content))
  const expires = members.get('expires')
  const before = members.get('before')
  if (typeof expires !== 'number' || (before !== undefined && typeof before !== 'number')) {
    throw new Error('Cannot read a rule from Redis: a time is not a number')
  }
  const at = members.get('at')
  return {
    ...identity,
    issuedBeforeSeconds: before,
    expiresAtSeconds: expires,
    reason: textOf(members.get('reason')),
    actor: textOf(members.get('actor')),
    atMs: typeof at === 'number' ? at : 0,
    lifted: false,
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
