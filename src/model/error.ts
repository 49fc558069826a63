// What does a thrown value say? Node names most failures by a code, and libraries throw what they like.

/** The machine-readable code of an error, or an empty text. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Why the system cannot read or write a file, by the code of its error; completes "Cannot read …:". */
export function whyFileFails(error: unknown): string {
  const code = codeOf(error) || 'unknown'
  return fileFailures[code] ?? `the system says ${code}`
}

const fileFailures: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read-only',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'its path is too long',
  EMFILE: 'too many files are open',
}

/** What OpenSSL says of a chain of certificates that leads to no authority that is known. */
const untrusted: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
])

/** True where the certificate of the other side is vouched for by nobody who is trusted here. */
export function isUntrusted(code: string): boolean {
  return untrusted.has(code)
}
