import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Fetch } from '../../../src/outbound-http/fetch.ts'
import { fetchByDiscovery, fetchFrom } from '../../../src/token/keys/fetch-keys.ts'
import { readKeySet } from '../../../src/token/keys/key-set.ts'
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts'
import { startIdentityProvider } from '../../support/identity-provider.ts'
import { answerWith, drip, flood, type KeyAnswer, type KeyServer, startKeyServer } from '../../support/key-server.ts'

const closing: (() => Promise<void>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

async function start(answer: KeyAnswer): Promise<KeyServer> {
  const server = await startKeyServer(answer)
  closing.push(server.close)
  return server
}

describe('fetching a key set', () => {
  it('answers the text as it came', async () => {
    const { url } = await start(answerWith('{"keys":[]}'))
    expect(await fetchFrom(url, fetch)()).toBe('{"keys":[]}')
  })

  const troubles: Record<string, [answer: KeyAnswer, why: string]> = {
    'status 500': [answerWith('', 500), 'status is 500'],
    'status 404': [answerWith('', 404), 'status is 404'],
    'status 204': [(res) => void res.writeHead(204).end(), 'status is 204'],
    'a redirect': [answerWith('', 302, { location: 'http://127.0.0.1:1/' }), 'unexpected redirect'],
    'a redirect to itself': [answerWith('', 307, { location: '/jwks' }), 'unexpected redirect'],
    'ten megabytes': [flood(10_000_000), 'the answer is larger than 1048576 bytes'],
    'a broken connection': [(res) => void res.destroy(), 'other side closed'],
    'an answer that breaks off': [
      (res) => {
        res.writeHead(200, { 'content-length': '100' }).write('{')
        setImmediate(() => res.destroy())
      },
      'other side closed',
    ],
    'an answer that drips': [drip, 'no answer within 5 s'],
    'no answer': [() => {}, 'no answer within 5 s'],
  }
  for (const [name, [answer, why]] of Object.entries(troubles)) {
    it.concurrent(`says in plain words: ${name}`, async () => {
      const server = await startKeyServer(answer)
      await expect(fetchFrom(server.url, fetch)()).rejects.toThrow(
        `Cannot load keys from ${JSON.stringify(server.url)}: ${why}`,
      )
      expect(server.asked).toHaveLength(1)
      await server.close()
    })
  }

  it('says when nobody listens', async () => {
    const { url, close } = await startKeyServer(answerWith(''))
    await close()
    await expect(fetchFrom(url, fetch)()).rejects.toThrow(/: connect ECONNREFUSED 127\.0\.0\.1:/)
  })

  // holds: keys-answered-badly
  it('hangs up on an endless answer', async () => {
    let hasHungUp: Promise<unknown> = Promise.resolve()
    const { url } = await start((res, req) => {
      hasHungUp = new Promise((resolve) => res.on('close', resolve))
      flood(Number.POSITIVE_INFINITY)(res, req)
    })
    await expect(fetchFrom(url, fetch)()).rejects.toThrow('larger')
    await hasHungUp
  })
})

describe('fetching a key set over TLS', () => {
  let certificates: TestCertificates
  beforeAll(() => {
    certificates = makeCertificates()
    return certificates.remove
  })

  it('says what is wrong with a certificate of an authority that is not known, and what would be right', async () => {
    const server = await startKeyServer(answerWith('{"keys":[]}'), certificates)
    closing.push(server.close)
    await expect(fetchFrom(server.url, fetch)()).rejects.toThrow(
      `Cannot load keys from "${server.url}": unable to verify the first certificate: set keys.caFile to a file with the certificates that vouch for this server`,
    )
    await expect(fetchByDiscovery(server.origin, fetch)()).rejects.toThrow('set keys.caFile to a file')
    expect(server.asked).toEqual([])
  })

  it('says that a chain ends in a certificate that vouches for itself', async () => {
    const { certificate, privateKey, authority } = certificates
    const server = await startKeyServer(answerWith('{"keys":[]}'), {
      ...certificates,
      certificate: certificate + authority,
      privateKey,
    })
    closing.push(server.close)
    await expect(fetchFrom(server.url, fetch)()).rejects.toThrow(
      'self-signed certificate in certificate chain: set keys.caFile to a file',
    )
  })

  it('says that a port does not speak TLS', async () => {
    const { url } = await start(answerWith('{"keys":[]}'))
    await expect(fetchFrom(url.replace('http:', 'https:'), fetch)()).rejects.toThrow('that port does not speak TLS')
  })
})

describe('finding a key set by discovery', () => {
  /** An issuer at `https://id.example.com` whose bytes come from this server. */
  const overTls =
    ({ origin }: KeyServer): Fetch =>
    (url, init) =>
      fetch(String(url).replace('https://id.example.com', origin), init)
  const documentOf = (members: Record<string, unknown>): KeyAnswer => answerWith(JSON.stringify(members))

  it('asks a real provider', async () => {
    const provider = await startIdentityProvider()
    closing.push(provider.close)
    const set = readKeySet(await fetchByDiscovery(provider.issuer, fetch)())
    expect(set.keys.map(({ keyId, algorithms }) => [keyId, algorithms])).toEqual([['provider-key', ['ES256']]])
  })

  it('looks below the issuer, whether or not it ends in a slash', async () => {
    for (const path of ['', '/', '/tenant', '/tenant/']) {
      const server = await start((res, req) =>
        documentOf({ issuer: `${server.origin}${path}`, jwks_uri: server.url })(res, req),
      )
      await fetchByDiscovery(`${server.origin}${path}`, fetch)()
      const folder = path.replace(/\/$/, '')
      expect(server.asked).toEqual([`${folder}/.well-known/openid-configuration`, '/jwks'])
    }
  })

  const refused: Record<string, [document: KeyAnswer, why: string]> = {
    'another issuer': [
      documentOf({ issuer: 'https://id.example.org', jwks_uri: 'https://id.example.com/jwks' }),
      'its "issuer" is not "https://id.example.com"',
    ],
    'an issuer that only looks the same': [
      documentOf({ issuer: 'https://id.example.com/', jwks_uri: 'https://id.example.com/jwks' }),
      'its "issuer" is not "https://id.example.com"',
    ],
    'no issuer': [documentOf({ jwks_uri: 'https://id.example.com/jwks' }), 'its "issuer" is not'],
    // holds: keys-redirected
    'an http key set of an https issuer': [
      documentOf({ issuer: 'https://id.example.com', jwks_uri: 'http://id.example.com/jwks' }),
      'its "jwks_uri" is not https',
    ],
    'a key set in a file': [
      documentOf({ issuer: 'https://id.example.com', jwks_uri: 'file:///etc/passwd' }),
      'its "jwks_uri" is not https',
    ],
    'no key set': [documentOf({ issuer: 'https://id.example.com' }), 'its "jwks_uri" is not a URL'],
    'a relative key set': [
      documentOf({ issuer: 'https://id.example.com', jwks_uri: '/jwks' }),
      'its "jwks_uri" is not a URL',
    ],
    HTML: [answerWith('<html>'), 'it is not a JSON object'],
    null: [answerWith('null'), 'it is not a JSON object'],
  }
  for (const [name, [document, why]] of Object.entries(refused)) {
    it(`refuses ${name}, and asks for no keys`, async () => {
      const server = await start(document)
      await expect(fetchByDiscovery('https://id.example.com', overTls(server))()).rejects.toThrow(
        `Cannot use "https://id.example.com/.well-known/openid-configuration": ${why}`,
      )
      expect(server.asked).toEqual(['/.well-known/openid-configuration'])
    })
  }

  // holds: keys-redirected
  it('takes an https key set of another host, as providers have', async () => {
    const server = await start(
      documentOf({ issuer: 'https://id.example.com', jwks_uri: 'https://id.example.com/elsewhere' }),
    )
    await fetchByDiscovery('https://id.example.com', overTls(server))()
    expect(server.asked).toEqual(['/.well-known/openid-configuration', '/elsewhere'])
  })
})
