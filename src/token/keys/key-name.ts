// What is a key called that nobody gave a name? Every key has a name of its own, so that a rule can be against what a key
// signed, whatever the token says about the key.
import { createHash, createHmac, type KeyObject } from 'node:crypto'

/** The thumbprint of a public key (RFC 7638 section 3), the `kid` that `sidegate keys generate` writes. */
export function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' })
  // The required members in this order; JSON leaves out those that the type does not have.
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

/** The same for a secret, by way of HMAC: a plain digest would help to guess a weak secret. */
export function secretName(secret: Buffer): string {
  return createHmac('sha256', secret).update('sidegate key id').digest('base64url').slice(0, 16)
}

/**
 * True where both are the same key. `KeyObject.equals` is not asked about public keys: where their types differ it leaves an
 * error in the queue of OpenSSL, and the next private key that is read fails with it.
 */
export function isSameKey(one: KeyObject, other: KeyObject): boolean {
  if (one.type !== other.type) return false
  return one.type === 'secret' ? one.equals(other) : thumbprint(one) === thumbprint(other)
}
