// Which of these keys signed this token? jose answers; nothing else is asked of it here.
import { compactVerify, errors } from 'jose'
import type { VerificationKey } from './keys/key-set.ts'
import type { CompactToken } from './read.ts'

/**
 * Answers the key that verifies the signature (RFC 7515 section 5.2), with the algorithm of the header alone, or nothing
 * where none does.
 */
export async function verifyingKey(
  token: CompactToken,
  keys: readonly VerificationKey[],
): Promise<VerificationKey | undefined> {
  if (token.signatureBytes === 0) return undefined
  for (const candidate of keys) {
    try {
      await compactVerify(token.text, candidate.key, { algorithms: [token.header.alg] })
      return candidate
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
    }
  }
  return undefined
}
