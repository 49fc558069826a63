// Signs tokens: successors for the refresh, and development tokens for `sidegate token mint`.
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint, exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from 'jose'
import { secretName, thumbprint } from '../keys/key-name.ts'
import {
  algorithmsOf,
  KeyError,
  type KeySet,
  readSecret,
  withoutByteOrderMark,
  withoutLineEnd,
} from '../keys/key-set.ts'

/** A key that signs, and the public half that verifies what it signed. */
export interface Signer {
  readonly algorithm: string
  readonly keyId: string
  readonly verification: KeySet
  /** Answers the compact token. With Ed25519, RS* and HS* the same claims give the same bytes. */
  sign(claims: Readonly<Record<string, unknown>>, type: string | undefined): Promise<string>
}

/** Makes a signer from a private key in PEM or JWK. Throws `KeyError` where key and algorithm do not fit. */
export function createPrivateKeySigner(text: string, algorithm: string, givenKeyId?: string): Signer {
  const { key, jwkKeyId } = readPrivateKey(text)
  const publicKey = createPublicKey(key)
  const possible = algorithmsOf(publicKey)
  if (typeof possible === 'string') throw new KeyError(possible)
  if (!possible.includes(algorithm))
    throw new KeyError(`it cannot sign with ${algorithm}; it can with ${possible.join(', ')}`)
  const keyId = givenKeyId ?? jwkKeyId ?? thumbprint(publicKey)
  const verification = { keyId, name: keyId, algorithms: [algorithm], key: publicKey, servesAnyKeyId: false }
  return createSigner(key, algorithm, keyId, { keys: [verification], rejected: [] })
}

/** Signs what the gate says of itself, such as a client assertion (RFC 7523). */
export type SignAssertion = (claims: Readonly<Record<string, unknown>>) => Promise<string>

/**
 * Makes what signs assertions with a private key in PEM or JWK. Without a key id, neither given nor in the JWK, the header names
 * none: who registered one key knows it without. Throws `KeyError` where key and algorithm do not fit.
 */
export function createAssertionSigner(text: string, algorithm: string, givenKeyId?: string): SignAssertion {
  createPrivateKeySigner(text, algorithm)
  const { key, jwkKeyId } = readPrivateKey(text)
  const keyId = givenKeyId ?? jwkKeyId
  const header = { alg: algorithm, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) }
  return (claims) =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader(header).sign(key)
}

/** Makes a signer from a shared secret. Throws `KeyError` where the secret is shorter than the hash. */
export function createSecretSigner(bytes: Buffer, algorithm: string, givenKeyId?: string): Signer {
  const [verification] = readSecret(bytes, [algorithm]).keys
  if (verification === undefined) throw new KeyError('it holds no key')
  const keyId = givenKeyId ?? secretName(withoutLineEnd(bytes))
  const keys = [{ ...verification, keyId, name: keyId, servesAnyKeyId: false }]
  return createSigner(createSecretKey(withoutLineEnd(bytes)), algorithm, keyId, { keys, rejected: [] })
}

/** A new key pair: the private half as PKCS#8 PEM and as JWK, the public half as SPKI PEM and as a JWK Set. */
export interface GeneratedKey {
  readonly keyId: string
  readonly privatePem: string
  readonly privateJwk: string
  readonly publicPem: string
  readonly publicJwks: string
}

/** Makes a key pair for a signature algorithm; its key id is the RFC 7638 thumbprint unless one is given. */
export async function generateKey(algorithm: string, givenKeyId?: string): Promise<GeneratedKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const keyId = givenKeyId ?? (await calculateJwkThumbprint(publicJwk))
  const common = { kid: keyId, alg: algorithm, use: 'sig' }
  return {
    keyId,
    privatePem: withLineEnd(await exportPKCS8(privateKey)),
    privateJwk: `${JSON.stringify({ ...(await exportJWK(privateKey)), ...common }, null, 2)}\n`,
    publicPem: withLineEnd(await exportSPKI(publicKey)),
    publicJwks: `${JSON.stringify({ keys: [{ ...publicJwk, ...common }] }, null, 2)}\n`,
  }
}

function withLineEnd(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

function createSigner(key: KeyObject, algorithm: string, keyId: string, verification: KeySet): Signer {
  const encoder = new TextEncoder()
  return {
    algorithm,
    keyId,
    verification,
    sign: (claims, type) =>
      new CompactSign(encoder.encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: algorithm, kid: keyId, ...(type === undefined ? {} : { typ: type }) })
        .sign(key),
  }
}

function readPrivateKey(given: string): { readonly key: KeyObject; readonly jwkKeyId: string | undefined } {
  const text = withoutByteOrderMark(given)
  try {
    if (!text.trimStart().startsWith('{')) return { key: createPrivateKey(text), jwkKeyId: undefined }
    const jwk = JSON.parse(text) as { kid?: unknown }
    const key = createPrivateKey({ key: jwk as import('node:crypto').JsonWebKey, format: 'jwk' })
    return { key, jwkKeyId: typeof jwk.kid === 'string' ? jwk.kid : undefined }
  } catch {
    throw new KeyError('it is not a private key in PEM or JWK')
  }
}
