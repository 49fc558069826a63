import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isRefusal, refuse } from '../../src/model/refusal.ts'
import type { IssuerPolicy } from '../../src/token/claims.ts'
import { readKeySet, readPublicKey, readSecret } from '../../src/token/keys/key-set.ts'
import { createFixedKeys, type KeySource, OUT_OF_DATE, withOwnKeys } from '../../src/token/keys/keys.ts'
import { verificationCost } from '../../src/token/signature-budget.ts'
import { createOwnKeys, retiredKey } from '../../src/token/signing/own-keys.ts'
import { createTokenMemory } from '../../src/token/verified-cache.ts'
import { createVerifier, type Verified } from '../../src/token/verify.ts'
import {
  goodClaims,
  hmacToken,
  jwksOf,
  makeKey,
  NOW_SECONDS,
  part,
  publicJwk,
  publicPem,
  signToken,
} from '../support/tokens.ts'

const es256 = makeKey('ES256')
const other = makeKey('ES256', 'other')
const rs256 = makeKey('RS256')
const ps256 = makeKey('PS256')
const es384 = makeKey('ES384')
const es512 = makeKey('ES512')
const eddsa = makeKey('EdDSA')

const policy: IssuerPolicy = {
  issuer: 'https://id.example.com',
  audiences: ['orders', 'billing'],
  algorithms: ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'],
  clockToleranceSeconds: 5,
  tokenTypes: undefined,
  allowIdTokens: false,
  confirmation: 'checked' as const,
  requiredClaims: [],
  maxLifetimeSeconds: 3600,
}
const keys = createFixedKeys(readKeySet(jwksOf(es256, rs256, ps256, es384, es512, eddsa)))

interface World {
  readonly policy?: Partial<IssuerPolicy>
  readonly keys?: KeySource
  readonly clock?: { nowMs: number }
}

function createWorld(world: World = {}) {
  const observed: string[] = []
  const clock = world.clock ?? { nowMs: NOW_SECONDS * 1000 }
  const verify = createVerifier({
    issuers: [{ policy: { ...policy, ...world.policy }, keys: world.keys ?? keys }],
    memory: createTokenMemory({ maxEntries: 100, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => clock.nowMs,
    monotonic: () => 0,
    observe: (algorithm, remembered) => observed.push(`${algorithm} ${remembered ? 'remembered' : 'verified'}`),
  })
  return { verify, observed, clock }
}

const verify = (token: string, world: World = {}): Verified | Promise<Verified> => createWorld(world).verify(token)

describe('verifying a token', () => {
  for (const key of [es256, rs256, ps256, es384, eddsa]) {
    it(`admits one signed with ${key.algorithm}`, async () => {
      const token = await verify(signToken(key, goodClaims()))
      expect(token).toMatchObject({ algorithm: key.algorithm, keyId: key.keyId, id: 'token-1', issuer: policy.issuer })
    })
  }

  it('admits one signed with HS256 and the shared secret, where that is configured', async () => {
    const secret = Buffer.alloc(32, 7)
    const world = { policy: { algorithms: ['HS256'] }, keys: createFixedKeys(readSecret(secret, ['HS256'])) }
    expect(await verify(hmacToken(secret, goodClaims()), world)).toMatchObject({ algorithm: 'HS256' })
  })

  const spelled = (alg: unknown) => `${part({ alg, kid: es256.keyId })}.${part(goodClaims())}.`
  const good = signToken(es256, goodClaims())
  const refused: Record<string, [token: string, reason: string, world?: World]> = {
    'alg none': [spelled('none'), 'algorithm_not_allowed'],
    'alg None': [spelled('None'), 'algorithm_not_allowed'],
    'alg NONE': [spelled('NONE'), 'algorithm_not_allowed'],
    // holds: alg-none-in-every-spelling
    'alg nOnE': [spelled('nOnE'), 'algorithm_not_allowed'],
    'alg in lower case': [spelled('es256'), 'algorithm_not_allowed'],
    'an algorithm that the issuer does not use': [signToken(es512, goodClaims()), 'algorithm_not_allowed'],
    'HMAC with the public key in PEM as the secret': [
      hmacToken(publicPem(rs256), goodClaims(), { kid: rs256.keyId }),
      'algorithm_not_allowed',
    ],
    'HMAC with the public JWK as the secret, even where HS256 is allowed': [
      hmacToken(JSON.stringify(publicJwk(rs256)), goodClaims(), { kid: rs256.keyId }),
      'key_unknown',
      { policy: { algorithms: ['HS256', 'RS256'] } },
    ],
    // holds: curves-that-do-not-fit
    'an algorithm that does not fit the key': [signToken(es256, goodClaims(), { alg: 'ES384' }), 'key_unknown'],
    'an empty signature': [good.slice(0, good.lastIndexOf('.') + 1), 'signature_invalid'],
    'the signature of another key': [signToken(other, goodClaims(), { kid: es256.keyId }), 'signature_invalid'],
    'a signature of zeros (CVE-2022-21449)': [
      `${good.slice(0, good.lastIndexOf('.'))}.${Buffer.alloc(64).toString('base64url')}`,
      'signature_invalid',
    ],
    'a changed payload': [good.replace(/\.[^.]+\./, `.${part(goodClaims({ sub: 'mallory' }))}.`), 'signature_invalid'],
    'an unknown key': [signToken(other, goodClaims()), 'key_unknown'],
    // holds: key-id-that-is-a-path
    'a key id that is a path': [signToken(es256, goodClaims(), { kid: '../../../../dev/null' }), 'key_unknown'],
    'a key id that is SQL': [signToken(es256, goodClaims(), { kid: "' OR 1=1 --" }), 'key_unknown'],
    // holds: key-id-that-is-a-path
    'a key id named __proto__': [signToken(es256, goodClaims(), { kid: '__proto__' }), 'key_unknown'],
    'a key that the token brings along': [
      signToken(other, goodClaims(), { jwk: publicJwk(other), jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }),
      'key_unknown',
    ],
    // holds: iss-absent-or-other
    'another issuer': [signToken(es256, goodClaims({ iss: 'https://id.example.com/' })), 'issuer_unknown'],
    'no issuer': [signToken(es256, goodClaims({ iss: undefined })), 'issuer_unknown'],
    // holds: iss-absent-or-other
    'an issuer that is a list': [signToken(es256, goodClaims({ iss: [policy.issuer] })), 'token_malformed'],
    // holds: another-kind-token-same-issuer
    'another audience': [signToken(es256, goodClaims({ aud: 'shipping' })), 'audience_mismatch'],
    // holds: aud-in-every-form
    'an audience that only begins like ours': [signToken(es256, goodClaims({ aud: 'orders2' })), 'audience_mismatch'],
    'no audience': [signToken(es256, goodClaims({ aud: undefined })), 'audience_mismatch'],
    // holds: aud-in-every-form
    'an empty list of audiences': [signToken(es256, goodClaims({ aud: [] })), 'audience_mismatch'],
    'an audience that is a number': [signToken(es256, goodClaims({ aud: 1 })), 'token_malformed'],
    'no expiry': [signToken(es256, goodClaims({ exp: undefined })), 'claim_missing'],
    // holds: claims-of-wrong-type
    'an expiry that is a text': [signToken(es256, goodClaims({ exp: `${NOW_SECONDS + 60}` })), 'token_malformed'],
    // holds: claims-of-wrong-type
    'a negative expiry': [signToken(es256, goodClaims({ exp: -1 })), 'token_malformed'],
    'an expiry beyond 2^53': [signToken(es256, goodClaims({ exp: 2 ** 53 })), 'token_malformed'],
    'an issue time that is a text': [signToken(es256, goodClaims({ iat: 'now' })), 'token_malformed'],
    'a subject that is a fraction': [signToken(es256, goodClaims({ sub: 1.5 })), 'token_malformed'],
    'a client that no rule can name': [signToken(es256, goodClaims({ azp: 'a'.repeat(1100) })), 'token_malformed'],
    'a client that is a list': [signToken(es256, goodClaims({ azp: ['a'] })), 'token_malformed'],
    'a client with a control character': [signToken(es256, goodClaims({ client_id: 'a\u0085' })), 'token_malformed'],
    // holds: bound-token-without-proof
    'a token that is bound to a key': [signToken(es256, goodClaims({ cnf: { jkt: 'x' } })), 'proof_missing'],
    'a token that is bound in a way nobody knows': [signToken(es256, goodClaims({ cnf: 'x' })), 'proof_missing'],
    // holds: jti-of-every-form
    'a jti with a line end': [signToken(es256, goodClaims({ jti: 'a\nb' })), 'token_malformed'],
    'a jti that no rule can name': [signToken(es256, goodClaims({ jti: 'j'.repeat(1025) })), 'token_malformed'],
    // holds: too-long-lifetime
    'too long a lifetime': [signToken(es256, goodClaims({ exp: NOW_SECONDS + 3600 })), 'lifetime_too_long'],
    'too long a lifetime without an issue time': [
      signToken(es256, goodClaims({ iat: undefined, exp: NOW_SECONDS + 3601 })),
      'lifetime_too_long',
    ],
    'too long a lifetime by an issue time in the future': [
      signToken(es256, goodClaims({ iat: NOW_SECONDS + 9000, exp: NOW_SECONDS + 9300 })),
      'lifetime_too_long',
    ],
    // holds: another-kind-token-same-issuer
    'another type': [
      signToken(es256, goodClaims(), { typ: 'JWT' }),
      'type_mismatch',
      { policy: { tokenTypes: ['at+jwt'] } },
    ],
    'no type, where one is asked for': [good, 'type_mismatch', { policy: { tokenTypes: ['at+jwt'] } }],
    'a required claim missing': [good, 'claim_missing', { policy: { requiredClaims: ['tenant'] } }],
    'a required claim that is null': [
      signToken(es256, goodClaims({ tenant: null })),
      'claim_missing',
      { policy: { requiredClaims: ['tenant'] } },
    ],
    'a claim that poses as a refusal': [
      signToken(other, goodClaims({ reason: 'x', decision: 'permit' }), { kid: es256.keyId }),
      'signature_invalid',
    ],
  }
  for (const [name, [token, reason, world]] of Object.entries(refused)) {
    it(`refuses ${name} as ${reason}`, async () => {
      expect(await verify(token, world)).toMatchObject({ decision: 'refuse', reason })
    })
  }

  it('takes a claim named like a member of a refusal for what it is', async () => {
    const claims = goodClaims({ reason: 'token_expired', decision: 'refuse', issuer: 'x' })
    expect(await verify(signToken(es256, claims))).toMatchObject({ id: 'token-1', claims: { decision: 'refuse' } })
  })

  it('compares the type as a media type, without case', async () => {
    const world = { policy: { tokenTypes: ['at+jwt'] } }
    expect(isRefusal(await verify(signToken(es256, goodClaims(), { typ: 'application/AT+JWT' }), world))).toBe(false)
  })

  it('reads scopes from "scope" and "scp"', async () => {
    const token = await verify(signToken(es256, goodClaims({ scope: 'read write', scp: ['admin'] })))
    expect(isRefusal(token) ? undefined : [...token.scopes]).toEqual(['read', 'write', 'admin'])
  })

  it('names a token without jti by the digest of its signed part, whatever the signature', async () => {
    const claims = goodClaims({ jti: undefined })
    const first = signToken(es256, claims)
    const second = signToken(es256, claims)
    const id = `sha256:${createHash('sha256')
      .update(first.slice(0, first.lastIndexOf('.')))
      .digest('base64url')}`
    expect(first).not.toBe(second)
    expect(await verify(first)).toMatchObject({ id })
    expect(await verify(second)).toMatchObject({ id })
    expect(await verify(signToken(es256, { ...claims, jti: '' }))).toMatchObject({
      id: expect.stringMatching(/^sha256:/),
    })
  })

  it('verifies with a public key in PEM, whatever the key id', async () => {
    const world = { keys: createFixedKeys(readPublicKey(publicPem(es256))) }
    expect(isRefusal(await verify(good, world))).toBe(false)
  })
})

describe('the key that a token was verified with', () => {
  it('is named by the key set, not by the token, which may leave it out', async () => {
    const alone = createFixedKeys(readKeySet(jwksOf(es256)))
    const token = await verify(signToken(es256, goodClaims(), { kid: undefined }), { keys: alone })
    expect(token).toMatchObject({ keyId: es256.keyId, namedKeyId: undefined })
  })

  it('has a name of its own where it came without one, whatever the token calls it', async () => {
    const world = { keys: createFixedKeys(readPublicKey(publicPem(es256))) }
    const names = await Promise.all(
      ['one', 'other', undefined].map(async (kid) => verify(signToken(es256, goodClaims(), { kid }), world)),
    )
    const [first] = names as { keyId: string }[]
    expect(first?.keyId).toMatch(/^[\w-]{43}$/)
    for (const token of names) expect(token).toMatchObject({ keyId: first?.keyId })
  })

  it("is never one of the issuer's with the algorithm that only our own key may use", async () => {
    const own = readKeySet(jwksOf(makeKey('RS256', 'own')))
    const keys = withOwnKeys(own, createFixedKeys(readKeySet(jwksOf(rs256))), ['PS256'])
    expect(keys.find('RS256', rs256.keyId)).toMatchObject({ reason: 'algorithm_not_allowed' })
    expect(keys.find('PS256', rs256.keyId)).toHaveLength(1)
    expect(keys.find('RS256', 'own')).toHaveLength(1)
  })
})

describe('several keys that a token may have been signed with', () => {
  const all = Array.from({ length: 12 }, (_, i) => makeKey('ES256', `k${i}`))

  it('are all tried where they have one kid', async () => {
    const same = [makeKey('ES256', 'same'), makeKey('ES256', 'same'), makeKey('ES256', 'same')]
    const world = { keys: createFixedKeys(readKeySet(jwksOf(...same))) }
    for (const key of same) expect(isRefusal(await verify(signToken(key, goodClaims()), world))).toBe(false)
    const forged = signToken(makeKey('ES256', 'same'), goodClaims())
    expect(await verify(forged, world)).toMatchObject({ reason: 'signature_invalid' })
  })

  it('are tried up to the tenth where the token names none', async () => {
    const world = { keys: createFixedKeys(readKeySet(jwksOf(...all))) }
    const answers = await Promise.all(all.map((key) => verify(signToken(key, goodClaims(), { kid: undefined }), world)))
    expect(answers.map(isRefusal)).toEqual([...Array(10).fill(false), true, true])
  })

  it('are each charged to the budget', () => {
    const tenKeys = readKeySet(jwksOf(...all.slice(0, 10))).keys
    expect(verificationCost('ES256', tenKeys)).toBe(10 * verificationCost('ES256', tenKeys.slice(0, 1)))
  })

  const ownKey = makeKey('ES256', 'k1')
  const own = createOwnKeys([retiredKey(publicPem(ownKey), 'ES256', 'k1')]).verification

  it('are the one of the gate and the one of the issuer where both have one kid', async () => {
    const [provider] = [makeKey('ES256', 'k1')]
    const world = { keys: withOwnKeys(own, createFixedKeys(readKeySet(jwksOf(provider))), policy.algorithms) }
    expect(await verify(signToken(ownKey, goodClaims()), world)).toMatchObject({ isSuccessor: true })
    expect(await verify(signToken(provider, goodClaims()), world)).toMatchObject({ isSuccessor: false })
    const forged = signToken(makeKey('ES256', 'k1'), goodClaims())
    expect(await verify(forged, world)).toMatchObject({ reason: 'signature_invalid' })
  })

  it('are no verdict while those of the issuer are not there: a token of its key with our kid gets 503', async () => {
    const missing: KeySource = { ...createFixedKeys(readKeySet(jwksOf())), missing: () => 'not fetched yet' }
    const world = { keys: withOwnKeys(own, missing, policy.algorithms) }
    expect(isRefusal(await verify(signToken(ownKey, goodClaims()), world))).toBe(false)
    expect(await verify(signToken(makeKey('ES256', 'k1'), goodClaims()), world)).toMatchObject({
      reason: 'keys_unavailable',
      detail: 'not fetched yet',
    })
  })
})

// holds: set-changes-during-verification
it('a set that changes while a signature is verified is no verdict on it: 503, and not remembered', async () => {
  let changes = 0
  let source = keys
  const changing: KeySource = { ...keys, revision: () => changes, find: (...asked) => source.find(...asked) }
  const { verify } = createWorld({ keys: changing })
  const fresh = { ...other, keyId: es256.keyId }
  const first = verify(signToken(fresh, goodClaims()))
  changes++
  source = createFixedKeys(readKeySet(jwksOf(fresh)))
  expect(await first).toMatchObject({ reason: 'keys_unavailable', detail: 'the keys changed meanwhile' })
  expect(isRefusal(await verify(signToken(fresh, goodClaims())))).toBe(false)
})

describe('an Ed25519 signature', () => {
  const ed25519 = makeKey('Ed25519', 'ed')
  for (const alg of ['EdDSA', 'Ed25519'])
    for (const published of ['EdDSA', 'Ed25519', undefined])
      it(`is admitted with "alg" ${alg} of a key with "alg" ${published}`, async () => {
        const set = readKeySet(JSON.stringify({ keys: [publicJwk(ed25519, { alg: published })] }))
        const world = { keys: createFixedKeys(set), policy: { algorithms: ['EdDSA', 'Ed25519'] } }
        expect(await verify(signToken(ed25519, goodClaims(), { alg }), world)).toMatchObject({ algorithm: alg })
      })

  it('is refused under a name that the settings do not list', async () => {
    const world = { keys: createFixedKeys(readKeySet(jwksOf(ed25519))), policy: { algorithms: ['EdDSA'] } }
    expect(await verify(signToken(ed25519, goodClaims()), world)).toMatchObject({ reason: 'algorithm_not_allowed' })
  })
})

describe('remembering a token', () => {
  const good = signToken(es256, goodClaims())

  it('answers a token seen before without a promise and without its signature', async () => {
    const { verify, observed } = createWorld()
    await verify(good)
    expect(verify(good)).not.toBeInstanceOf(Promise)
    expect(observed).toEqual(['ES256 verified', 'ES256 remembered'])
  })

  // holds: flood-other-spellings
  it('knows only that exact token: another signature over the same claims is verified', async () => {
    const { verify } = createWorld()
    await verify(good)
    expect(verify(signToken(es256, goodClaims()))).toBeInstanceOf(Promise)
  })

  // holds: clocks-wrong-jump, remembered-too-long
  it('does not outlive the expiry of the token, its tolerance included', async () => {
    const clock = { nowMs: NOW_SECONDS * 1000 }
    const { verify } = createWorld({ clock })
    await verify(good)
    clock.nowMs = (NOW_SECONDS + 304) * 1000
    expect(isRefusal(await verify(good))).toBe(false)
    clock.nowMs = (NOW_SECONDS + 305) * 1000
    expect(verify(good)).toMatchObject({ reason: 'token_expired' })
    expect(await verify(good)).toMatchObject({ reason: 'token_expired' })
  })

  it('counts for nothing while the keys are past their bound, and again once they were fetched', async () => {
    let isOutOfDate = false
    const changing: KeySource = {
      ...keys,
      generation: () => (isOutOfDate ? OUT_OF_DATE : 0),
      find: (...asked) => (isOutOfDate ? refuse('keys_unavailable') : keys.find(...asked)),
    }
    const { verify, observed } = createWorld({ keys: changing })
    await verify(good)
    isOutOfDate = true
    expect(await verify(good)).toMatchObject({ reason: 'keys_unavailable' })
    isOutOfDate = false
    expect(verify(good)).not.toBeInstanceOf(Promise)
    expect(observed).toEqual(['ES256 verified', 'ES256 remembered'])
  })

  // holds: remembered-too-long
  it('ends when a key was taken away', async () => {
    let generation = 0
    let source = keys
    const changing: KeySource = { ...keys, generation: () => generation, find: (...asked) => source.find(...asked) }
    const { verify } = createWorld({ keys: changing })
    await verify(good)
    source = createFixedKeys(readKeySet(jwksOf(other)))
    generation++
    expect(await verify(good)).toMatchObject({ reason: 'key_unknown' })
  })
})
