// Which lists of revoked client certificates the listener takes, and what it says of the others.
import { afterAll, describe, expect, it } from 'vitest'
import { readRevokedCertificates } from '../../../src/http/listener/revoked-certificates.ts'
import { makeCertificates } from '../../support/certificates.ts'

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

// One bit of the signature.
function changed(text: string): string {
  const body = text.replace(/-----[^-]+-----|\s/g, '')
  const bytes = Buffer.from(body, 'base64')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  return `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----\n`
}
