// Which keys may verify a signature, and with which algorithms? A key that is too weak, meant for something else or
// not understood is left out and named, so that one bad key does not take the good ones with it. The algorithm comes
// from the kind of the key, never from the token's header alone (RFC 8725 section 3.1).
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { isSameKey, secretName, thumbprint } from './key-name.ts'
import { hasRocaFingerprint } from './roca.ts'

const MINIMUM_RSA_BITS = 2048
const MAXIMUM_RSA_BITS = 8192
const MINIMUM_RSA_EXPONENT = 65_537n
const MAXIMUM_KEYS = 100
/** How many keys are tried for one token: providers that leave out the `kid`, or give one `kid` to several keys. */
export const MAXIMUM_CANDIDATES = 10

const CURVE_ALGORITHM: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}
const RSA_ALGORITHMS: readonly string[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
/** The algorithms of JWE (RFC 7518 section 4.1), which wrap keys and sign nothing. */
const ENCRYPTION_ALGORITHM = /^(RSA1_5$|RSA-OAEP|ECDH-ES|A\d{3}(GCM)?KW$|PBES2-|dir$)/
const SECRET_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 }

/** A key that may verify signatures made with one of its algorithms. */
export interface VerificationKey {
  readonly keyId: string | undefined
  /** Its key id, or a name made of the key itself where it came without one. */
  readonly name: string
  readonly algorithms: readonly string[]
  readonly key: KeyObject
  /** True for a key that came without a key id by its nature (PEM, secret): it serves tokens with any `kid`. */
  readonly servesAnyKeyId: boolean
  /** True for a key of the gate's own: what it verifies is a successor. */
  readonly isOwn?: true
}

export interface RejectedKey {
  readonly keyId: string | undefined
  readonly why: string
  /** True for a key that is fine, and there for something else: every Keycloak publishes one for encryption. */
  readonly isForOtherUse: boolean
}

export interface KeySet {
  readonly keys: readonly VerificationKey[]
  /** True where the document itself lists no key at all, not even one that is left out. */
  readonly isEmpty?: boolean | undefined
  readonly rejected: readonly RejectedKey[]
}

/** Says what is wrong with key material, for the operator. Holds no key material. */
export class KeyError extends Error {
  override name = 'KeyError' as const
}

/**
 * Reads a JWK Set (RFC 7517 section 5). Unusable keys are listed as rejected (RFC 7517 section 5 asks to ignore them);
 * a document that is no JWK Set at all throws `KeyError`. An empty set is answered as such: the caller decides.
 */
export function readKeySet(text: string): KeySet {
  const documents = jwksOf(text)
  const keys: VerificationKey[] = []
  const rejected: RejectedKey[] = []
  for (const jwk of documents) {
    const keyId = nameOf(jwk.kid)
    const purpose = otherUseOf(jwk)
    const key = purpose ?? readJwk(jwk, keyId)
    if (typeof key === 'string') rejected.push({ keyId, why: key, isForOtherUse: purpose !== undefined })
    else addOnce(keys, key)
  }
  return { keys, rejected, isEmpty: documents.length === 0 }
}

/** Adds a key, or what it may do to the equal one that is there: some providers list a key twice while they rotate. */
function addOnce(keys: VerificationKey[], key: VerificationKey): void {
  const at = keys.findIndex((other) => other.keyId === key.keyId && isSameKey(other.key, key.key))
  const equal = keys[at]
  if (equal === undefined) keys.push(key)
  else keys[at] = { ...equal, algorithms: [...new Set([...equal.algorithms, ...key.algorithms])] }
}

/**
 * Reads one public key, as PEM (a certificate too) or as a JWK. Throws `KeyError` for anything else, a private key
 * among it: a verifier has no need of one.
 */
export function readPublicKey(text: string): KeySet {
  if (text.includes('PRIVATE KEY')) throw new KeyError('it holds a private key; give the public key alone')
  // A byte order mark is white space to trimStart
  const key = text.trimStart().startsWith('{') ? readSingleJwk(text) : readPem(withoutByteOrderMark(text))
  return { keys: [{ ...key, keyId: undefined, servesAnyKeyId: true }], rejected: [] }
}

type BareKey = Pick<VerificationKey, 'algorithms' | 'key' | 'name'>

function readPem(text: string): BareKey {
  let key: KeyObject
  try {
    key = createPublicKey(text)
  } catch {
    throw new KeyError('it is not a public key or certificate in PEM')
  }
  const algorithms = algorithmsOf(key)
  if (typeof algorithms === 'string') throw new KeyError(algorithms)
  return { key, algorithms, name: thumbprint(key) }
}

function readSingleJwk(text: string): BareKey {
  const jwk: unknown = parseJson(text)
  if (!isRecord(jwk)) throw new KeyError('it is not JSON')
  if (jwk.d !== undefined) throw new KeyError('it holds a private key; give the public key alone')
  const key = readJwk(jwk, undefined)
  if (typeof key === 'string') throw new KeyError(key)
  return key
}

/**
 * Reads a shared secret for the given HS* algorithms. One line end at its end is not part of it. Throws `KeyError`
 * where it is shorter than the hash (RFC 7518 section 3.2), or is really a public key, which anybody may know.
 */
export function readSecret(bytes: Buffer, algorithms: readonly string[]): KeySet {
  const secret = withoutLineEnd(bytes)
  for (const algorithm of algorithms) {
    const minimum = SECRET_BYTES[algorithm]
    if (minimum !== undefined && secret.length < minimum)
      throw new KeyError(`it has ${secret.length} bytes; ${algorithm} needs at least ${minimum}`)
  }
  if (isPublicKey(secret.toString('latin1'))) throw new KeyError('it is a key of a key pair, not a shared secret')
  const key = { keyId: undefined, name: secretName(secret), algorithms, key: createSecretKey(secret) }
  return { keys: [{ ...key, servesAnyKeyId: true }], rejected: [] }
}

/** The keys that may verify a signature of this algorithm and `kid`: at most ten, as each one costs a verification. */
export function candidates(
  keys: readonly VerificationKey[],
  algorithm: string,
  keyId: string | undefined,
): readonly VerificationKey[] {
  const fitting = keys.filter(
    (key) => key.algorithms.includes(algorithm) && (key.servesAnyKeyId || keyId === undefined || key.keyId === keyId),
  )
  return fitting.length > MAXIMUM_CANDIDATES ? fitting.slice(0, MAXIMUM_CANDIDATES) : fitting
}

/** The JWS algorithms that a public key can verify, or what is wrong with it. */
export function algorithmsOf(key: KeyObject): readonly string[] | string {
  const details = key.asymmetricKeyDetails
  switch (key.asymmetricKeyType) {
    case 'rsa': {
      const bits = details?.modulusLength ?? 0
      if (bits < MINIMUM_RSA_BITS) return `its RSA modulus has ${bits} bits, less than ${MINIMUM_RSA_BITS}`
      if (bits > MAXIMUM_RSA_BITS) return `its RSA modulus has ${bits} bits, more than ${MAXIMUM_RSA_BITS}`
      const exponent = details?.publicExponent ?? 0n
      if (exponent < MINIMUM_RSA_EXPONENT || exponent % 2n === 0n) return 'its RSA exponent is unsafe'
      if (hasRocaFingerprint(key)) return 'its RSA modulus is of a kind that can be factored (CVE-2017-15361)'
      return RSA_ALGORITHMS
    }
    case 'ec': {
      const algorithm = CURVE_ALGORITHM[details?.namedCurve ?? '']
      return algorithm === undefined ? `its curve ${details?.namedCurve} is not supported` : [algorithm]
    }
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    default:
      return `a key of type ${key.asymmetricKeyType} cannot verify signatures here`
  }
}

/** The bytes of a secret file without the one line end that editors and `kubectl create secret` leave there. */
export function withoutLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length
  if (bytes[end - 1] === 0x0a) end--
  if (bytes[end - 1] === 0x0d) end--
  return bytes.subarray(0, end)
}

function jwksOf(text: string): readonly Readonly<Record<string, unknown>>[] {
  const document = parseJson(text)
  if (document === undefined) throw new KeyError('it is not JSON')
  const keys = isRecord(document) ? document.keys : undefined
  if (!Array.isArray(keys)) throw new KeyError('it is not a JWK Set: it has no list "keys"')
  if (keys.length > MAXIMUM_KEYS) throw new KeyError(`it holds ${keys.length} keys, more than ${MAXIMUM_KEYS}`)
  return keys.map((key) => (isRecord(key) ? key : {}))
}

function readJwk(jwk: Readonly<Record<string, unknown>>, keyId: string | undefined): VerificationKey | string {
  if (jwk.kty === 'oct') return 'a symmetric key does not belong into a published key set'
  const { kty, n, e, crv, x, y } = jwk
  let key: KeyObject
  try {
    // The public members alone: a set that leaks private ones must not make us hold them.
    const members = Object.fromEntries(
      Object.entries({ kty, n, e, crv, x, y }).filter(([, given]) => given !== undefined),
    )
    key = createPublicKey({ key: members, format: 'jwk' })
  } catch {
    return 'it is not a valid public key'
  }
  const possible = algorithmsOf(key)
  if (typeof possible === 'string') return possible
  const named = given(jwk.alg)
  const name = keyId ?? thumbprint(key)
  if (named === undefined) return { keyId, name, algorithms: possible, key, servesAnyKeyId: false }
  if (typeof named !== 'string' || !possible.includes(named)) return 'its "alg" does not fit its type'
  // One signature scheme under two names (RFC 9864): providers publish the one and sign with the other.
  if (key.asymmetricKeyType === 'ed25519') return { keyId, name, algorithms: possible, key, servesAnyKeyId: false }
  return { keyId, name, algorithms: [named], key, servesAnyKeyId: false }
}

/** A number counts as its decimal text, as it does in a token; an empty name is none. */
function nameOf(kid: unknown): string | undefined {
  if (typeof kid === 'number') return String(kid)
  return typeof kid === 'string' && kid !== '' ? kid : undefined
}

/** What a key is for, where that is not signatures. */
function otherUseOf(jwk: Readonly<Record<string, unknown>>): string | undefined {
  const use = given(jwk.use)
  if (use !== undefined && use !== 'sig') return 'its "use" is not "sig"'
  const operations = given(jwk.key_ops)
  if (operations !== undefined && ![operations].flat().includes('verify')) return 'its "key_ops" has no "verify"'
  if (typeof jwk.alg === 'string' && ENCRYPTION_ALGORITHM.test(jwk.alg)) return 'its "alg" is for encryption'
  return undefined
}

/** A member of a JWK, where it says anything: some providers write `null`, or nothing, for what they do not know. */
function given(member: unknown): unknown {
  if (member === null || member === '' || (Array.isArray(member) && member.length === 0)) return undefined
  return member
}

/** Whatever stands before or after it: an HMAC with something that is published protects nothing (CVE-2026-34950). */
function isPublicKey(text: string): boolean {
  if (/-----BEGIN [A-Z ]*(?:KEY|CERTIFICATE)-----/.test(text)) return true
  try {
    createPublicKey(text.trim())
    return true
  } catch {
    return /"kty"\s*:\s*"(RSA|EC|OKP)"/.test(text)
  }
}

/** Windows editors and some providers begin a text with one; to JSON.parse it is an unexpected token. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(withoutByteOrderMark(text))
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
