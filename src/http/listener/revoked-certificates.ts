// The lists of revoked client certificates (CRL, RFC 5280 section 5): can TLS use them now, and for how long? With a list
// that has expired, or that no authority of the clients signed, OpenSSL refuses every client, so both are said beforehand.
import { X509Certificate } from 'node:crypto'
import {
  type CertificateList,
  isListOf,
  type ListAuthority,
  readCertificateList,
  readListAuthority,
} from './certificate-list.ts'
import { CertificateError, timeOf } from './certificates.ts'

const LARGEST_BUNDLE = 500

export interface RevokedCertificates {
  /** Each list as PEM: Node reads one from a text. */
  readonly lists: readonly string[]
  /** What an operator should know, in words without a full stop. */
  readonly warnings: readonly string[]
}

/**
 * The lists in a text as PEM.
 *
 * @param authority the certificates that vouch for clients, as PEM
 * @throws {CertificateError} where a list cannot be read or used, has expired, or is of another authority
 */
export function readRevokedCertificates(text: string, authority: string, nowMs: number): RevokedCertificates {
  const blocks = text.match(/-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g) ?? []
  if (blocks.length === 0) throw new CertificateError('it holds no list of revoked certificates in PEM ("X509 CRL")')
  if (blocks.length > LARGEST_BUNDLE) throw new CertificateError(`it holds more than ${LARGEST_BUNDLE} lists`)
  const authorities = certificatesIn(authority).map(readListAuthority)
  const covered = new Map<ListAuthority, string>()
  const inPart = new Set<ListAuthority>()
  const warnings: string[] = []
  for (const [index, block] of blocks.entries()) {
    const name = `list ${index + 1} in it`
    const list = readCertificateList(block, name)
    const signers = signersOf(list, name, authorities)
    const soon = checkTimes(list, name, nowMs)
    if (soon !== undefined) warnings.push(soon)
    for (const signer of signers) {
      if (list.isPartial) {
        inPart.add(signer)
        continue
      }
      const earlier = covered.get(signer)
      covered.set(signer, name)
      if (earlier !== undefined)
        warnings.push(`TLS uses only the newer of ${earlier} and ${name}, as both are from "${nameOf(signer)}"`)
    }
  }
  warnings.push(...missingLists(authorities, covered, inPart))
  return { lists: blocks, warnings }
}

/** The authorities that a list is from: one that was renewed with its key stands there twice. */
function signersOf(
  list: CertificateList,
  name: string,
  authorities: readonly ListAuthority[],
): readonly ListAuthority[] {
  const signers = authorities.filter((each) => isListOf(list, each))
  const [first] = signers
  if (first === undefined) throw new CertificateError(`no certificate in "tls.clientCaFile" has signed ${name}`)
  if (list.unusable !== undefined) throw new CertificateError(`${name} ${list.unusable}`)
  const allowed = signers.filter(({ maySignLists }) => maySignLists)
  if (allowed.length === 0)
    throw new CertificateError(`${name} is from "${nameOf(first)}", which has no key usage cRLSign`)
  return allowed
}

/** Answers a warning where it ends soon. */
function checkTimes({ issuedMs, nextMs }: CertificateList, name: string, nowMs: number): string | undefined {
  if (issuedMs > nowMs) throw new CertificateError(`${name} is not valid before ${timeOf(new Date(issuedMs))}`)
  if (nextMs === undefined) return undefined
  if (nextMs <= nowMs) throw new CertificateError(`${name} has expired at ${timeOf(new Date(nextMs))}`)
  if (nextMs - nowMs >= (nextMs - issuedMs) / 5) return undefined
  return `The list of revoked certificates expires at ${timeOf(new Date(nextMs))}; then every client is refused`
}

function missingLists(
  authorities: readonly ListAuthority[],
  covered: ReadonlyMap<ListAuthority, string>,
  inPart: ReadonlySet<ListAuthority>,
): readonly string[] {
  return authorities
    .filter((each) => !covered.has(each))
    .map((each) =>
      inPart.has(each)
        ? `The lists from "${nameOf(each)}" are for some certificates only: TLS refuses all others of this authority`
        : `No list of revoked certificates is from "${nameOf(each)}": clients of this authority are refused`,
    )
}

const nameOf = ({ certificate }: ListAuthority) => certificate.subject.replaceAll('\n', ', ')

function certificatesIn(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}
