// Can this certificate be shown, for how long, and does that authority vouch for it? No message holds a byte of them.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { ListenerCertificates } from '../../http/listener/listener.ts'
import { codeOf } from '../../model/error.ts'

/** What the injector shows, both as PEM. */
export type Pair = Pick<ListenerCertificates, 'certificate' | 'privateKey'>

/** Why the pair cannot be shown at this time; nothing where it can. */
export function pairTrouble({ certificate, privateKey }: Pair, nowMs: number): string | undefined {
  const read = firstCertificate(certificate)
  if (read === undefined) return 'the certificate is not one in PEM'
  const key = readKey(privateKey)
  if (key === undefined) return 'the key is not a private key in PEM'
  if (!read.checkPrivateKey(key)) return 'the key does not belong to the certificate'
  if (read.validFromDate.getTime() > nowMs) return `the certificate is not valid before ${read.validFrom}`
  if (read.validToDate.getTime() <= nowMs) return `the certificate has expired at ${read.validTo}`
  return tlsTrouble({ certificate, privateKey })
}

/** TLS is stricter than who only reads a certificate: it refuses short keys, for one. */
function tlsTrouble({ certificate, privateKey }: Pair): string | undefined {
  try {
    createSecureContext({ cert: certificate, key: privateKey })
    return undefined
  } catch (error) {
    return `TLS does not take it (${codeOf(error) || 'error'})`
  }
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** The first certificate of a text, the one that a server shows for itself. */
export function firstCertificate(pem: string): X509Certificate | undefined {
  return certificatesIn(pem)[0]
}

/** All certificates of a text; none where one of them cannot be read. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  try {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

/** True where one of these authorities has signed the certificate. */
export function isVouchedFor(certificate: string, authorities: string): boolean {
  const read = firstCertificate(certificate)
  if (read === undefined) return false
  return certificatesIn(authorities).some(
    (authority) => authority.ca && read.checkIssued(authority) && read.verify(authority.publicKey),
  )
}
