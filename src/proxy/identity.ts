// The identity of the caller, as header lines for the application: claims of a verified token, and nothing else. It must
// never let a claim end a header line, start another one, or grow without bound.
import type { VerifiedToken } from '../model/decision.ts'
import type { HeaderRules } from './header-rules.ts'

const MAX_VALUE_BYTES = 4096
const encoder = new TextEncoder()
const PLAIN_PATTERN = /^[\u0021-\u0024\u0026-\u007e](?:[\u0020-\u0024\u0026-\u007e]*[\u0021-\u0024\u0026-\u007e])?$/
const noLines: readonly string[] = []

/**
 * Names and values in turn, made once per token and policy. A string, number or boolean is written as it is, a list of
 * those with spaces between (as `scope` is, RFC 8693 section 4.2), and `%20` within; an object, null or a claim that is not there
 * gives no line.
 */
export function identityLines(token: VerifiedToken | undefined, rules: HeaderRules): readonly string[] {
  if (token === undefined) return noLines
  const known = rules.identityLines.get(token)
  if (known !== undefined) return known
  const lines: string[] = []
  for (const [header, claim] of rules.policy.identity) {
    const value = Object.hasOwn(token.claims, claim) ? claimValue(token.claims[claim]) : undefined
    if (value !== undefined) lines.push(header.toLowerCase(), value)
  }
  rules.identityLines.set(token, lines)
  return lines
}

/** A space within an element would make two of it for whoever splits the line: a role "read admin" is not the role "admin". */
function claimValue(claim: unknown): string | undefined {
  if (!Array.isArray(claim)) return headerValue(scalarText(claim))
  const values = claim.map((element) => headerValue(scalarText(element))?.replaceAll(' ', '%20'))
  if (!values.every((value) => value !== undefined)) return undefined
  const value = values.join(' ')
  return value.length > MAX_VALUE_BYTES ? undefined : value
}

function scalarText(claim: unknown): string | undefined {
  if (typeof claim === 'string') return claim
  return typeof claim === 'number' || typeof claim === 'boolean' ? String(claim) : undefined
}

/**
 * A header value that carries any text in visible ASCII: control, `%` and non-ASCII bytes, and spaces at either end, are
 * percent-encoded UTF-8, so decodeURIComponent gives the claim back. Undefined where there is none, or more than 4 KiB.
 */
export function headerValue(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_VALUE_BYTES) return undefined
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
