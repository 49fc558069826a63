import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/model/refusal.ts'
import { readKeySet } from '../../../src/token/keys/key-set.ts'
import { createFixedKeys } from '../../../src/token/keys/keys.ts'
import {
  createPrivateKeySigner,
  createSecretSigner,
  generateKey,
  type Signer,
} from '../../../src/token/signing/mint.ts'
import { createTokenMemory } from '../../../src/token/verified-cache.ts'
import { createVerifier } from '../../../src/token/verify.ts'
import { goodClaims, makeKey, NOW_SECONDS, part, privatePem, publicPem, type TestKey } from '../../support/tokens.ts'

const pairs: Record<string, TestKey> = {
  ES256: makeKey('ES256'),
  ES384: makeKey('ES384'),
  ES512: makeKey('ES512'),
  EdDSA: makeKey('EdDSA'),
}
const rsa = makeKey('RS256')
for (const algorithm of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) pairs[algorithm] = rsa
const secretBytes: Record<string, number> = { HS256: 32, HS384: 48, HS512: 64 }
const claims = goodClaims({ text: 'ä€😀\n"\\', nested: { list: [1, 2.5, null, true] } })

function signerFor(algorithm: string): Signer {
  const pair = pairs[algorithm]
  return pair === undefined
    ? createSecretSigner(Buffer.alloc(secretBytes[algorithm] ?? 0, 'secret '), algorithm)
    : createPrivateKeySigner(privatePem(pair), algorithm, 'k1')
}

/** What the gate makes of a token that was signed with this signer, by this algorithm and no other. */
async function verify(text: string, signer: Signer) {
  const token = await createVerifier({
    issuers: [
      {
        policy: {
          issuer: 'https://id.example.com',
          audiences: ['orders'],
          algorithms: [signer.algorithm],
          clockToleranceSeconds: 0,
          tokenTypes: undefined,
          allowIdTokens: false,
          confirmation: 'checked' as const,
          requiredClaims: [],
          maxLifetimeSeconds: 3600,
        },
        keys: createFixedKeys(signer.verification),
      },
    ],
    memory: createTokenMemory({ maxEntries: 10, maxBytes: 1_000_000, onEvict: () => {} }),
    clock: () => NOW_SECONDS * 1000,
    monotonic: () => 0,
    observe: () => {},
  })(text)
  return isRefusal(token) ? token.reason : token
}

const headerOf = (text: string) => JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString())

describe('signing tokens', () => {
  for (const algorithm of [...Object.keys(pairs), ...Object.keys(secretBytes)]) {
    it(`with ${algorithm} makes what the gate admits, every claim as it was`, async () => {
      const signer = signerFor(algorithm)
      const text = await signer.sign(claims, 'at+jwt')
      expect(await verify(text, signer)).toMatchObject({ algorithm, keyId: signer.keyId, type: 'at+jwt', claims })
      expect(headerOf(text)).toEqual({ alg: algorithm, kid: signer.keyId, typ: 'at+jwt' })
    })
  }

  it('leaves "typ" out where the token before had none', async () => {
    expect(headerOf(await signerFor('EdDSA').sign(claims, undefined))).toEqual({ alg: 'EdDSA', kid: 'k1' })
  })

  for (const algorithm of ['RS256', 'EdDSA', 'HS256']) {
    it(`with ${algorithm} gives the same bytes on every gate`, async () => {
      const [one, other] = [signerFor(algorithm), signerFor(algorithm)]
      expect(await one.sign(claims, 'JWT')).toBe(await other.sign(claims, 'JWT'))
    })
  }

  for (const algorithm of ['ES256', 'PS256']) {
    it(`with ${algorithm} gives the same claims, each time signed anew`, async () => {
      const signer = signerFor(algorithm)
      const [one, other] = [await signer.sign(claims, 'JWT'), await signer.sign(claims, 'JWT')]
      expect(one).not.toBe(other)
      expect(one.slice(0, one.lastIndexOf('.'))).toBe(other.slice(0, other.lastIndexOf('.')))
    })
  }

  it('takes a secret without the line end that its file has', async () => {
    const secret = Buffer.alloc(32, 's')
    const [bare, withLineEnd] = [secret, Buffer.concat([secret, Buffer.from('\n')])].map((bytes) =>
      createSecretSigner(bytes, 'HS256'),
    )
    expect(await withLineEnd?.sign(claims, 'JWT')).toBe(await bare?.sign(claims, 'JWT'))
  })

  it('makes nothing that another key verifies', async () => {
    const text = await signerFor('ES256').sign(claims, 'JWT')
    expect(await verify(text, createPrivateKeySigner(privatePem(makeKey('ES256')), 'ES256', 'k1'))).toBe(
      'signature_invalid',
    )
  })
})

describe('a signing key', () => {
  const misfits: Record<string, [make: () => Signer, why: string]> = {
    'of another curve': [
      () => createPrivateKeySigner(privatePem(makeKey('ES256')), 'ES384'),
      'it cannot sign with ES384; it can with ES256',
    ],
    'of another kind': [
      () => createPrivateKeySigner(privatePem(makeKey('EdDSA')), 'RS256'),
      'it cannot sign with RS256; it can with EdDSA, Ed25519',
    ],
    'that is to sign with a shared secret’s algorithm': [
      () => createPrivateKeySigner(privatePem(rsa), 'HS256'),
      'it cannot sign with HS256; it can with RS256',
    ],
    'that is public': [() => createPrivateKeySigner(publicPem(rsa), 'RS256'), 'it is not a private key in PEM or JWK'],
    'that is a public JWK': [
      () => createPrivateKeySigner(JSON.stringify(rsa.publicKey.export({ format: 'jwk' })), 'RS256'),
      'it is not a private key in PEM or JWK',
    ],
    'that is no key': [() => createPrivateKeySigner('hello', 'ES256'), 'it is not a private key in PEM or JWK'],
    'that is broken JSON': [() => createPrivateKeySigner('{', 'ES256'), 'it is not a private key in PEM or JWK'],
    'that is a secret one byte too short': [
      () => createSecretSigner(Buffer.alloc(31, 's'), 'HS256'),
      'it has 31 bytes; HS256 needs at least 32',
    ],
    'that is a secret long enough only with its line end': [
      () => createSecretSigner(Buffer.from(`${'s'.repeat(63)}\n`), 'HS512'),
      'it has 63 bytes; HS512 needs at least 64',
    ],
    'that is a public key taken for a secret': [
      () => createSecretSigner(Buffer.from(publicPem(rsa)), 'HS256'),
      'it is a key of a key pair, not a shared secret',
    ],
  }
  for (const [name, [make, why]] of Object.entries(misfits)) {
    it(`is not taken: one ${name}`, () => {
      expect(make).toThrow(expect.objectContaining({ name: 'KeyError', message: expect.stringContaining(why) }))
    })
  }

  it('is named as given, else as its JWK says, else by a digest that gives nothing away', () => {
    const pem = privatePem(rsa)
    const jwk = JSON.stringify({ ...rsa.privateKey.export({ format: 'jwk' }), kid: 'from-jwk' })
    expect(createPrivateKeySigner(jwk, 'RS256', 'given').keyId).toBe('given')
    expect(createPrivateKeySigner(jwk, 'RS256').keyId).toBe('from-jwk')
    expect(createPrivateKeySigner(pem, 'RS256').keyId).toBe(createPrivateKeySigner(pem, 'PS256').keyId)
    const secret = Buffer.alloc(32, 's')
    const { keyId } = createSecretSigner(secret, 'HS256')
    expect(keyId).toMatch(/^[\w-]{16}$/)
    expect(createHash('sha256').update(secret).digest('base64url')).not.toContain(keyId)
    expect(createSecretSigner(Buffer.concat([secret, Buffer.from('\n')]), 'HS256').keyId).toBe(keyId)
  })

  it('verifies no token with another key id', async () => {
    const signer = signerFor('HS256')
    const [header, payload, signature] = (await signer.sign(claims, 'JWT')).split('.')
    expect(header).toBe(part({ alg: 'HS256', kid: signer.keyId, typ: 'JWT' }))
    expect(await verify(`${part({ alg: 'HS256', kid: 'x', typ: 'JWT' })}.${payload}.${signature}`, signer)).toBe(
      'key_unknown',
    )
  })
})

describe('a new key', () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256']) {
    it(`for ${algorithm} signs, as PEM and as JWK, what its published half verifies`, async () => {
      const key = await generateKey(algorithm)
      const published = readKeySet(key.publicJwks)
      expect(published.rejected).toEqual([])
      expect(published.keys).toMatchObject([{ keyId: key.keyId, algorithms: expect.arrayContaining([algorithm]) }])
      for (const signer of [
        createPrivateKeySigner(key.privatePem, algorithm, key.keyId),
        createPrivateKeySigner(key.privateJwk, algorithm),
      ]) {
        const text = await signer.sign(claims, 'JWT')
        expect(await verify(text, { ...signer, verification: published })).toMatchObject({ keyId: key.keyId })
      }
    })
  }

  it('publishes nothing private', async () => {
    const [jwk] = JSON.parse((await generateKey('RS256')).publicJwks).keys
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use'])
  })

  it('is named by its thumbprint (RFC 7638), or as given', async () => {
    const key = await generateKey('ES256')
    const [{ crv, kty, x, y }] = JSON.parse(key.publicJwks).keys
    const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
    expect(key.keyId).toBe(thumbprint)
    expect((await generateKey('ES256', 'mine')).keyId).toBe('mine')
  })

  it('is another one each time', async () => {
    expect((await generateKey('EdDSA')).keyId).not.toBe((await generateKey('EdDSA')).keyId)
  })
})
