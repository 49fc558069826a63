// Certificates for one test, made by openssl: an authority, and a server that it vouches for.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificates {
  readonly authorityFile: string
  readonly certificateFile: string
  readonly keyFile: string
  /** The certificate of the authority, as PEM. */
  readonly authority: string
  remove(): void
}

/** Makes certificates for 127.0.0.1 and localhost. */
export function makeCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-certificates-'))
  const file = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  run([
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  ])
  run([
    ...[
      'req',
      '-x509',
      ...key,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
    ],
    ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-keyout', file('server.key'), '-out', file('server.pem')],
  ])
  return {
    authorityFile: file('ca.pem'),
    certificateFile: file('server.pem'),
    keyFile: file('server.key'),
    authority: readFileSync(file('ca.pem'), 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function run(args: readonly string[]): void {
  const result = spawnSync('openssl', args, { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`Cannot make a certificate: ${result.stderr}`)
}
