import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { candidates, readKeySet, readPublicKey, readSecret } from '../../../src/token/keys/key-set.ts'
import { jwksOf, makeKey, privatePem, publicJwk, publicPem } from '../../support/tokens.ts'

const es256 = makeKey('ES256')
const rs256 = makeKey('RS256')
const weak = { ...rs256, publicKey: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey }
const x25519 = { ...es256, publicKey: generateKeyPairSync('x25519').publicKey }
const secp256k1 = { ...es256, publicKey: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey }

/** What a provider publishes beside the keys that sign: nothing to warn of. */
const OTHER_USE = /its "use" is not "sig"|its "key_ops" has no "verify"|its "alg" is for encryption/

describe('reading a key set', () => {
  const rejected: Record<string, [jwk: Record<string, unknown>, why: string]> = {
    'a symmetric key': [
      { kty: 'oct', k: 'AAAA', kid: 'x' },
      'a symmetric key does not belong into a published key set',
    ],
    'a key for encryption': [publicJwk(es256, { use: 'enc' }), 'its "use" is not "sig"'],
    'a key that may not verify': [publicJwk(es256, { key_ops: ['sign'] }), 'its "key_ops" has no "verify"'],
    'a key that only wraps keys': [
      publicJwk(rs256, { use: undefined, alg: 'RSA-OAEP' }),
      'its "alg" is for encryption',
    ],
    // holds: wycheproof-json-web-keys
    'an RSA key of 1024 bits': [publicJwk(weak), 'its RSA modulus has 1024 bits, less than 2048'],
    'an RSA key with exponent 1': [publicJwk(rs256, { e: 'AQ' }), 'its RSA exponent is unsafe'],
    // holds: curves-that-do-not-fit
    'a key of another curve': [publicJwk(secp256k1), 'its curve secp256k1 is not supported'],
    // holds: curves-that-do-not-fit
    'a key that agrees instead of signing': [publicJwk(x25519), 'a key of type x25519 cannot verify signatures here'],
    'an alg that does not fit': [publicJwk(es256, { alg: 'ES384' }), 'its "alg" does not fit its type'],
    // holds: bad-keys-among-good
    'a point that is not on the curve': [publicJwk(es256, { x: 'AAAA' }), 'it is not a valid public key'],
    'an unknown type': [{ kty: 'LATTICE', kid: 'x' }, 'it is not a valid public key'],
  }
  for (const [name, [jwk, why]] of Object.entries(rejected)) {
    it(`leaves out ${name}, and keeps the others`, () => {
      const set = readKeySet(JSON.stringify({ keys: [{ ...jwk, kid: 'bad' }, publicJwk(makeKey('EdDSA', 'good'))] }))
      expect(set.rejected).toEqual([{ keyId: 'bad', why, isForOtherUse: OTHER_USE.test(why) }])
      expect(set.keys.map((key) => key.keyId)).toEqual(['good'])
    })
  }

  it('takes a key that is listed twice for one, with all that it may do', () => {
    const twice = [
      publicJwk(rs256, { alg: 'RS256' }),
      publicJwk(rs256, { alg: 'PS256' }),
      publicJwk(rs256, { alg: 'RS256' }),
    ]
    const set = readKeySet(JSON.stringify({ keys: twice }))
    expect(set.keys.map((key) => key.algorithms)).toEqual([['RS256', 'PS256']])
    expect(set.rejected).toEqual([])
  })

  it('compares keys of different types without a trace: the next private key can be read', () => {
    readKeySet(jwksOf(makeKey('ES256', 'same'), makeKey('RS256', 'same'), makeKey('ES384', 'same')))
    expect(createPrivateKey(privatePem(makeKey('EdDSA'))).type).toBe('private')
  })

  it('keeps different keys with one kid, and answers all of them for a token that names it', () => {
    const set = readKeySet(jwksOf(makeKey('ES256', 'same'), makeKey('ES256', 'same'), makeKey('ES384', 'same')))
    expect(candidates(set.keys, 'ES256', 'same')).toHaveLength(2)
    expect(set.rejected).toEqual([])
  })

  for (const member of ['use', 'alg', 'key_ops'])
    for (const nothing of [null, '', []])
      it(`takes a key whose "${member}" is ${JSON.stringify(nothing)} for one that does not say`, () => {
        const set = readKeySet(JSON.stringify({ keys: [publicJwk(es256, { [member]: nothing })] }))
        expect(set.keys.map(({ algorithms }) => algorithms)).toEqual([['ES256']])
      })

  it('takes a number for the kid that it spells, and an empty one for none', () => {
    const set = readKeySet(JSON.stringify({ keys: [publicJwk(es256, { kid: 17 }), publicJwk(rs256, { kid: '' })] }))
    expect(set.keys.map(({ keyId }) => keyId)).toEqual(['17', undefined])
  })

  it('takes "key_ops" that is a text instead of a list', () => {
    expect(readKeySet(JSON.stringify({ keys: [publicJwk(es256, { key_ops: 'verify' })] })).keys).toHaveLength(1)
  })

  it('reads a set that begins with a byte order mark', () => {
    expect(readKeySet(`\uFEFF${jwksOf(es256)}`).keys).toHaveLength(1)
    expect(readPublicKey(`\uFEFF${JSON.stringify(publicJwk(es256))}`).keys).toHaveLength(1)
    expect(readPublicKey(`\uFEFF${publicPem(es256)}`).keys).toHaveLength(1)
  })

  for (const alg of [undefined, 'EdDSA', 'Ed25519'])
    it(`takes an Ed25519 key with "alg" ${alg} for both names of its algorithm`, () => {
      const set = readKeySet(JSON.stringify({ keys: [publicJwk(makeKey('Ed25519'), { alg })] }))
      expect(set.keys.map(({ algorithms }) => algorithms)).toEqual([['EdDSA', 'Ed25519']])
    })

  it('tells a set without any key from one whose keys cannot be used', () => {
    expect(readKeySet('{"keys":[]}')).toMatchObject({ keys: [], isEmpty: true })
    expect(readKeySet('{"keys":[{}]}')).toMatchObject({ keys: [], isEmpty: false })
  })

  for (const [name, text] of Object.entries({ HTML: '<html>', 'a list': '[]', 'no keys': '{}', null: 'null' })) {
    it(`throws for ${name}`, () => expect(() => readKeySet(text)).toThrow(/^it is not/))
  }

  it('never takes more than ten keys into account for a token that names none', () => {
    const many = Array.from({ length: 12 }, (_, i) => makeKey('EdDSA', `k${i}`))
    expect(candidates(readKeySet(jwksOf(...many)).keys, 'EdDSA', undefined)).toHaveLength(10)
  })
})

describe('reading key files', () => {
  it('takes a public key', () => expect(readPublicKey(publicPem(es256)).keys[0]?.algorithms).toEqual(['ES256']))
  it('takes a public key as a JWK, whatever its key id', () =>
    expect(readPublicKey(JSON.stringify(publicJwk(es256))).keys[0]).toMatchObject({ servesAnyKeyId: true }))
  it('takes no private key as a JWK', () =>
    expect(() => readPublicKey(JSON.stringify(es256.privateKey.export({ format: 'jwk' })))).toThrow('private key'))
  it('takes no private key', () => expect(() => readPublicKey(privatePem(es256))).toThrow('holds a private key'))
  it('takes nothing else', () => expect(() => readPublicKey('hello')).toThrow('it is not a public key'))
  // holds: well-known-weak-secrets
  it('takes a secret as long as the hash, without its line end', () => {
    expect(readSecret(Buffer.from(`${'s'.repeat(32)}\n`), ['HS256']).keys).toHaveLength(1)
    expect(() => readSecret(Buffer.from(`${'s'.repeat(31)}\n`), ['HS256'])).toThrow(
      'it has 31 bytes; HS256 needs at least 32',
    )
  })
  for (const [name, text] of Object.entries({ PEM: publicPem(rs256), JWK: JSON.stringify(publicJwk(rs256)) })) {
    it(`takes no public key in ${name} for a secret`, () => {
      expect(() => readSecret(Buffer.from(`\n ${text}`), ['HS256'])).toThrow('it is a key of a key pair')
    })
  }
})
