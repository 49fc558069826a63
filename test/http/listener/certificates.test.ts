// What the files of the listener and of private authorities are checked for before anything starts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readMaterials } from '../../../src/assembly/settings/file-contents.ts'
import { formatProblem } from '../../../src/config/problems.ts'
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts'
import { createWorld, type World } from '../../support/gateway.ts'
import { configOf } from '../../support/settings.ts'
import { makeKey } from '../../support/tokens.ts'

const HOUR_MS = 3_600_000
let world: World
let ours: TestCertificates
let others: TestCertificates
beforeAll(() => {
  world = createWorld()
  ours = makeCertificates()
  others = makeCertificates()
})
afterAll(() => {
  world.remove()
  ours.remove()
  others.remove()
})

function put(name: string, content: string): string {
  const path = join(world.folder, name)
  writeFileSync(path, content)
  return path
}

/** The problems and the warnings of these settings `afterMs` from now. */
async function read(more: string, afterMs = 0) {
  const config = configOf(world.settings(new URL('http://127.0.0.1:3'), more))
  const result = await readMaterials(config, () => Date.now() + afterMs)
  return 'problems' in result
    ? { problems: result.problems.map(formatProblem) }
    : { materials: result.materials, warnings: result.warnings.map(formatProblem) }
}

const tls = (certFile: string, keyFile: string, more = '') =>
  `tls: { certFile: "${certFile}", keyFile: "${keyFile}"${more} }`

describe('the certificate of the listener', () => {
  it('is taken with its key, and with those who vouch for clients', async () => {
    const result = await read(tls(ours.certificateFile, ours.keyFile, `, clientCaFile: "${others.authorityFile}"`))
    expect(result.warnings).toEqual([])
    expect(result.materials?.listenerCertificates).toMatchObject({
      certificate: ours.certificate.trimEnd(),
      clientAuthority: others.authority.trimEnd(),
    })
  })

  it('may have those between it and its authority after it', async () => {
    const chain = put('chain.pem', ours.certificate + ours.authority)
    expect(await read(tls(chain, ours.keyFile))).toMatchObject({ warnings: [] })
    const turned = put('turned.pem', ours.authority + ours.certificate)
    expect((await read(tls(turned, ours.keyFile))).problems).toEqual([
      expect.stringContaining('it does not belong to the key in "tls.keyFile"'),
    ])
  })

  it('that belongs to another key is a problem', async () => {
    expect(await read(tls(ours.certificateFile, others.keyFile))).toEqual({
      problems: [
        `tls.certFile: Cannot use "${ours.certificateFile}" as listener certificate: it does not belong to the key in "tls.keyFile"`,
      ],
    })
  })

  it('that ends soon is warned about, and one that has ended is a problem', async () => {
    const given = tls(ours.certificateFile, ours.keyFile)
    expect(await read(given, 30 * HOUR_MS)).toMatchObject({ warnings: [] })
    const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
    const { warnings, materials } = await read(given, 40 * HOUR_MS)
    expect(warnings).toEqual([expect.stringMatching(/^tls\.certFile: The certificate expires at /)])
    expect(warnings?.[0]).toMatch(time)
    expect(materials?.listenerCertificates).toBeDefined()
    const { problems } = await read(given, 49 * HOUR_MS)
    expect(problems).toEqual([expect.stringMatching(/it has expired at /)])
    expect(problems?.[0]).toMatch(time)
  })

  it('that is not valid yet is a problem', async () => {
    expect((await read(tls(ours.certificateFile, ours.keyFile), -HOUR_MS)).problems).toEqual([
      expect.stringMatching(/it is not valid before /),
    ])
  })

  it('and everything else that is wrong is told at once, without a byte of the files', async () => {
    const encrypted = makeKey('RS256').privateKey.export({
      ...({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc' } as const),
      passphrase: 'x',
    })
    const wrong: [certificate: string, key: string, clients: string, lines: string[]][] = [
      [
        put('a.pem', 'geheim'),
        put('a.key', 'geheim'),
        put('a.ca', 'geheim'),
        ['as listener key: it is not a private key in PEM', 'as client certificates: it holds no certificate in PEM'],
      ],
      [
        put('b.pem', '-----BEGIN CERTIFICATE-----\ngeheim\n-----END CERTIFICATE-----'),
        ours.keyFile,
        put('b.ca', `${ours.authority}-----BEGIN CERTIFICATE-----\ngeheim\n-----END CERTIFICATE-----`),
        [
          'as client certificates: certificate 2 in it cannot be read',
          'as listener certificate: certificate 1 in it cannot be read',
        ],
      ],
      [ours.certificateFile, put('c.key', String(encrypted)), ours.authorityFile, ['as listener key: it is encrypted']],
      [
        join(world.folder, 'none.pem'),
        join(world.folder, 'none.key'),
        join(world.folder, 'none.ca'),
        ['none.pem": it does not exist', 'none.key": it does not exist', 'none.ca": it does not exist'],
      ],
    ]
    for (const [certificate, key, clients, lines] of wrong) {
      const { problems = [] } = await read(tls(certificate, key, `, clientCaFile: "${clients}"`))
      expect(problems).toEqual(lines.map((line) => expect.stringContaining(line)))
      expect(problems.join()).not.toContain('geheim')
    }
  })
})

describe('the certificates of an identity provider', () => {
  const issuers = (caFile: string) => `
  - { issuer: https://b.example.com, audiences: [orders], keys: { discovery: true, caFile: "${caFile}" } }
refresh: { exchange: { tokenEndpoint: 'https://b.example.com/t', clientId: c, clientSecretFile: "${world.folder}/admin-token", caFile: "${caFile}" } }`

  it('are read for its keys and for its token endpoint', async () => {
    const { materials } = await read(issuers(others.authorityFile))
    const authority = others.authority.trimEnd()
    expect([...(materials?.issuerAuthorities ?? [])]).toEqual([['https://b.example.com', authority]])
    expect(materials?.exchangeAuthority).toBe(authority)
  })

  it('are a problem where they are none, or have all ended', async () => {
    const both = (why: string) => [
      expect.stringContaining(`issuers[1].keys.caFile: Cannot use`),
      expect.stringMatching(new RegExp(`^refresh\\.exchange\\.caFile: .* as identity provider certificates: ${why}`)),
    ]
    expect((await read(issuers(ours.keyFile))).problems).toEqual(both('it holds no certificate in PEM'))
    expect((await read(issuers(ours.authorityFile), 49 * HOUR_MS)).problems).toEqual(both('it has expired at '))
  })
})
