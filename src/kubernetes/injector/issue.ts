// Which certificate does the injector show where nobody gives it one? One of its own making: an authority that exists for
// this one signature, and a server certificate. The key of the authority is kept nowhere, so nothing else can ever be
// signed with it.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { bits, explicit, identifier, implicit, integer, octets, sequence, set, time, utf8, yes } from './der.ts'

/** A clock that is a little behind must not refuse a new certificate. */
const BACKDATE_MS = 3_600_000

const ECDSA_WITH_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'))
const COMMON_NAME = '2.5.4.3'
const DIGITAL_SIGNATURE = bits(Buffer.from([0x80]), 7)
const CERTIFICATE_SIGNING = bits(Buffer.from([0x04]), 2)
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'
const DNS_NAME = 2

/** All as PEM. */
export interface IssuedPair {
  readonly certificate: string
  readonly privateKey: string
  /** The certificate of the authority that vouches for it. */
  readonly authority: string
}

export interface IssueOptions {
  /** The host names that the server answers to; one at least. */
  readonly names: readonly string[]
  readonly nowMs: number
  readonly lifetimeMs: number
}

/** Makes a pair of ECDSA keys on P-256 and a certificate (RFC 5280) for it, of an authority of its own. */
export function issuePair({ names, nowMs, lifetimeMs }: IssueOptions): IssuedPair {
  const authority = newKeys()
  const server = newKeys()
  const validity = sequence(time(nowMs - BACKDATE_MS), time(nowMs + lifetimeMs))
  // Each authority has a name of its own: a bundle may hold two, and they are found by name.
  const issuer = commonName(`sidegate-injector authority ${randomBytes(8).toString('hex')}`)
  const authorityKey = authority.identifier
  const issue = (subject: Buffer, keys: Keys, extensions: readonly Buffer[]) =>
    signed(
      sequence(
        ...[explicit(0, integer(Buffer.from([2]))), serial(), ECDSA_WITH_SHA256, issuer, validity, subject, keys.info],
        explicit(
          3,
          sequence(
            ...extensions,
            extension('2.5.29.14', octets(keys.identifier)),
            extension('2.5.29.35', sequence(implicit(0, authorityKey))),
          ),
        ),
      ),
      authority.privateKey,
    )
  return {
    certificate: issue(commonName(names[0] ?? ''), server, [
      extension('2.5.29.19', sequence(), 'critical'),
      extension('2.5.29.15', DIGITAL_SIGNATURE, 'critical'),
      extension('2.5.29.37', sequence(identifier(SERVER_AUTHENTICATION))),
      extension('2.5.29.17', sequence(...names.map((name) => implicit(DNS_NAME, Buffer.from(name, 'ascii'))))),
    ]),
    privateKey: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    authority: issue(issuer, authority, [
      extension('2.5.29.19', sequence(yes(), integer(Buffer.from([0]))), 'critical'),
      extension('2.5.29.15', CERTIFICATE_SIGNING, 'critical'),
    ]),
  }
}

interface Keys {
  readonly privateKey: KeyObject
  /** SubjectPublicKeyInfo. */
  readonly info: Buffer
  /** What names the key in its certificate and in those that it signs (RFC 7093 section 2). */
  readonly identifier: Buffer
}

function newKeys(): Keys {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const info = publicKey.export({ type: 'spki', format: 'der' })
  return { privateKey, info, identifier: createHash('sha256').update(info).digest().subarray(0, 20) }
}

function serial(): Buffer {
  const digits = randomBytes(16)
  // Positive, and never shorter: the first bit is 0 and the second is 1.
  digits.writeUInt8((digits.readUInt8(0) & 0x7f) | 0x40, 0)
  return integer(digits)
}

/** X.520 allows 64 characters; the name that counts is the one in the extension. */
function commonName(text: string): Buffer {
  return sequence(set(sequence(identifier(COMMON_NAME), utf8(text.slice(0, 64)))))
}

function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  return sequence(identifier(id), ...(critical === undefined ? [] : [yes()]), octets(value))
}

function signed(content: Buffer, key: KeyObject): string {
  const certificate = sequence(content, ECDSA_WITH_SHA256, bits(sign('sha256', content, key)))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
