// What does a token say, read strictly and believed in nothing? This comes before jose, which is laxer: it takes
// padding, inner white space and unused bits in base64url, so one token would have many spellings (RFC 7515 section 2).
import { isRefusal, type Refusal, refuse } from '../model/refusal.ts'
import { parseJsonObject } from './json.ts'
import { plainClaims } from './plain-claims.ts'

const MAXIMUM_KEY_ID_LENGTH = 256

/** The protected header of a JWS, its members checked for their type. */
export interface TokenHeader {
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
}

/** A JWS whose parts are spelled in the one canonical way; what it says is not read yet. */
export interface CompactToken {
  readonly text: string
  readonly header: TokenHeader
  readonly payloadBytes: Uint8Array
  /** `header.payload`: the bytes that are signed. The signature can be spelled in several ways, these cannot. */
  readonly signedPart: string
  readonly signatureBytes: number
}

/** A token that is well formed, and nothing more. */
export interface UnverifiedToken extends CompactToken {
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Reads a JWT: a compact JWS whose payload is a JSON object without duplicate members (RFC 7519, RFC 8725 section 3).
 * Answers `token_malformed` with the place for the operator.
 */
export function readToken(text: string): UnverifiedToken | Refusal {
  const compact = readCompact(text)
  if (isRefusal(compact)) return compact
  const payload = parseJsonObject(compact.payloadBytes)
  if (payload === undefined) return malformed('its payload is not one plain JSON object')
  return { ...compact, payload: plainClaims(payload) }
}

/** When a token says that it was issued, in unix seconds, believed in nothing; 0 where it does not say. */
export function issuedAtOf(text: string): number {
  const token = readToken(text)
  return isRefusal(token) || typeof token.payload.iat !== 'number' ? 0 : token.payload.iat
}

/**
 * Reads a JWS in compact serialization (RFC 7515 section 7.1): exactly three parts, canonical base64url, a header that
 * is a JSON object without duplicate members.
 * Headers that change how a token is to be read (`crit`, `b64`, `zip`, `enc`) are refused: none is supported, and
 * RFC 7515 section 4.1.11 asks to refuse what is not understood. `jwk`, `jku`, `x5u` and `x5c` are never looked at.
 */
export function readCompact(text: string): CompactToken | Refusal {
  const firstDot = text.indexOf('.')
  const secondDot = firstDot === -1 ? -1 : text.indexOf('.', firstDot + 1)
  if (secondDot === -1) return malformed('it does not have three parts')
  if (text.indexOf('.', secondDot + 1) !== -1) return malformed('it has more than three parts')

  const headerBytes = decodePart(text.slice(0, firstDot))
  const payloadBytes = decodePart(text.slice(firstDot + 1, secondDot))
  const signature = decodePart(text.slice(secondDot + 1))
  if (headerBytes === undefined || payloadBytes === undefined || signature === undefined)
    return malformed('a part is not canonical base64url')

  const header = readHeader(headerBytes)
  if (typeof header === 'string') return malformed(header)
  return { text, header, payloadBytes, signedPart: text.slice(0, secondDot), signatureBytes: signature.length }
}

/** Answers the bytes, or nothing where another spelling of the same bytes exists (padding, spaces, unused bits). */
function decodePart(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}

function readHeader(bytes: Buffer): TokenHeader | string {
  const header = parseJsonObject(bytes)
  if (header === undefined) return 'its header is not one plain JSON object'
  for (const name of ['crit', 'b64', 'zip', 'enc']) if (Object.hasOwn(header, name)) return `its header has "${name}"`
  const { alg, typ } = header
  const kid = keyIdOf(header.kid)
  if (typeof alg !== 'string') return 'its header has no "alg"'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAXIMUM_KEY_ID_LENGTH))
    return '"kid" in its header is not a short string'
  if (typ !== undefined && typeof typ !== 'string') return '"typ" in its header is not a string'
  return { alg, kid, typ }
}

/** Some providers write `null` for no key id, or a number; a key set is read the same way. */
function keyIdOf(kid: unknown): unknown {
  if (kid === null) return undefined
  return Number.isSafeInteger(kid) ? String(kid) : kid
}

function malformed(detail: string): Refusal {
  return refuse('token_malformed', { detail })
}
