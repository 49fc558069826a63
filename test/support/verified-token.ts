// A token as token/verify.ts would have proven it, for tests of what comes after verification.
import type { Claims, VerifiedToken } from '../../src/model/decision.ts'

/** Makes the evidence out of claims: issuer, expiry and issue time have defaults, the id is the jti. */
export function verifiedToken(
  claims: Partial<Claims> = {},
  more: { keyId?: string; id?: string; isSuccessor?: boolean; originalKeyId?: string } = {},
): VerifiedToken {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const full = { iss: 'https://id.example', exp: nowSeconds + 300, iat: nowSeconds, ...claims } as Claims
  return {
    claims: full,
    issuer: full.iss,
    algorithm: 'ES256',
    type: 'JWT',
    keyId: more.keyId,
    isSuccessor: more.isSuccessor ?? false,
    originalKeyId: more.originalKeyId,
    id: more.id ?? full.jti ?? 'sha256:unnamed',
    refusedFromSeconds: full.exp + 5,
    refusedBeforeSeconds: 0,
    scopes: new Set(),
  } as unknown as VerifiedToken
}
