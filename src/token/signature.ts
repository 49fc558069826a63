// Was this token signed with one of these keys? jose answers; nothing else is asked of it here.
import { compactVerify, errors } from 'jose'
import type { VerificationKey } from './key-set.ts'
import type { CompactToken } from './read.ts'

/** True where one of the keys verifies the signature (RFC 7515 section 5.2), with the algorithm of the header alone. */
export async function hasValidSignature(token: CompactToken, keys: readonly VerificationKey[]): Promise<boolean> {
  if (token.signatureBytes === 0) return false
  for (const { key } of keys) {
    try {
      await compactVerify(token.text, key, { algorithms: [token.header.alg] })
      return true
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
    }
  }
  return false
}
