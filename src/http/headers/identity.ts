// The identity of the caller, as header lines for the application: claims of a verified token, and nothing else. It must
// never let a claim end a header line, start another one, or grow without bound.
import type { VerifiedToken } from '../../model/decision.ts'
import type { LeftOutIdentity } from '../limits.ts'
import type { HeaderRules } from './names.ts'

const MAX_VALUE_BYTES = 4096
const encoder = new TextEncoder()
const PLAIN_PATTERN = /^[\u0021-\u0024\u0026-\u007e](?:[\u0020-\u0024\u0026-\u007e]*[\u0021-\u0024\u0026-\u007e])?$/
const noLines: readonly string[] = []

/**
 * Names and values in turn, made once per token and policy. A string, number or boolean is written as it is, a list of
 * those with spaces between (as `scope` is, RFC 8693 section 4.2), and `%20` within. A claim that is not there, or null, gives
 * no line; one that is too long or no text gives none either, and is reported.
 */
export function identityLines(token: VerifiedToken | undefined, rules: HeaderRules): readonly string[] {
  if (token === undefined) return noLines
  const known = rules.identityLines.get(token)
  if (known !== undefined) return known
  const lines: string[] = []
  for (const [header, claim] of rules.policy.identity) {
    const value = claimValue(claimOf(token, claim))
    if (value.text !== undefined) lines.push(header.toLowerCase(), value.text)
    else if (value.why !== undefined)
      rules.policy.leftOut.identity({ issuer: token.issuer, header, claim, why: value.why })
  }
  rules.identityLines.set(token, lines)
  return lines
}

/** Some providers send the scopes as `scp`: the app gets the set that the route was checked with. */
function claimOf(token: VerifiedToken, claim: string): unknown {
  if (claim === 'scope' && token.scopes.size > 0) return [...token.scopes]
  return Object.hasOwn(token.claims, claim) ? token.claims[claim] : undefined
}

interface Value {
  readonly text?: string
  readonly why?: LeftOutIdentity['why']
}
const absent: Value = {}
const tooLong: Value = { why: 'too_long' }
const notText: Value = { why: 'not_text' }

/** A space within an element would make two of it for whoever splits the line: a role "read admin" is not the role "admin". */
function claimValue(claim: unknown): Value {
  if (claim === undefined || claim === null) return absent
  if (!Array.isArray(claim)) {
    const text = scalarText(claim)
    return text === undefined ? notText : bounded(headerValue(text))
  }
  const values: string[] = []
  for (const element of claim) {
    const text = scalarText(element)
    if (text === undefined) return notText
    const value = headerValue(text)
    if (value === undefined) return tooLong
    values.push(value.replaceAll(' ', '%20'))
  }
  return bounded(values.join(' '))
}

function bounded(text: string | undefined): Value {
  return text === undefined || text.length > MAX_VALUE_BYTES ? tooLong : { text }
}

/** Two claims must not become one text: numbers beyond 2^53 are rounded by JSON, and half a surrogate pair has no bytes. */
function scalarText(claim: unknown): string | undefined {
  if (typeof claim === 'string') return claim.isWellFormed() ? claim : undefined
  if (Number.isInteger(claim) && !Number.isSafeInteger(claim)) return undefined
  return typeof claim === 'number' || typeof claim === 'boolean' ? String(claim) : undefined
}

/**
 * A header value that carries any text in visible ASCII: control, `%` and non-ASCII bytes, and spaces at either end, are
 * percent-encoded UTF-8, so decodeURIComponent gives the claim back. Undefined where that is more than 4 KiB.
 */
export function headerValue(text: string): string | undefined {
  if (text.length > MAX_VALUE_BYTES) return undefined
  if (text === '' || PLAIN_PATTERN.test(text)) return text
  const bytes = encoder.encode(text)
  const last = bytes.length - 1
  let value = ''
  bytes.forEach((byte, index) => {
    const isPlain = byte > 0x20 ? byte < 0x7f && byte !== 0x25 : byte === 0x20 && index > 0 && index < last
    value += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  })
  return value.length > MAX_VALUE_BYTES ? undefined : value
}
