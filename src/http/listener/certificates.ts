// Can the server show this certificate, and for how long? Reads and checks the files of the listener before they are used;
// no message holds a byte of them.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { codeOf } from '../../model/error.ts'

const DAY_MS = 86_400_000
const WARNING_MS = 14 * DAY_MS
const LARGEST_BUNDLE = 500

/** Why a file is of no use here. The message completes "Cannot use …:". */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

/**
 * The certificates in a text as PEM, in their order.
 *
 * @throws {CertificateError} where there is none, or one that cannot be read
 */
function readCertificates(text: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  if (blocks.length > LARGEST_BUNDLE) throw new CertificateError(`it holds more than ${LARGEST_BUNDLE} certificates`)
  const [first, ...rest] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new CertificateError(`certificate ${index + 1} in it cannot be read`)
    }
  })
  if (first === undefined) throw new CertificateError('it holds no certificate in PEM')
  return [first, ...rest]
}

/**
 * The text again, where it holds certificates that can vouch for others at this time.
 *
 * @throws {CertificateError}
 */
export function readAuthority(text: string, nowMs: number): string {
  const certificates = readCertificates(text)
  if (certificates.every((certificate) => certificate.validToDate.getTime() <= nowMs))
    throw new CertificateError(`it has expired at ${timeOf(certificates[0].validToDate)}`)
  return text
}

/**
 * The private key in a text as PEM.
 *
 * @throws {CertificateError}
 */
export function readListenerKey(text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    const isEncrypted = /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(text)
    throw new CertificateError(isEncrypted ? 'it is encrypted' : 'it is not a private key in PEM')
  }
}

/**
 * Checks that the server can show this certificate now, and answers a warning where that ends soon: within 14 days, or
 * within the last fifth of a shorter life.
 *
 * @throws {CertificateError}
 */
export function checkPair(certificateText: string, key: KeyObject, nowMs: number): string | undefined {
  const [certificate] = readCertificates(certificateText)
  const [from, to] = [certificate.validFromDate, certificate.validToDate]
  if (!certificate.checkPrivateKey(key)) throw new CertificateError('it does not belong to the key in "tls.keyFile"')
  if (to.getTime() <= nowMs) throw new CertificateError(`it has expired at ${timeOf(to)}`)
  if (from.getTime() > nowMs) throw new CertificateError(`it is not valid before ${timeOf(from)}`)
  try {
    createSecureContext({ cert: certificateText, key: key.export({ type: 'pkcs8', format: 'pem' }) })
  } catch (error) {
    throw new CertificateError(`TLS does not take it (${codeOf(error) || 'error'})`)
  }
  const lastMs = Math.min(WARNING_MS, (to.getTime() - from.getTime()) / 5)
  return to.getTime() - nowMs < lastMs ? `The certificate expires at ${timeOf(to)}` : undefined
}

/** A time as messages give it. */
export function timeOf(date: Date): string {
  return date.toISOString().replace('.000', '')
}
