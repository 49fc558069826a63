// Real keys and real tokens for tests: an issuer that signs whatever it is asked to.
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { VerifiedToken } from '../../src/model/decision.ts'
import { algorithmsOf } from '../../src/token/keys/key-set.ts'

export const NOW_SECONDS = 1_800_000_000

export interface TestKey {
  readonly algorithm: string
  readonly keyId: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const generate: Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }> = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  Ed25519: () => generateKeyPairSync('ed25519'),
}

/** A new key pair for an algorithm. */
export function makeKey(algorithm = 'ES256', keyId = `${algorithm}-key`): TestKey {
  const make = generate[algorithm]
  if (make === undefined) throw new Error(`No key for ${algorithm}`)
  return { algorithm, keyId, ...make() }
}

/** The public half as a member of a JWK Set. */
export function publicJwk(key: TestKey, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...key.publicKey.export({ format: 'jwk' }), kid: key.keyId, use: 'sig', ...more }
}

export function jwksOf(...keys: TestKey[]): string {
  return JSON.stringify({ keys: keys.map((key) => publicJwk(key)) })
}

export function privatePem(key: TestKey): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

export function publicPem(key: TestKey): string {
  return key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

/** base64url of text or of a value as JSON. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** A compact JWS over any header and payload, right or wrong; `header` members of `undefined` are left out. */
export function signToken(key: TestKey, payload: unknown, header: Record<string, unknown> = {}): string {
  const signedPart = `${part({ alg: key.algorithm, kid: key.keyId, ...header })}.${part(payload)}`
  return `${signedPart}.${signature(key, signedPart).toString('base64url')}`
}

/** A compact JWS by HMAC with any bytes as the secret. */
export function hmacToken(secret: Buffer | string, payload: unknown, header: Record<string, unknown> = {}): string {
  const signedPart = `${part({ alg: 'HS256', ...header })}.${part(payload)}`
  return `${signedPart}.${createHmac('sha256', secret).update(signedPart).digest('base64url')}`
}

function signature(key: TestKey, signedPart: string): Buffer {
  const data = Buffer.from(signedPart)
  if (algorithmsOf(key.publicKey).includes('EdDSA')) return sign(null, data, key.privateKey)
  const digest = `sha${key.algorithm.slice(2)}`
  if (key.algorithm.startsWith('ES')) return sign(digest, data, { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  if (key.algorithm.startsWith('PS'))
    return sign(digest, data, { key: key.privateKey, padding: 6, saltLength: Number(key.algorithm.slice(2)) / 8 })
  return sign(digest, data, key.privateKey)
}

/** Claims that the default test issuer's policy admits. */
export function goodClaims(more: Record<string, unknown> = {}, nowSeconds = NOW_SECONDS): Record<string, unknown> {
  return {
    iss: 'https://id.example.com',
    aud: 'orders',
    sub: 'alice',
    jti: 'token-1',
    iat: nowSeconds - 10,
    exp: nowSeconds + 300,
    ...more,
  }
}

/** What the verifier would answer for these claims: for parts that are asked about tokens, not for tokens themselves. */
export function verifiedToken(claims: Record<string, unknown>, more: Partial<VerifiedToken> = {}): VerifiedToken {
  const all = goodClaims(claims) as unknown as VerifiedToken['claims']
  return {
    claims: all,
    issuer: all.iss,
    algorithm: 'ES256',
    type: 'JWT',
    keyId: 'ES256-key',
    id: all.jti ?? 'sha256:none',
    refusedFromSeconds: all.exp,
    refusedBeforeSeconds: 0,
    scopes: new Set(typeof all.scope === 'string' ? all.scope.split(' ') : []),
    ...more,
  } as unknown as VerifiedToken
}

export interface SignedClaims {
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly [name: string]: unknown
}

/** The claims of a token, as anybody can read them. */
export function claimsOf(token: string | null | undefined): SignedClaims {
  return JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString())
}
