// The lists of revoked client certificates (CRL, RFC 5280 section 5): can TLS use them now, and for how long? With a list
// that has expired, or that no authority of the clients signed, OpenSSL refuses every client, so both are said beforehand.
import { verify, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CertificateError, timeOf } from './certificates.ts'

const LARGEST_BUNDLE = 500

export interface RevokedCertificates {
  /** Each list as PEM: Node reads one from a text. */
  readonly lists: readonly string[]
  /** What an operator should know, in words without a full stop. */
  readonly warnings: readonly string[]
}

interface RevocationList {
  readonly signed: Buffer
  readonly algorithm: string
  readonly signature: Buffer
  readonly issuedMs: number
  readonly nextMs: number | undefined
}

/**
 * The lists in a text as PEM.
 *
 * @param authority the certificates that vouch for clients, as PEM
 * @throws {CertificateError} where a list cannot be read, has expired, or is of another authority
 */
export function readRevokedCertificates(text: string, authority: string, nowMs: number): RevokedCertificates {
  const blocks = text.match(/-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g) ?? []
  if (blocks.length === 0) throw new CertificateError('it holds no list of revoked certificates in PEM ("X509 CRL")')
  if (blocks.length > LARGEST_BUNDLE) throw new CertificateError(`it holds more than ${LARGEST_BUNDLE} lists`)
  const authorities = certificatesIn(authority)
  const signers = new Set<X509Certificate>()
  const warnings: string[] = []
  for (const [index, block] of blocks.entries()) {
    const name = `list ${index + 1} in it`
    const list = readList(block, name)
    const signer = authorities.find((certificate) => hasSigned(certificate, list))
    if (signer === undefined) throw new CertificateError(`no certificate in "tls.clientCaFile" has signed ${name}`)
    signers.add(signer)
    if (list.issuedMs > nowMs)
      throw new CertificateError(`${name} is not valid before ${timeOf(new Date(list.issuedMs))}`)
    const { nextMs } = list
    if (nextMs === undefined) continue
    if (nextMs <= nowMs) throw new CertificateError(`${name} has expired at ${timeOf(new Date(nextMs))}`)
    if (nextMs - nowMs < (nextMs - list.issuedMs) / 5)
      warnings.push(
        `The list of revoked certificates expires at ${timeOf(new Date(nextMs))}; then every client is refused`,
      )
  }
  for (const certificate of authorities)
    if (!signers.has(certificate))
      warnings.push(
        `No list of revoked certificates is from "${nameOf(certificate)}": clients of this authority are refused`,
      )
  return { lists: blocks, warnings }
}

const nameOf = ({ subject }: X509Certificate) => subject.replaceAll('\n', ', ')

function certificatesIn(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
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

function hasSigned({ publicKey }: X509Certificate, { algorithm, signature, signed }: RevocationList): boolean {
  const digest = digests[algorithm]
  if (digest === undefined)
    throw new CertificateError('it is signed with another algorithm than RSA or ECDSA with SHA-2, or Ed25519')
  try {
    return verify(digest, signed, publicKey, signature)
  } catch {
    // A key of another kind.
    return false
  }
}

function readList(block: string, name: string): RevocationList {
  try {
    createSecureContext({ crl: block })
    const der = Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64')
    const [signed, algorithm, signature] = partsOf(partOf(der, 0).content)
    if (signed === undefined || algorithm === undefined || signature === undefined) throw new Error('parts are missing')
    const times = partsOf(signed.content).filter(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME)
    const [issuedMs = Number.NaN, nextMs] = times.map(millisecondsOf)
    if (Number.isNaN(issuedMs) || Number.isNaN(nextMs ?? 0)) throw new Error('a time cannot be read')
    return {
      signed: signed.whole,
      algorithm: partOf(algorithm.content, 0).content.toString('hex'),
      // The first byte counts bits that are not used.
      signature: signature.content.subarray(1),
      issuedMs,
      nextMs,
    }
  } catch {
    throw new CertificateError(`${name} cannot be read`)
  }
}

const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

interface Part {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** The part of DER (X.690) that begins here. Throws where it reaches beyond the end. */
function partOf(der: Buffer, at: number): Part {
  const first = der.readUInt8(at + 1)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes)
  const start = at + 2 + lengthBytes
  if (start + length > der.length) throw new RangeError('a part reaches beyond the end')
  return {
    tag: der.readUInt8(at),
    content: der.subarray(start, start + length),
    whole: der.subarray(at, start + length),
  }
}

function partsOf(content: Buffer): readonly Part[] {
  const parts: Part[] = []
  for (let at = 0; at < content.length; ) {
    const part = partOf(content, at)
    parts.push(part)
    at += part.whole.length
  }
  return parts
}

// RFC 5280 section 4.1.2.5: always in UTC, with seconds. Two digits of a year below 50 are of this century.
function millisecondsOf({ tag, content }: Part): number {
  const text = content.toString('latin1')
  const digits = tag === GENERALIZED_TIME ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(digits) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
