// Which keys of an existing revocation list name this token? Templates such as `revoked:{jti}`: a claim in braces stands
// for its value. A token that lacks the claim is not named by that key. Pure.
import type { VerifiedToken } from '../model/decision.ts'

/** Answers the key of a token, or undefined where the token lacks a claim of the template. */
export type PlainKey = (token: VerifiedToken) => string | undefined

const MAX_KEY_BYTES = 4096

/** Reads a template. Throws where it names no claim (it would be the same key for every token) or its braces do not pair. */
export function parsePlainKey(template: string): PlainKey {
  const parts = template.split(/\{([^{}]+)\}/)
  if (parts.length < 3) throw new Error(`Cannot read the key "${template}": it names no claim, like "{jti}"`)
  if (parts.some((part, index) => index % 2 === 0 && /[{}]/.test(part))) {
    throw new Error(`Cannot read the key "${template}": its braces do not pair`)
  }
  return (token) => {
    let key = ''
    for (const [index, part] of parts.entries()) {
      const text = index % 2 === 0 ? part : claimText(token.claims[part])
      if (text === undefined) return undefined
      key += text
    }
    return Buffer.byteLength(key) <= MAX_KEY_BYTES ? key : undefined
  }
}

function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined
}
