// Which rules could be about this token? Says which values of a token each kind of rule names, and when a rule matches.
// Pure; a claim that is not a non-empty text names nothing.
import type { VerifiedToken } from '../../model/decision.ts'
import type { Rule, RuleKind } from './rule.ts'

/** One thing that a rule can name, as it is in a token. */
export interface Fact {
  readonly kind: RuleKind
  readonly value: string
}

/** The value of a claim where it is a non-empty text. */
export function textClaim(token: VerifiedToken, name: string): string | undefined {
  const value = token.claims[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/**
 * The id of the token that began the session of a successor: its `sid`, where the first token had none of its own. Of what
 * an identity provider signed it answers nothing, as a `sid` of its own names no token.
 */
export function firstTokenId(token: VerifiedToken): string | undefined {
  return token.isSuccessor ? textClaim(token, 'sid') : undefined
}

/** Everything that rules can name in a token. Allocates: the local list asks claim by claim instead. */
export function factsOf(token: VerifiedToken): readonly Fact[] {
  const facts: Fact[] = [{ kind: 'token', value: token.id }]
  const add = (kind: RuleKind, value: string | undefined) => {
    if (value !== undefined && value !== '') facts.push({ kind, value })
  }
  add('token', firstTokenId(token))
  add('subject', textClaim(token, 'sub'))
  add('session', textClaim(token, 'sid'))
  const authorizedParty = textClaim(token, 'azp')
  const clientId = textClaim(token, 'client_id')
  add('client', authorizedParty)
  if (clientId !== authorizedParty) add('client', clientId)
  add('key', token.keyId)
  if (token.namedKeyId !== token.keyId) add('key', token.namedKeyId)
  add('key', token.originalKeyId)
  for (const issuer of issuersOf(token)) add('issuer', issuer)
  return facts
}

/** The issuers by which rules can name a token: its `iss`, and for a successor with another one, who vouches for it. */
export function issuersOf({ claims, issuer }: VerifiedToken): readonly string[] {
  return claims.iss === issuer ? [issuer] : [claims.iss, issuer]
}

/**
 * Tells whether a rule that names a value of this token is against it now. `toleranceSeconds` keeps a rule past its end
 * for as long as a clock tolerance may keep a token alive past its `exp`.
 */
export function matches(rule: Rule, token: VerifiedToken, nowSeconds: number, toleranceSeconds: number): boolean {
  if (rule.lifted || rule.expiresAtSeconds + toleranceSeconds <= nowSeconds) return false
  if (rule.issuer !== undefined && rule.issuer !== token.claims.iss && rule.issuer !== token.issuer) return false
  const { issuedBeforeSeconds } = rule
  if (issuedBeforeSeconds === undefined) return true
  const { iat } = token.claims
  return typeof iat !== 'number' || iat <= issuedBeforeSeconds
}
