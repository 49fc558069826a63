// What is a revocation rule, when are two rules the same one, and which of two copies counts? Pure: knows no clock, no
// Redis and no token. Must never let two different identities share a key, nor one source weaken the rule of another.
import { hasControlCharacter, isNameable } from '../../model/nameable.ts'

/** Every kind of rule, in the order in which the list is asked. */
export const ruleKinds = ['token', 'subject', 'session', 'client', 'key', 'issuer'] as const

export type RuleKind = (typeof ruleKinds)[number]

/** One revocation, or (with `lifted`) the end of one. Times of tokens are unix seconds, times of the log milliseconds. */
export interface Rule {
  readonly kind: RuleKind
  readonly value: string
  /** Narrows the rule to tokens of this issuer. */
  readonly issuer?: string | undefined
  /** The automatic writer that made it; absent for people and other programs. Rules of different sources stand side by side. */
  readonly source?: string | undefined
  /** Fields of a newer version, names and values in turn, as JSON: what they would narrow is not known, so the rule counts for all. */
  readonly extra?: string | undefined
  /** Only tokens whose `iat` is at or before this time; without it, every token. */
  readonly issuedBeforeSeconds?: number | undefined
  /** When no matching token can be alive any more. */
  readonly expiresAtSeconds: number
  /** The entry named no end; one that a gate wrote instead counts over it. */
  readonly isEndGuessed?: boolean | undefined
  readonly reason?: string | undefined
  readonly actor?: string | undefined
  /** When it was written, by the clock of the log; the later copy of a rule counts. */
  readonly atMs: number
  readonly lifted?: boolean | undefined
}

/** What identifies a rule: copies with the same five merge into one. */
export type RuleIdentity = Pick<Rule, 'kind' | 'value' | 'issuer' | 'source' | 'extra'>

/** Why something is not a rule: a sentence for the person who asked. */
export interface Problem {
  readonly problem: string
}

export const MAX_NOTE_BYTES = 256
export const MAX_SOURCE_BYTES = 256
/** 9999-12-31: larger numbers are milliseconds taken for seconds, or nonsense. */
export const MAX_TIME_SECONDS = 253_402_300_799

/** Tells a problem from a result. */
export function isProblem(result: object): result is Problem {
  return 'problem' in result
}

/** Tells whether a text names a kind of rule. */
export function isRuleKind(text: unknown): text is RuleKind {
  return (ruleKinds as readonly unknown[]).includes(text)
}

/** Tells whether a text can be the source of a rule. */
export function isSource(text: unknown): text is string {
  return isNameable(text) && Buffer.byteLength(text) <= MAX_SOURCE_BYTES
}

/** Makes a free text (reason, actor) fit for the log: control characters become spaces, at most 256 bytes remain. */
export function tidyNote(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  let tidy = ''
  let bytes = 0
  for (const character of text.slice(0, MAX_NOTE_BYTES).toWellFormed()) {
    bytes += Buffer.byteLength(character)
    if (bytes > MAX_NOTE_BYTES) break
    tidy += hasControlCharacter(character) ? ' ' : character
  }
  return tidy
}

/** The identity of a rule as one string. JSON, so that no separator inside a value can imitate another rule. */
export function ruleKeyOf(rule: RuleIdentity): string {
  const { kind, value, issuer = null, source, extra } = rule
  if (source === undefined && extra === undefined) return JSON.stringify([kind, value, issuer])
  return JSON.stringify([kind, value, issuer, source ?? null, extra ?? null])
}

/**
 * Orders two copies of one rule; above zero where `left` counts. A total order, so that copies merge in any sequence:
 * the later `at`; at the same time a rule before a lift, an end that was written before one that was guessed, then the one that
 * matches more, then the one that lasts longer (fail closed); the notes decide the rest. Zero only for copies that say the same.
 */
export function compareRules(left: Rule, right: Rule): number {
  return (
    left.atMs - right.atMs ||
    Number(right.lifted ?? false) - Number(left.lifted ?? false) ||
    Number(right.isEndGuessed ?? false) - Number(left.isEndGuessed ?? false) ||
    compareNumbers(
      left.issuedBeforeSeconds ?? Number.POSITIVE_INFINITY,
      right.issuedBeforeSeconds ?? Number.POSITIVE_INFINITY,
    ) ||
    compareNumbers(left.expiresAtSeconds, right.expiresAtSeconds) ||
    compareTexts(left.reason ?? '', right.reason ?? '') ||
    compareTexts(left.actor ?? '', right.actor ?? '')
  )
}

/**
 * A lift lasts at least as long as a token may live that was there when it was written: one with a shorter end would go while
 * the rule that it ends is still in the log, and a gate that starts then would refuse what the others admit.
 */
export function lasting(rule: Rule, lifetimeSeconds: number): Rule {
  const leastSeconds = Math.min(Math.ceil(rule.atMs / 1000) + lifetimeSeconds, MAX_TIME_SECONDS)
  if (!rule.lifted || rule.expiresAtSeconds >= leastSeconds) return rule
  return { ...rule, expiresAtSeconds: leastSeconds }
}

/**
 * What two copies of one rule say together. Of people and other programs the later copy counts. Copies of one automatic source
 * add up instead: the later `before` and the later end are kept, as two gates may write two events without knowing of each other.
 */
export function mergeRules(known: Rule, copy: Rule): Rule {
  const latest = compareRules(copy, known) > 0 ? copy : known
  if (known.source === undefined) return latest
  const issuedBeforeSeconds = laterBefore(known.issuedBeforeSeconds, copy.issuedBeforeSeconds)
  const expiresAtSeconds = Math.max(known.expiresAtSeconds, copy.expiresAtSeconds)
  const isWhole = latest.issuedBeforeSeconds === issuedBeforeSeconds && latest.expiresAtSeconds === expiresAtSeconds
  return isWhole ? latest : { ...latest, issuedBeforeSeconds, expiresAtSeconds }
}

// Without a limit a rule takes every token.
function laterBefore(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other)
}

// Ends that were counted in seconds from now differ by as much, and mean the same.
const ROUNDING_SECONDS = 2

/** Tells whether a rule that is in force matched tokens that a later copy of it leaves out, and so gives back. */
export function matchedMore(before: Rule, after: Rule, nowSeconds: number): boolean {
  if (before.lifted || before.expiresAtSeconds <= nowSeconds) return false
  if (before.expiresAtSeconds > after.expiresAtSeconds + ROUNDING_SECONDS) return true
  const { issuedBeforeSeconds: limit } = after
  return limit !== undefined && (before.issuedBeforeSeconds === undefined || before.issuedBeforeSeconds > limit)
}

function compareNumbers(left: number, right: number): number {
  return left === right ? 0 : left > right ? 1 : -1
}

function compareTexts(left: string, right: string): number {
  return left === right ? 0 : left > right ? 1 : -1
}

/** A rule with the time that it got. */
export interface WrittenRule extends Rule {
  /** The rule that was in force before, where that one matched more: some of its tokens are admitted again. */
  readonly replaces?: Rule
}
