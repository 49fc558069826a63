// Public vectors of JOSE implementations' mistakes, run through the reading, the choice of keys and the verification of
// signatures as verify.ts does it. Their payloads are no claims, so claims are not judged here.
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../src/model/refusal.ts'
import { candidates, KeyError, type KeySet, readKeySet, readSecret } from '../../src/token/keys/key-set.ts'
import { readCompact } from '../../src/token/read.ts'
import { verifyingKey } from '../../src/token/signature.ts'
import { hasVectors, readVectors, withoutVectors } from '../support/vectors.ts'

type Jwk = Record<string, unknown>

interface Group {
  readonly comment: string
  readonly private?: Jwk & { keys?: Jwk[] }
  readonly public?: Jwk & { keys?: Jwk[] }
  readonly tests: readonly {
    tcId: number
    comment: string
    jws?: string | object
    jwe?: string
    result: 'valid' | 'invalid'
  }[]
}

interface Suite {
  readonly testGroups: readonly Group[]
}

const SUPPORTED_SECRETS: Record<string, number> = { HS256: 32, HS384: 48, HS512: 64 }

/** The keys as an operator would configure them: a symmetric one as a secret file, everything else as a key set. */
function configure(group: Group): KeySet {
  const given = group.public ?? group.private ?? {}
  const jwks = given.keys ?? [given]
  const [first] = jwks
  if (jwks.length === 1 && first?.kty === 'oct') return secretOf(first)
  return readKeySet(JSON.stringify({ keys: jwks }))
}

function secretOf(jwk: Jwk): KeySet {
  const algorithm = String(jwk.alg)
  if (SUPPORTED_SECRETS[algorithm] === undefined)
    return { keys: [], rejected: [{ keyId: undefined, why: 'algorithm', isForOtherUse: false }] }
  if (jwk.use !== undefined && jwk.use !== 'sig')
    return { keys: [], rejected: [{ keyId: undefined, why: 'use', isForOtherUse: true }] }
  const bytes = Buffer.from(String(jwk.k), 'base64url')
  try {
    return readSecret(bytes, [algorithm])
  } catch (error) {
    if (!(error instanceof KeyError)) throw error
    return { keys: [], rejected: [{ keyId: undefined, why: error.message, isForOtherUse: false }] }
  }
}

/** A token in JSON serialization is an object in the data: it would reach us as its text. */
function textOf(given: string | object | undefined): string {
  return typeof given === 'string' ? given : JSON.stringify(given ?? '')
}

async function isAdmitted(given: string | object | undefined, keys: KeySet): Promise<boolean> {
  const token = readCompact(textOf(given))
  if (isRefusal(token)) return false
  return (await verifyingKey(token, candidates(keys.keys, token.header.alg, token.header.kid))) !== undefined
}

describe.skipIf(!hasVectors)(`Wycheproof (${hasVectors ? 'present' : withoutVectors})`, () => {
  // holds: wycheproof-json-web-signatures, rsa-padding-forgeries
  it('JSON web signatures: 40 are admitted, 359 refused, 2 are mislabelled', async () => {
    // The padding of 367 and 370 was lost: they are the same bytes as the valid 357.
    const mislabelled = new Set([367, 370])
    // Labelled valid, and yet: 346 and 350 are PS384 under a key for PS256, 347 and 351 have a key with the unknown
    // algorithm "ES521", 372 and 373 have a "?" inside a part.
    const refusedByPolicy = new Set([346, 350, 347, 351, 372, 373])
    const counts = { admitted: 0, refused: 0, skipped: 0 }
    for (const group of readVectors<Suite>('wycheproof/json_web_signature_test.json').testGroups) {
      const keys = configure(group)
      for (const test of group.tests) {
        if (mislabelled.has(test.tcId)) {
          counts.skipped++
          continue
        }
        const expected = test.result === 'valid' && !refusedByPolicy.has(test.tcId)
        const admitted = await isAdmitted(test.jws, keys)
        expect({ ...test, admitted }).toMatchObject({ admitted: expected })
        counts[admitted ? 'admitted' : 'refused']++
      }
    }
    expect(counts).toEqual({ admitted: 40, refused: 359, skipped: 2 })
  })

  // holds: wycheproof-json-web-keys
  it('JSON web keys: no unsafe, ambiguous or unfit key verifies anything', async () => {
    expect(await contradictions('wycheproof/json_web_key_test.json')).toEqual(['jws_keyset acceptsValid'])
  })

  it('JSON web crypto: every signature as labelled, every encrypted token refused', async () => {
    expect(await contradictions('wycheproof/json_web_crypto_test.json')).toEqual(['jws_keyset acceptsValid'])
  })

  /**
   * What is not decided as the suite labels it. One case is, by policy: two symmetric keys in one published key set, which
   * we never take from one.
   */
  async function contradictions(file: string): Promise<readonly string[]> {
    const found: string[] = []
    for (const group of readVectors<Suite>(file).testGroups)
      for (const test of group.tests) {
        if (test.jwe !== undefined) expect(readCompact(textOf(test.jwe))).toMatchObject({ reason: 'token_malformed' })
        if (test.jws === undefined) continue
        const admitted = await isAdmitted(test.jws, configure(group))
        if (admitted !== (test.result === 'valid')) found.push(`${group.comment} ${test.comment}`)
      }
    return found
  }

  // holds: encrypted-tokens
  it('JSON web encryption: all 139 refused unread', () => {
    let count = 0
    for (const group of readVectors<Suite>('wycheproof/json_web_encryption_test.json').testGroups)
      for (const test of group.tests) {
        expect(readCompact(textOf(test.jwe))).toMatchObject({ reason: 'token_malformed' })
        count++
      }
    expect(count).toBe(139)
  })
})

interface Example {
  readonly title: string
  readonly input: { readonly key?: Jwk; readonly alg?: string }
  readonly output: { readonly compact?: string }
}

describe.skipIf(!hasVectors)('the examples of RFC 7520, RFC 7797 and RFC 8037', () => {
  const admitted: Record<string, string> = {
    'RSA PKCS#1': 'jws/4_1.rsa_v15_signature.json',
    'RSA PSS': 'jws/4_2.rsa-pss_signature.json',
    ECDSA: 'jws/4_3.ecdsa_signature.json',
    HMAC: 'jws/4_4.hmac-sha2_integrity_protection.json',
    Ed25519: 'curve25519/jws.json',
  }
  for (const [name, file] of Object.entries(admitted)) {
    // holds: examples-of-rfc-7520-7797-8037
    it(`${name} is admitted`, async () => {
      const { input, output } = readVectors<Example>(`cookbook/${file}`)
      const key = { ...input.key, alg: input.alg ?? input.key?.alg, use: 'sig' }
      const keys = configure({ comment: '', private: key, tests: [] })
      expect(await isAdmitted(output.compact, keys)).toBe(true)
    })
  }

  const refused: Record<string, string> = {
    // holds: examples-of-rfc-7520-7797-8037
    'a detached payload': 'jws/4_5.signature_with_detached_content.json',
    'an unencoded payload': 'rfc7797/4.2.hmac-sha2_b64_false.json',
    'another unencoded payload': 'rfc7797/hmac-sha2_b64_false.json',
  }
  for (const [name, file] of Object.entries(refused)) {
    it(`${name} is refused`, async () => {
      const { output } = readVectors<Example>(`cookbook/${file}`)
      const keys = { keys: [], rejected: [] }
      expect(await isAdmitted(output.compact, keys)).toBe(false)
    })
  }
})
