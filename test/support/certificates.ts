// Certificates for one test, made by openssl: an authority, and a server that it vouches for.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key, as files and as PEM. */
export interface TestPair {
  readonly certificateFile: string
  readonly keyFile: string
  readonly certificate: string
  readonly privateKey: string
}

export interface TestCertificates extends TestPair {
  readonly authorityFile: string
  /** The certificate of the authority, as PEM. */
  readonly authority: string
  /** One more certificate of this authority, for 127.0.0.1 and localhost, or for these names. */
  issue(commonName: string, names?: string): TestPair
  /** A list (CRL, PEM) of these certificates of the authority, valid from now for so many days, with an extension. */
  revoke(certificates: readonly TestPair[], days?: number, extension?: string): string
  remove(): void
}

/** Makes certificates for 127.0.0.1 and localhost, and what their authority is called and may do. */
export function makeCertificates(commonName = 'Test authority', usage?: string): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-certificates-'))
  const file = (name: string) => join(folder, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  run([
    ...['req', '-x509', ...newKey, '-subj', `/CN=${commonName}`],
    ...(usage === undefined ? [] : ['-addext', `keyUsage=${usage}`]),
    ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
  ])
  const issue = (commonName: string, names = 'IP:127.0.0.1,DNS:localhost'): TestPair => {
    const [certificateFile, keyFile] = [file(`${commonName}.pem`), file(`${commonName}.key`)]
    run([
      ...['req', '-x509', ...newKey, '-subj', `/CN=${commonName}`, '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
      ...['-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-keyout', keyFile, '-out', certificateFile],
    ])
    const [certificate, privateKey] = [readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8')]
    return { certificateFile, keyFile, certificate, privateKey }
  }
  const revoke = (certificates: readonly TestPair[], days = 2, extension?: string): string => {
    const index = file('index.txt')
    const more = extension === undefined ? '' : `crl_extensions=more\n[more]\n${extension}\n`
    const settings = `[ca]\ndefault_ca=it\n[it]\ndatabase=${index}\ndefault_md=sha256\n`
    writeFileSync(file('ca.cnf'), `${settings}${more}`)
    writeFileSync(index, '')
    const ca = ['ca', '-config', file('ca.cnf'), '-cert', file('ca.pem'), '-keyfile', file('ca.key')]
    for (const { certificateFile } of certificates) run([...ca, '-revoke', certificateFile])
    // Past dates say an end that has come; -crldays takes none below 1.
    const end =
      days > 0
        ? ['-crldays', String(days)]
        : ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200201000000Z']
    run([...ca, '-gencrl', ...end, '-out', file('list.pem')])
    return readFileSync(file('list.pem'), 'utf8')
  }
  return {
    ...issue('localhost'),
    authorityFile: file('ca.pem'),
    authority: readFileSync(file('ca.pem'), 'utf8'),
    issue,
    revoke,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function run(args: readonly string[]): void {
  const result = spawnSync('openssl', args, { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`Cannot make a certificate: ${result.stderr}`)
}
