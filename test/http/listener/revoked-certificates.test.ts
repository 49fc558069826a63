// Which lists of revoked client certificates the listener takes, and what it says of the others.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { readRevokedCertificates } from '../../../src/http/listener/revoked-certificates.ts'
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts'

const ours = makeCertificates()
const others = makeCertificates()
afterAll(() => {
  ours.remove()
  others.remove()
})

const lost = ours.issue('lost')
const list = ours.revoke([lost])
const read = (text: string, authority = ours.authority, nowMs = Date.now()) =>
  readRevokedCertificates(text, authority, nowMs)
const hourMs = 3_600_000

describe('a list of revoked client certificates', () => {
  it('is taken where an authority of the clients has signed it', () => {
    expect(read(list).lists).toHaveLength(1)
    expect(read(list).warnings).toEqual([])
  })

  it('may stand beside those of other authorities, each in its own block', () => {
    const { lists, warnings } = read(`${list}\n${others.revoke([])}`, `${ours.authority}${others.authority}`)
    expect(lists).toHaveLength(2)
    expect(warnings).toEqual([])
  })

  it('that is missing for one authority is a warning, as clients of it are refused', () => {
    expect(read(list, `${ours.authority}${others.authority}`).warnings).toEqual([
      'No list of revoked certificates is from "CN=Test authority": clients of this authority are refused',
    ])
  })

  it('that ends soon is a warning', () => {
    expect(read(list, ours.authority, Date.now() + 47 * hourMs).warnings).toEqual([
      expect.stringMatching(/^The list of revoked certificates expires at 20\S+Z; then every client is refused$/),
    ])
  })

  it.each([
    ['that has expired', () => read(ours.revoke([], 0)), /^list 1 in it has expired at 2020-02-01T00:00:00Z$/],
    ['from the future', () => read(list, ours.authority, Date.now() - hourMs), /^list 1 in it is not valid before 20/],
    [
      'of another authority',
      () => read(list, others.authority),
      /^no certificate in "tls.clientCaFile" has signed list 1/,
    ],
    ['that was changed', () => read(changed(list)), /signed list 1|cannot be read/],
    ['that is cut off', () => read(list.replace(/[\s\S]{40}(?=-----END)/, '')), /^list 1 in it cannot be read$/],
    ['that is a certificate', () => read(ours.authority), /^it holds no list of revoked certificates in PEM/],
    [
      'with a second one that is none',
      () => read(`${list}${list.replace(/\n[\s\S]+(?=-----END)/, '\nAAAA\n')}`),
      /^list 2 in it cannot be read$/,
    ],
  ])('%s is refused', (_name, reading, message) => {
    expect(reading).toThrow(message)
  })
})

describe('a list with which TLS refuses a client that is not revoked', () => {
  const mute = makeCertificates('Signs no lists', 'critical,keyCertSign')
  afterAll(() => mute.remove())
  const partly = (scope: string) => () =>
    ours.revoke([], 2, `issuingDistributionPoint=critical,@scope\n[scope]\n${scope}`)

  it.each<[name: string, list: () => string, message: RegExp]>([
    ['of changes only', () => ours.revoke([], 2, '2.5.29.27=critical,DER:020101'), /^list 1 in it holds changes only/],
    ['for some reasons', partly('onlysomereasons=keyCompromise'), /^list 1 in it is for some reasons, /],
    ['of other issuers', partly('indirectCRL=TRUE'), /^list 1 in it is for some reasons, /],
    ['that says what is unknown', () => ours.revoke([], 2, '1.2.3.4=critical,DER:0500'), /critical extension/],
  ])('%s is refused', async (_name, make, message) => {
    const strange = make()
    expect(() => read(strange)).toThrow(message)
    expect(await isLetIn(ours, [strange])).toBe(false)
  })

  // holds: revoked-client-certificate
  it('as its authority may not sign lists is refused', async () => {
    const unsigned = mute.revoke([])
    expect(() => read(unsigned, mute.authority)).toThrow(
      'list 1 in it is from "CN=Signs no lists", which has no key usage cRLSign',
    )
    expect(await isLetIn(mute, [unsigned])).toBe(false)
  })

  it.each([
    ['authorities', 'onlyCA=TRUE'],
    ['clients', 'onlyuser=TRUE'],
    ['certificates that name its address', 'fullname=URI:http://crl.example.com/part'],
  ])('as it is for %s alone is a warning', async (_name, scope) => {
    const part = partly(scope)()
    expect(read(part).warnings).toEqual([
      'The lists from "CN=Test authority" are for some certificates only: TLS refuses all others of this authority',
    ])
    expect(await isLetIn(ours, [part])).toBe(false)
  })

  it('is none beside a complete one, nor where one for authorities stands beside one for clients', async () => {
    const [forAuthorities, forClients] = [partly('onlyCA=TRUE')(), partly('onlyuser=TRUE')()]
    expect(read(`${forAuthorities}${list}`).warnings).toEqual([])
    expect(await isLetIn(ours, [forAuthorities, list])).toBe(true)
    expect(await isLetIn(ours, [forAuthorities, forClients])).toBe(true)
  })
})

it('of two complete lists of one authority TLS uses one, which is a warning', () => {
  expect(read(`${list}${ours.revoke([])}`).warnings).toEqual([
    'TLS uses only the newer of list 1 in it and list 2 in it, as both are from "CN=Test authority"',
  ])
})

it('an authority that was renewed with its key stands twice, and one list is of both', () => {
  expect(read(list, `${ours.authority}${ours.authority}`).warnings).toEqual([])
})

/** Whether Node lets a client in that is not revoked, with these lists. */
async function isLetIn(authority: TestCertificates, lists: readonly string[]): Promise<boolean> {
  const { certificate: cert, privateKey: key, authority: ca } = authority
  const server = createServer({ cert, key, ca, crl: [...lists], requestCert: true, maxVersion: 'TLSv1.2' })
  const answered = new Promise<boolean>((resolve) => {
    server.once('secureConnection', () => resolve(true))
    server.once('tlsClientError', () => resolve(false))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ca, cert, key })
  client.on('error', () => {})
  const isIn = await answered
  client.destroy()
  server.close()
  return isIn
}

// One bit of the signature.
function changed(text: string): string {
  const body = text.replace(/-----[^-]+-----|\s/g, '')
  const bytes = Buffer.from(body, 'base64')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  return `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----\n`
}
