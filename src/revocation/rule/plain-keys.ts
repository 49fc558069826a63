// Which keys of an existing revocation list name this token? Templates such as `revoked:{jti}`: a claim in braces stands
// for its value. A token that lacks the claim is not named by that key. Pure.
import type { VerifiedToken } from '../../model/decision.ts'
import { MAX_TIME_SECONDS, type Rule } from './rule.ts'
import { firstTokenId } from './token-facts.ts'

/** Answers the keys that name a token by one template; none where the token lacks a claim of it. */
export type PlainKey = (token: VerifiedToken) => readonly string[]

/** What a plain key that exists means: everything that it names is revoked. */
export interface PlainKeyRule extends Rule {
  readonly plainKey: string
}

const MAX_KEY_BYTES = 4096

/** Reads a template. Throws where it names no claim (it would be the same key for every token) or its braces do not pair. */
export function parsePlainKey(template: string): PlainKey {
  const parts = template.split(/\{([^{}]+)\}/)
  if (parts.length < 3) throw new Error(`Cannot read the key "${template}": it names no claim, like "{jti}"`)
  if (parts.some((part, index) => index % 2 === 0 && /[{}]/.test(part))) {
    throw new Error(`Cannot read the key "${template}": its braces do not pair`)
  }
  const fill = (claims: VerifiedToken['claims']): readonly string[] => {
    let key = ''
    for (const [index, part] of parts.entries()) {
      const text = index % 2 === 0 ? part : claimText(claims[part])
      if (text === undefined) return []
      key += text
    }
    return Buffer.byteLength(key) <= MAX_KEY_BYTES ? [key] : []
  }
  const namesTokens = parts.some((part, index) => index % 2 === 1 && part === 'jti')
  return (token) => {
    const named = fill(token.claims)
    const first = namesTokens ? firstTokenId(token) : undefined
    // A successor is revoked with the token that its session began with.
    return first === undefined ? named : [...named, ...fill({ ...token.claims, jti: first })]
  }
}

/** The rule that a plain key stands for, against the token that it names. */
export function plainKeyRule(plainKey: string, token: VerifiedToken): PlainKeyRule {
  return {
    kind: 'token',
    value: token.id,
    expiresAtSeconds: MAX_TIME_SECONDS,
    reason: 'plain key',
    atMs: 0,
    lifted: false,
    plainKey,
  }
}

/** Tells whether a rule is a plain key that exists. */
export function isPlainKeyRule(rule: Rule): rule is PlainKeyRule {
  return 'plainKey' in rule
}

function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined
}
