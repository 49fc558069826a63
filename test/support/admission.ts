// Would a gate admit this token? A real verifier for one issuer, and a set of tokens that were revoked.
import { type Admit, createAdmission as admissionOf } from '../../src/gate/admission.ts'
import type { VerifiedToken } from '../../src/model/decision.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { readKeySet } from '../../src/token/keys/key-set.ts'
import { createFixedKeys } from '../../src/token/keys/keys.ts'
import { createTokenMemory } from '../../src/token/verified-cache.ts'
import { createVerifier } from '../../src/token/verify.ts'
import { jwksOf, type TestKey } from './tokens.ts'

export interface TestAdmission {
  readonly verify: ReturnType<typeof createVerifier>
  readonly admit: Admit
  /** The ids of revoked tokens. */
  readonly revoked: Set<string>
}

/** Admits what the key signed for the default issuer and audience of tests. */
export function createAdmission(key: TestKey, clock: () => number): TestAdmission {
  const revoked = new Set<string>()
  const verify = createVerifier({
    issuers: [
      {
        policy: {
          issuer: 'https://id.example.com',
          audiences: ['orders'],
          algorithms: ['ES256'],
          clockToleranceSeconds: 0,
          tokenTypes: undefined,
          allowIdTokens: false,
          confirmation: 'checked',
          requiredClaims: [],
          maxLifetimeSeconds: 3600,
        },
        keys: createFixedKeys(readKeySet(jwksOf(key))),
      },
    ],
    memory: createTokenMemory({ maxEntries: 1000, maxBytes: 10_000_000, onEvict: () => {} }),
    clock,
    monotonic: () => 0,
    observe: () => {},
  })
  const admit = admissionOf({ verify, clock, revocation: ({ id }) => (revoked.has(id) ? 'revoked' : 'clear') })
  return { verify, admit, revoked }
}

/** The evidence for a token that must be good. */
export async function verified({ verify }: TestAdmission, text: string): Promise<VerifiedToken> {
  const token = await verify(text)
  if (isRefusal(token)) throw new Error(`refused as ${token.reason}`)
  return token
}
