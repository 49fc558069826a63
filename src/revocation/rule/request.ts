// What does a person mean who asks to revoke something? Turns the answer into rules and into sentences that say what it
// will match, or says why it cannot match anything. A token is read here without verifying it: revoking is harmless.

import { createHash } from 'node:crypto'
import { textIn } from '../../model/claim-text.ts'
import { buildRule, problem, quote, type RuleSettings, timeProblem } from './json.ts'
import { isPlainKeyRule } from './plain-keys.ts'
import type { Problem, Rule, RuleKind } from './rule.ts'
import { isProblem } from './rule.ts'
import { parseTime, timeText } from './time.ts'

/** What was asked for: the options of `sidegate revoke`, or the parameters of RFC 7009. */
export interface RevocationRequest {
  /** A raw JWT, not verified. */
  readonly token?: string | undefined
  readonly jti?: string | undefined
  readonly subject?: string | undefined
  readonly session?: string | undefined
  readonly client?: string | undefined
  readonly keyId?: string | undefined
  /** Beside another one: narrows it. Alone: every token of this issuer. */
  readonly issuer?: string | undefined
  readonly issuedBefore?: string | number | undefined
  readonly expires?: string | number | undefined
  readonly reason?: string | undefined
}

/** What will be written, and what to tell the person who asked. */
export interface PreparedRevocation {
  /** One rule, and for a token that begins a session a second one, for the session. */
  readonly rules: readonly [Rule, ...Rule[]]
  readonly sentences: readonly string[]
}

const MAX_TOKEN_BYTES = 65_536
// A verifier may accept a token a little past its `exp`: the rule stays as long.
const GRACE_SECONDS = 60

const kindOfOption = {
  token: 'token',
  jti: 'token',
  subject: 'subject',
  session: 'session',
  client: 'client',
  keyId: 'key',
} as const satisfies Partial<Record<keyof RevocationRequest, RuleKind>>

const nouns: Readonly<Record<RuleKind, string>> = {
  token: 'the token',
  subject: 'every token of subject',
  session: 'every token of session',
  client: 'every token of client',
  key: 'every token signed with key',
  issuer: 'every token of issuer',
}

/** Prepares a revocation, or answers what is wrong with the request. */
export function prepareRevocation(request: RevocationRequest, settings: RuleSettings): PreparedRevocation | Problem {
  const options = Object.keys(kindOfOption) as (keyof typeof kindOfOption)[]
  const given = options.filter((option) => request[option] !== undefined)
  if (given.length > 1) return problem(`only one of ${given.join(', ')} can be given`)
  const [option] = given
  if (option === undefined && request.issuer === undefined) {
    return problem('No target: give a token, a jti, a subject, a session, a client, a key id or an issuer')
  }
  const issuedBeforeSeconds = parseTime(request.issuedBefore, settings.logNowSeconds ?? settings.nowSeconds)
  if (request.issuedBefore !== undefined && issuedBeforeSeconds === undefined) return timeProblem('issued-before')
  const expiresAtSeconds = parseTime(request.expires, settings.nowSeconds)
  if (request.expires !== undefined && expiresAtSeconds === undefined) return timeProblem('expires')
  const times = { issuedBeforeSeconds, expiresAtSeconds, reason: request.reason }
  if (option === 'token') return fromToken(request.token ?? '', request.issuer, times, settings)
  const draft =
    option === undefined
      ? { kind: 'issuer' as const, value: request.issuer }
      : { kind: kindOfOption[option], value: request[option], issuer: request.issuer }
  const rule = buildRule({ ...draft, ...times }, settings)
  return isProblem(rule) ? rule : { rules: [rule], sentences: [sentenceOf(rule)] }
}

/** Says what a rule matches, as one sentence. */
export function sentenceOf(rule: Rule): string {
  if (isPlainKeyRule(rule)) return `Revoked by the plain key ${quote(rule.plainKey)}`
  return `Revokes ${describeRule(rule)}`
}

/** Says of a rule what it matches, or matched, as a part of a sentence. */
export function describeRule(rule: Rule): string {
  const issuer = rule.issuer === undefined ? '' : ` of issuer ${quote(rule.issuer)}`
  const before =
    rule.issuedBeforeSeconds === undefined ? '' : ` issued at or before ${timeText(rule.issuedBeforeSeconds)}`
  return `${nouns[rule.kind]} ${quote(rule.value)}${issuer}${before}, until ${timeText(rule.expiresAtSeconds)}`
}

interface Times {
  readonly issuedBeforeSeconds: number | undefined
  readonly expiresAtSeconds: number | undefined
  readonly reason: string | undefined
}

function fromToken(
  token: string,
  issuer: string | undefined,
  times: Times,
  settings: RuleSettings,
): PreparedRevocation | Problem {
  const read = readToken(token.trim())
  if (isProblem(read)) return read
  const { claims, signedPart } = read
  const exp = claims.get('exp')
  if (typeof exp !== 'number') return problem('token has no "exp", so it is refused without a revocation')
  const iss = textIn(claims.get('iss'))
  if (issuer !== undefined && issuer !== iss) {
    return problem('rule can never match: the token names another issuer than the one given')
  }
  const iat = claims.get('iat')
  if (times.issuedBeforeSeconds !== undefined && typeof iat === 'number' && iat > times.issuedBeforeSeconds) {
    return problem(`rule can never match: the token was issued at ${timeText(iat)}, which is later than asked for`)
  }
  const jti = textIn(claims.get('jti'))
  const sid = textIn(claims.get('sid'))
  const value = jti ?? `sha256:${createHash('sha256').update(signedPart, 'ascii').digest('base64url')}`
  const session = { value: sid ?? value, endSeconds: sessionEndSeconds(exp, sid, settings) }
  if (exp + GRACE_SECONDS <= settings.nowSeconds) return fromExpired({ exp, iss }, session, times, settings)
  const mayBeFollowed = sid === undefined && settings.maxSessionSeconds === 'unknown'
  // Tokens that gates signed to follow it are refused by the same rule, and outlive the token.
  const followersEndSeconds = mayBeFollowed ? Math.ceil(settings.nowSeconds + settings.maxLifetimeSeconds) : 0
  const expiresAtSeconds = times.expiresAtSeconds ?? Math.max(exp + GRACE_SECONDS, followersEndSeconds)
  const rule = buildRule({ kind: 'token', value, issuer: iss, ...times, expiresAtSeconds }, settings)
  if (isProblem(rule)) return rule
  const isFollowed = session.endSeconds !== undefined && settings.maxSessionSeconds !== 'unknown'
  const rules: PreparedRevocation['rules'] = isFollowed ? [rule, sessionOf(rule, session)] : [rule]
  const notes = notesOn(jti, exp, settings.nowSeconds)
  if (sid !== undefined && !isFollowed)
    notes.push(`Tokens that follow it in its session live on; --session ${quote(sid)} ends them all`)
  if (mayBeFollowed) notes.push('Where gates signed tokens that follow it, they are revoked with it')
  return { rules, sentences: [...rules.map(sentenceOf), ...notes] }
}

interface Session {
  /** Its `sid`, which is the id of its first token where that had none. */
  readonly value: string
  /** When no token of it can be alive any more; undefined where nothing follows a token, or what does cannot be found. */
  readonly endSeconds: number | undefined
}

function sessionEndSeconds(exp: number, sid: string | undefined, settings: RuleSettings): number | undefined {
  const { nowSeconds, maxSessionSeconds, exchangedSessionSeconds, maxLifetimeSeconds } = settings
  if (maxSessionSeconds === 'unknown') return Math.ceil(nowSeconds + maxLifetimeSeconds)
  const seconds = maxSessionSeconds ?? (sid === undefined ? undefined : exchangedSessionSeconds)
  // No session begins after the end of one of its tokens.
  return seconds === undefined ? undefined : Math.ceil(Math.min(nowSeconds, exp) + seconds) + GRACE_SECONDS
}

/** The token itself is refused without a rule; what follows it may live, in the hands of who stole it. */
function fromExpired(
  { exp, iss }: { readonly exp: number; readonly iss: string | undefined },
  { value, endSeconds }: Session,
  times: Times,
  settings: RuleSettings,
): PreparedRevocation | Problem {
  const expired = `token has expired at ${timeText(exp)} already`
  if (endSeconds === undefined) return problem(expired)
  if (endSeconds <= settings.nowSeconds) return problem(`${expired}, and so has every token that follows it`)
  const expiresAtSeconds = times.expiresAtSeconds ?? endSeconds
  const rule = buildRule({ kind: 'session', value, issuer: iss, ...times, expiresAtSeconds }, settings)
  if (isProblem(rule)) return rule
  const note = `The token itself has expired at ${timeText(exp)}; this ends the tokens that follow it`
  const sentences = [sentenceOf(rule), note]
  if (settings.maxSessionSeconds === 'unknown' && times.expiresAtSeconds === undefined)
    sentences.push('How long a session lasts is unknown without a settings file (-c); --expires sets another end')
  return { rules: [rule], sentences }
}

/** The rule that ends the tokens which follow one: they outlive the rule against that one. */
function sessionOf(rule: Rule, { value, endSeconds = 0 }: Session): Rule {
  return { ...rule, kind: 'session', value, expiresAtSeconds: Math.max(rule.expiresAtSeconds, endSeconds) }
}

function notesOn(jti: string | undefined, exp: number, nowSeconds: number): string[] {
  const notes: string[] = []
  if (jti === undefined) notes.push('The token has no "jti": it is named by the SHA-256 of its header and payload')
  if (exp <= nowSeconds)
    notes.push(`The token has expired at ${timeText(exp)}; only a clock tolerance could still accept it`)
  return notes
}

function readToken(token: string): { claims: ReadonlyMap<string, unknown>; signedPart: string } | Problem {
  if (token.length > MAX_TOKEN_BYTES) return problem(`token is larger than ${MAX_TOKEN_BYTES} bytes`)
  const match = /^([\w-]+)\.([\w-]+)\.[\w-]*$/.exec(token)
  const [, header, payload] = match ?? []
  if (header === undefined || payload === undefined) return problem('token is not a JWT of three parts')
  try {
    const content: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(payload, 'base64url')),
    )
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
      return { claims: new Map(Object.entries(content)), signedPart: `${header}.${payload}` }
    }
  } catch {
    // Falls through to the one sentence for everything that is not a JSON object.
  }
  return problem('payload of the token is not a JSON object')
}
