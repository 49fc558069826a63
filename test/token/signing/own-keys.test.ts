import { describe, expect, it } from 'vitest'
import { createPrivateKeySigner, createSecretSigner } from '../../../src/token/signing/mint.ts'
import { createOwnKeys, type OwnKey, retiredKey, signingKey } from '../../../src/token/signing/own-keys.ts'
import { makeKey, privatePem, publicJwk, publicPem } from '../../support/tokens.ts'

const signerOf = (algorithm: string, keyId: string) =>
  createPrivateKeySigner(privatePem(makeKey(algorithm)), algorithm, keyId)
const secret = signingKey(createSecretSigner(Buffer.alloc(32, 's'), 'HS256', 'shared'), false)
const setOf = (keys: readonly OwnKey[]) =>
  JSON.parse(createOwnKeys(keys).publicSet ?? 'null') as { keys: Record<string, unknown>[] }

/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4: every member that is private, of every type of key. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

describe('the public set of the gate’s keys', () => {
  for (const algorithm of ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'PS256']) {
    it(`holds the public half of a key for ${algorithm}, and no private member`, () => {
      const { keys } = setOf([signingKey(signerOf(algorithm, 'k1'), true)])
      expect(keys).toHaveLength(1)
      expect(keys[0]).toMatchObject({ kid: 'k1', alg: algorithm, use: 'sig' })
      for (const name of PRIVATE_MEMBERS) expect(keys[0]).not.toHaveProperty(name)
    })
  }

  it('holds keys that signed before and keys that will sign, and no secret', () => {
    const old = makeKey('ES256', 'old')
    const keys = [
      retiredKey(publicPem(old), 'ES256', 'old'),
      signingKey(signerOf('EdDSA', 'present'), true),
      signingKey(signerOf('RS256', 'next'), 2_000_000_000),
      secret,
    ]
    const set = setOf(keys)
    expect(set.keys.map(({ kid }) => kid)).toEqual(['old', 'present', 'next'])
    expect(set.keys[0]).toEqual(publicJwk(old, { alg: 'ES256' }))
    expect(JSON.stringify(set)).not.toContain(Buffer.alloc(32, 's').toString('base64url'))
  })

  it('does not exist where the keys are secrets', () => {
    expect(createOwnKeys([secret]).publicSet).toBeUndefined()
  })
})

describe('the gate’s keys', () => {
  it('all verify, whichever of them signs', () => {
    const present = signerOf('EdDSA', 'present')
    const own = createOwnKeys([signingKey(present, true), signingKey(signerOf('EdDSA', 'next'), 200), secret])
    expect(own.verification.keys.map(({ keyId }) => keyId)).toEqual(['present', 'next', 'shared'])
    expect(own.algorithms).toEqual(['EdDSA', 'HS256'])
    expect(own.signingAt(199)?.keyId).toBe('present')
    expect(own.signingAt(200)?.keyId).toBe('next')
  })
})

describe('a key whose private half is gone', () => {
  it('is read as PEM and as JWK, and is named by the settings', () => {
    const pair = makeKey('ES256', 'in-the-jwk')
    for (const text of [publicPem(pair), JSON.stringify(publicJwk(pair))]) {
      const { verification, signer } = retiredKey(text, 'ES256', 'k1')
      expect(verification.keys).toMatchObject([
        { keyId: 'k1', name: 'k1', algorithms: ['ES256'], servesAnyKeyId: false },
      ])
      expect(signer).toBeUndefined()
    }
  })

  it.each([
    ['for another algorithm', publicPem(makeKey('ES256')), 'it cannot verify RS256; it can verify ES256'],
    ['that is private after all', privatePem(makeKey('RS256')), 'it holds a private key; give the public key alone'],
    ['that is no key', 'hello', 'it is not a public key or certificate in PEM'],
  ])('is not taken: one %s', (_, text, why) => {
    expect(() => retiredKey(text, 'RS256', 'k1')).toThrow(expect.objectContaining({ name: 'KeyError', message: why }))
  })
})
