// What does the key file for refresh tokens hold? Keys of 32 bytes, one in a line. No message holds a character of it.
const KEY_BYTES = 32
const MAXIMUM_KEYS = 16
const HEX = /^[0-9a-f]{64}$/i
/** 43 characters carry 32 bytes; the last one has two bits that are not used and have to be 0. */
const BASE64 = /^[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$/

/** Why a file holds no keys for refresh tokens. */
export class StoreKeyError extends Error {
  override name = 'StoreKeyError' as const
}

/** Reads the keys, each as base64 or hex in a line of its own: the first encrypts, all decrypt. Throws `StoreKeyError`. */
export function readStoreKeys(text: string): readonly Uint8Array[] {
  const lines = text.split('\n').map((line) => line.trim())
  const keys = lines.flatMap((line, index) => (line === '' ? [] : [readKey(line, index + 1)]))
  if (keys.length === 0) throw new StoreKeyError('it holds no key')
  if (keys.length > MAXIMUM_KEYS) throw new StoreKeyError(`it holds ${keys.length} keys; at most ${MAXIMUM_KEYS}`)
  return keys
}

function readKey(line: string, number: number): Uint8Array {
  if (HEX.test(line)) return Buffer.from(line, 'hex')
  if (BASE64.test(line)) return Buffer.from(line, 'base64')
  throw new StoreKeyError(
    `line ${number} is not ${KEY_BYTES} bytes as base64 or hex; "openssl rand -base64 ${KEY_BYTES}" makes such a key`,
  )
}
