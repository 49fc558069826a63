// How does a rule look in JSON: in the admin API, in `revocations list --json` and in an import? Every input is untrusted;
// a member with an unknown name is a problem, because a misspelt `issuedBefore` would revoke more than was meant.
import { hasControlCharacter, isNameable, MAXIMUM_NAME_BYTES } from '../../model/nameable.ts'
import type { WrittenRule } from './rule.ts'
import {
  isRuleKind,
  isSource,
  MAX_NOTE_BYTES,
  MAX_TIME_SECONDS,
  type Problem,
  type Rule,
  type RuleKind,
  ruleKinds,
} from './rule.ts'
import { parseTime, timeText } from './time.ts'

/** What a rule needs to know about its surroundings. */
export interface RuleSettings {
  readonly nowSeconds: number
  /** What "now" means in `issuedBefore`: the time of Redis, where that is another clock. */
  readonly logNowSeconds?: number | undefined
  /** The longest lifetime of any configured issuer's tokens: the default of `expiresAt`. */
  readonly maxLifetimeSeconds: number
  /** How long successors may follow a token, where the gates sign any: the end of a rule for the session that it began. */
  readonly maxSessionSeconds?: number | 'unknown' | undefined
  /** The same where the identity provider issues the next tokens, which a rule finds by their `sid` alone. */
  readonly exchangedSessionSeconds?: number | undefined
  /** The configured issuers, where they are known: a rule for another one could never match. */
  readonly issuers?: readonly string[] | undefined
  /** Who revokes: written to the log, never taken from the input. */
  readonly actor?: string | undefined
}

/** The public form of a rule. Times are ISO 8601. */
export interface RuleJson {
  readonly kind: RuleKind
  readonly value: string
  readonly issuer?: string
  readonly source?: string
  readonly issuedBefore?: string
  readonly expiresAt: string
  readonly reason?: string
  readonly actor?: string
  readonly at: string
}

// `actor` and `at` are accepted and ignored, so that the output of a list can be imported again.
const knownMembers = new Set([
  'kind',
  'value',
  'issuer',
  'source',
  'issuedBefore',
  'expiresAt',
  'reason',
  'actor',
  'at',
])

/** The public form of a rule. */
export function ruleToJson(rule: Rule): RuleJson {
  return {
    kind: rule.kind,
    value: rule.value,
    ...(rule.issuer !== undefined && { issuer: rule.issuer }),
    ...(rule.source !== undefined && { source: rule.source }),
    ...(rule.issuedBeforeSeconds !== undefined && { issuedBefore: timeText(rule.issuedBeforeSeconds) }),
    expiresAt: timeText(rule.expiresAtSeconds),
    ...(rule.reason !== undefined && { reason: rule.reason }),
    ...(rule.actor !== undefined && { actor: rule.actor }),
    at: timeText(rule.atMs / 1000),
  }
}

/** A rule that was written, in its public form, with the one that it replaces where that matched more. */
export function writtenToJson({ replaces, ...rule }: WrittenRule): RuleJson & { readonly replaces?: RuleJson } {
  return { ...ruleToJson(rule), ...(replaces !== undefined && { replaces: ruleToJson(replaces) }) }
}

/** Reads one JSON rule. Answers the rule (its `at` is now; the log sets the final one) or what is wrong with it. */
export function parseRule(input: unknown, settings: RuleSettings): Rule | Problem {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return problem('rule is not a JSON object')
  const members = new Map<string, unknown>(Object.entries(input))
  for (const name of members.keys()) {
    if (!knownMembers.has(name)) return problem(`member ${quote(name)} is not known`)
  }
  const kind = members.get('kind')
  if (!isRuleKind(kind)) return problem(`"kind" is not one of ${ruleKinds.join(', ')}`)
  const issuedBefore = parseTime(members.get('issuedBefore'), settings.logNowSeconds ?? settings.nowSeconds)
  if (members.get('issuedBefore') !== undefined && issuedBefore === undefined) return timeProblem('issuedBefore')
  const expiresAt = parseTime(members.get('expiresAt'), settings.nowSeconds)
  if (members.get('expiresAt') !== undefined && expiresAt === undefined) return timeProblem('expiresAt')
  return buildRule(
    {
      kind,
      value: members.get('value'),
      issuer: members.get('issuer'),
      source: members.get('source'),
      issuedBeforeSeconds: issuedBefore,
      expiresAtSeconds: expiresAt,
      reason: members.get('reason'),
    },
    settings,
  )
}

/** What is known of a rule before it is checked. */
export interface RuleDraft {
  readonly kind: RuleKind
  readonly value: unknown
  readonly issuer?: unknown
  readonly source?: unknown
  readonly issuedBeforeSeconds?: number | undefined
  readonly expiresAtSeconds?: number | undefined
  readonly reason?: unknown
}

/** Makes a rule of its parts, or says why it could not be one or could never match a token. */
export function buildRule(draft: RuleDraft, settings: RuleSettings): Rule | Problem {
  const { kind, value, issuer, source, issuedBeforeSeconds, reason } = draft
  if (!isNameable(value)) return textProblem('value')
  if (issuer !== undefined && !isNameable(issuer)) return textProblem('issuer')
  if (source !== undefined && !isSource(source)) return problem('"source" is not a text of 1 to 256 bytes')
  if (kind === 'token' && looksLikeToken(value)) {
    return problem('value of a "token" rule is the jti of the token, not the token itself')
  }
  if (kind === 'issuer' && issuer !== undefined && issuer !== value) {
    return problem('rule can never match: a token has one issuer, and "value" and "issuer" differ')
  }
  const neverMatches = whyNeverMatches(kind === 'issuer' ? value : issuer, issuedBeforeSeconds, settings)
  if (neverMatches !== undefined) return problem(neverMatches)
  if (
    reason !== undefined &&
    (typeof reason !== 'string' || Buffer.byteLength(reason) > MAX_NOTE_BYTES || hasControlCharacter(reason))
  ) {
    return problem(`"reason" is not a text of at most ${MAX_NOTE_BYTES} bytes without control characters`)
  }
  const endSeconds = draft.expiresAtSeconds ?? Math.ceil(settings.nowSeconds + settings.maxLifetimeSeconds)
  const expiresAtSeconds = Math.min(toMilliseconds(endSeconds), MAX_TIME_SECONDS)
  if (expiresAtSeconds <= settings.nowSeconds) {
    return problem(`rule can never match: it ends at ${timeText(expiresAtSeconds)}, which is in the past`)
  }
  return {
    kind,
    value,
    issuer: kind === 'issuer' ? undefined : issuer,
    source,
    issuedBeforeSeconds: issuedBeforeSeconds === undefined ? undefined : toMilliseconds(issuedBeforeSeconds),
    expiresAtSeconds,
    reason: reason === '' ? undefined : reason,
    actor: settings.actor,
    atMs: Math.trunc(settings.nowSeconds * 1000),
    lifted: false,
  }
}

// So much may the clock of who asks differ from ours.
const FUTURE_TOLERANCE_SECONDS = 60

function whyNeverMatches(
  issuer: string | undefined,
  issuedBeforeSeconds: number | undefined,
  settings: RuleSettings,
): string | undefined {
  if (issuer !== undefined && settings.issuers !== undefined && !settings.issuers.includes(issuer)) {
    const known = settings.issuers.map(quote).join(', ')
    return `rule can never match: no issuer is configured as ${quote(issuer)}; configured: ${known}`
  }
  if (issuedBeforeSeconds !== undefined && issuedBeforeSeconds > settings.nowSeconds + FUTURE_TOLERANCE_SECONDS) {
    return `"issuedBefore" ${timeText(issuedBeforeSeconds)} is in the future; "now" means all tokens so far`
  }
  return undefined
}

/** A name as it may stand in a message: quoted, escaped and short. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}

// The log keeps three digits: what is applied here at once must equal what comes back from there.
function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}

function looksLikeToken(value: string): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(value)
}

/** Why nothing is revoked. */
export function problem(reason: string): Problem {
  return { problem: `Cannot revoke: ${reason}` }
}

/** The same where a member is no time. */
export function timeProblem(name: string): Problem {
  return problem(`"${name}" is neither ISO 8601 with a time zone, nor unix seconds, nor "now"`)
}

function textProblem(name: string): Problem {
  return problem(`"${name}" is not a text of 1 to ${MAXIMUM_NAME_BYTES} bytes without control characters`)
}
