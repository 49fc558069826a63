// Reads one list of revoked certificates (CRL, RFC 5280 section 5) and what an authority may do with lists: what OpenSSL asks of
// both before it uses them. It judges nothing.
import { verify, type X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CertificateError } from './certificates.ts'
import { comparableName, type Extension, extensionsOf, type Part, partOf, partsOf, SEQUENCE } from './der.ts'

export interface CertificateList {
  readonly signed: Buffer
  readonly algorithm: string
  readonly signature: Buffer
  /** Who issues it, to be compared with the subject of an authority. */
  readonly issuer: string
  readonly issuedMs: number
  readonly nextMs: number | undefined
  /** Why OpenSSL would pass over it, or refuse every client for it; completes "list 1 in it". */
  readonly unusable: string | undefined
  /** Whether it is about some certificates of its authority only. */
  readonly isPartial: boolean
}

export interface ListAuthority {
  readonly certificate: X509Certificate
  readonly subject: string
  readonly maySignLists: boolean
}

const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
/** `[0]` and `[3]`, around the extensions of a list and of a certificate. */
const LIST_EXTENSIONS = 0xa0
const CERTIFICATE_EXTENSIONS = 0xa3
const KEY_USAGE = '551d0f'
const DELTA = '551d1b'
const DISTRIBUTION_POINT = '551d1c'
const AUTHORITY_KEY = '551d23'
/** Bit 6 of the key usage (RFC 5280 section 4.2.1.3). */
const SIGNS_LISTS = 0x02

/**
 * Reads a list.
 *
 * @throws {CertificateError} where it cannot be read
 */
export function readCertificateList(block: string, name: string): CertificateList {
  try {
    createSecureContext({ crl: block })
    const der = Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64')
    const [signed, algorithm, signature] = partsOf(partOf(der, 0).content)
    if (signed === undefined || algorithm === undefined || signature === undefined) throw new Error('parts are missing')
    const parts = partsOf(signed.content)
    const times = parts.filter(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME)
    const [issuedMs = Number.NaN, nextMs] = times.map(millisecondsOf)
    if (Number.isNaN(issuedMs) || Number.isNaN(nextMs ?? 0)) throw new Error('a time cannot be read')
    const [, issuer, entries] = parts.filter(({ tag }) => tag === SEQUENCE)
    if (issuer === undefined) throw new Error('it has no issuer')
    return {
      signed: signed.whole,
      algorithm: partOf(algorithm.content, 0).content.toString('hex'),
      // The first byte counts bits that are not used.
      signature: signature.content.subarray(1),
      issuer: comparableName(issuer),
      issuedMs,
      nextMs,
      ...limitsOf(wrappedExtensions(parts, LIST_EXTENSIONS), entries),
    }
  } catch {
    throw new CertificateError(`${name} cannot be read`)
  }
}

/** Reads what an authority may do with lists. */
export function readListAuthority(certificate: X509Certificate): ListAuthority {
  const parts = partsOf(partOf(partOf(certificate.raw, 0).content, 0).content)
  const subject = parts.filter(({ tag }) => tag === SEQUENCE)[3]
  const usage = wrappedExtensions(parts, CERTIFICATE_EXTENSIONS).find(({ id }) => id === KEY_USAGE)
  const bits = usage === undefined ? SIGNS_LISTS : (partOf(usage.value, 0).content[1] ?? 0)
  return {
    certificate,
    subject: subject === undefined ? '' : comparableName(subject),
    maySignLists: (bits & SIGNS_LISTS) !== 0,
  }
}

// Signature algorithms by their object identifier, and the digest of each; null where the algorithm has its own.
const digests: Readonly<Record<string, string | null>> = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
}

/** Whether the list is of this authority. */
export function isListOf(list: CertificateList, { certificate, subject }: ListAuthority): boolean {
  const digest = digests[list.algorithm]
  if (digest === undefined)
    throw new CertificateError('it is signed with another algorithm than RSA or ECDSA with SHA-2, or Ed25519')
  if (list.issuer !== subject) return false
  try {
    return verify(digest, list.signed, certificate.publicKey, list.signature)
  } catch {
    // A key of another kind.
    return false
  }
}

function wrappedExtensions(parts: readonly Part[], tag: number): readonly Extension[] {
  const wrapper = parts.find((part) => part.tag === tag)
  return wrapper === undefined ? [] : extensionsOf(partOf(wrapper.content, 0).content)
}

/** OpenSSL passes over lists of changes, of some reasons and of other issuers, and refuses those that it does not understand. */
function limitsOf(
  extensions: readonly Extension[],
  entries: Part | undefined,
): Pick<CertificateList, 'unusable' | 'isPartial'> {
  const point = extensions.find(({ id }) => id === DISTRIBUTION_POINT)
  const scope = point === undefined ? [] : partsOf(partOf(point.value, 0).content)
  const known = [DELTA, DISTRIBUTION_POINT, AUTHORITY_KEY]
  const isStrange =
    extensions.some(({ id, isCritical }) => isCritical && !known.includes(id)) || hasCriticalEntry(entries)
  const unusable = extensions.some(({ id }) => id === DELTA)
    ? 'holds changes only (delta CRL): give the complete list'
    : scope.some(({ tag }) => SOME_REASONS_OR_OTHERS.has(tag & 0x1f))
      ? 'is for some reasons, for attribute certificates or for other issuers only: give the complete list'
      : isStrange
        ? 'has a critical extension that TLS does not understand'
        : undefined
  return { unusable, isPartial: scope.length > 0 }
}

/** Of an issuing distribution point: onlySomeReasons, indirectCRL, onlyContainsAttributeCerts. */
const SOME_REASONS_OR_OTHERS: ReadonlySet<number> = new Set([3, 4, 5])

function hasCriticalEntry(entries: Part | undefined): boolean {
  if (entries === undefined) return false
  return partsOf(entries.content).some(({ content }) => {
    const last = partsOf(content).at(-1)
    return last?.tag === SEQUENCE && extensionsOf(last.content).some(({ isCritical }) => isCritical)
  })
}

// RFC 5280 section 4.1.2.5: always in UTC, with seconds. Two digits of a year below 50 are of this century.
function millisecondsOf({ tag, content }: Part): number {
  const text = content.toString('latin1')
  const digits = tag === GENERALIZED_TIME ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(digits) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
