// How can a secret lie in Redis, where others may read and write? Sealed with AES-256-GCM under a key that needs the whole
// access token: who has Redis alone reads nothing, and what somebody else wrote there, or moved, does not open.
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto'

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** The longest sealed text. The same for writing as for reading: what is sealed can be opened. */
const MAXIMUM_LENGTH = 64 * 1024

/** The key of what any holder of the token may know: it is derived from the token alone (HKDF, RFC 5869). */
export function keyOfHolder(token: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', token, '', 'sidegate successor', KEY_BYTES))
}

/** The key of what only a gate may know about the token: it needs a key from a file as well. */
export function keyOfGate(fileKey: Uint8Array, token: string): Uint8Array {
  const purpose = `sidegate refresh token\0${hash('sha256', token, 'hex')}`
  return new Uint8Array(hkdfSync('sha256', fileKey, '', purpose, KEY_BYTES))
}

/**
 * Seals a text for the entry of this name: under another name it does not open. The result is base64url. Throws a `RangeError`
 * for a text that is too long to be opened again.
 */
export function seal(text: string, key: Uint8Array, name: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(name))
  const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const sealed = bytes.toString('base64url')
  if (sealed.length > MAXIMUM_LENGTH) throw new RangeError(`Cannot seal a text: it has ${text.length} characters`)
  return sealed
}

/** Whether an entry is longer than anything that is sealed here. */
export function isTooLong(sealed: string): boolean {
  return sealed.length > MAXIMUM_LENGTH
}

/** Opens what was sealed, or answers nothing where the key or the name is another one, or a bit was changed. */
export function unseal(sealed: string, key: Uint8Array, name: string): string | undefined {
  if (isTooLong(sealed)) return undefined
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
