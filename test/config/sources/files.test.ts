import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  filesOf,
  LARGEST_FILE_BYTES,
  readSettingFile,
  readSettingText,
  SettingFileError,
} from '../../../src/config/sources/files.ts'
import { settingRows } from '../../../src/config/sources/flags.ts'
import { configOf } from '../../support/settings.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-files-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every file that a setting names is listed', () => {
  const config = configOf(`
tls: { certFile: /cert, keyFile: /key, clientCaFile: /clients, clientCrlFile: /crl }
admin: { tokenFile: /token }
issuers:
  - { issuer: a, audiences: [x], keys: { jwksFile: /jwks }, algorithms: [ES256] }
  - { issuer: b, audiences: [x], keys: { publicKeyFile: /public } }
  - { issuer: c, audiences: [x], keys: { secretFile: /shared }, algorithms: [HS256] }
  - { issuer: 'https://d', audiences: [x], keys: { discovery: true, caFile: /provider } }
upstream: https://app
upstreamTls: { caFile: /app }
revocation: { redis: 'rediss+sentinel://r/m', passwordFile: /password, sentinelPasswordFile: /sentinel, caFile: /ca }
refresh: { key: { privateKeyFile: /signing, algorithm: ES256, keyId: k } }
`)
  expect(filesOf(config)).toEqual([
    { path: '/cert', setting: 'tls.certFile', purpose: 'listener certificate', secret: false },
    { path: '/key', setting: 'tls.keyFile', purpose: 'listener key', secret: true },
    { path: '/clients', setting: 'tls.clientCaFile', purpose: 'client certificates', secret: false },
    { path: '/crl', setting: 'tls.clientCrlFile', purpose: 'revoked client certificates', secret: false },
    { path: '/app', setting: 'upstreamTls.caFile', purpose: 'app certificates', secret: false },
    { path: '/token', setting: 'admin.tokenFile', purpose: 'admin token', secret: true },
    { path: '/jwks', setting: 'issuers[0].keys.jwksFile', purpose: 'key set', secret: false },
    { path: '/public', setting: 'issuers[1].keys.publicKeyFile', purpose: 'public key', secret: false },
    { path: '/shared', setting: 'issuers[2].keys.secretFile', purpose: 'shared secret', secret: true },
    {
      path: '/provider',
      setting: 'issuers[3].keys.caFile',
      purpose: 'identity provider certificates',
      secret: false,
    },
    { path: '/password', setting: 'revocation.passwordFile', purpose: 'redis password', secret: true },
    { path: '/sentinel', setting: 'revocation.sentinelPasswordFile', purpose: 'sentinel password', secret: true },
    { path: '/ca', setting: 'revocation.caFile', purpose: 'redis certificates', secret: false },
    { path: '/signing', setting: 'refresh.key.privateKeyFile', purpose: 'signing key', secret: true },
  ])
  const issuer = '{ issuer: a, audiences: [x], keys: { secretFile: /shared }, algorithms: [HS256] }'
  const secret = configOf(`issuers: [${issuer}]\nrefresh: { key: { secretFile: /s, algorithm: HS256 } }`)
  expect(filesOf(secret).at(-1)).toEqual({
    path: '/s',
    setting: 'refresh.key.secretFile',
    purpose: 'shared secret',
    secret: true,
  })
  const exchange = configOf(
    `issuers: [${issuer}]\nadmin: { tokenFile: /t }\nrevocation: { redis: 'redis://r' }\nrefresh: { exchange: { tokenEndpoint: 'https://a', clientId: c, clientSecretFile: /c, caFile: /ca, grant: refresh-token, storeKeyFile: /k } }`,
  )
  expect(filesOf(exchange).slice(-3)).toEqual([
    { path: '/c', setting: 'refresh.exchange.clientSecretFile', purpose: 'client secret', secret: true },
    { path: '/ca', setting: 'refresh.exchange.caFile', purpose: 'identity provider certificates', secret: false },
    { path: '/k', setting: 'refresh.exchange.storeKeyFile', purpose: 'key for refresh tokens', secret: true },
  ])
  const byKey = configOf(
    `issuers: [${issuer}]\nrefresh: { exchange: { tokenEndpoint: 'https://a', clientId: c, clientAuthentication: private_key_jwt, clientKeyFile: /c, clientKeyAlgorithm: ES256 } }`,
  )
  expect(filesOf(byKey).slice(-1)).toEqual([
    { path: '/c', setting: 'refresh.exchange.clientKeyFile', purpose: 'client key', secret: true },
  ])
  const several = configOf(
    `issuers: [${issuer}]\nrefresh:\n  keys:\n    - { privateKeyFile: /one, algorithm: ES256, keyId: k1, active: true }\n    - { publicKeyFile: /two, algorithm: ES256, keyId: k2 }\n    - { secretFile: /three, algorithm: HS256, keyId: k3 }`,
  )
  expect(filesOf(several).slice(-3)).toEqual([
    { path: '/one', setting: 'refresh.keys[0].privateKeyFile', purpose: 'signing key', secret: true },
    { path: '/two', setting: 'refresh.keys[1].publicKeyFile', purpose: 'public key', secret: false },
    { path: '/three', setting: 'refresh.keys[2].secretFile', purpose: 'shared secret', secret: true },
  ])
  // A row that is added to the table has its case above.
  expect(settingRows.filter((row) => row.kind === 'file')).toHaveLength(22)
})

describe('reading', () => {
  const put = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }

  test('answers the bytes as they are', async () => {
    const bytes = Uint8Array.from([0, 255, 10])
    expect(await readSettingFile(put('bytes', bytes))).toEqual(Buffer.from(bytes))
  })

  test.each([
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret', 'secret'],
    [' a b \n\n', ' a b \n'],
  ])('takes one line break off the end of %j', async (content, text) => {
    expect(await readSettingText(put('text', content))).toBe(text)
  })

  test('reads exactly 1 MiB and not a byte more', async () => {
    const path = put('large', 'x')
    truncateSync(path, LARGEST_FILE_BYTES)
    expect((await readSettingFile(path)).length).toBe(LARGEST_FILE_BYTES)
    truncateSync(path, LARGEST_FILE_BYTES + 1)
    await expect(readSettingFile(path)).rejects.toThrow(`Cannot read "${path}": it is larger than 1048576 bytes`)
  })

  test('says plainly why it cannot', async () => {
    const missing = join(folder, 'missing')
    await expect(readSettingFile(missing)).rejects.toThrow(
      new SettingFileError(`Cannot read "${missing}": it does not exist`),
    )
    await expect(readSettingFile(folder)).rejects.toThrow(`Cannot read "${folder}": it is a directory`)
    const empty = put('empty', '')
    await expect(readSettingFile(empty)).rejects.toThrow(`Cannot read "${empty}": it is empty`)
    const blank = put('blank', '\n')
    await expect(readSettingText(blank)).rejects.toThrow(`Cannot read "${blank}": it is empty`)
    const binary = put('binary', Uint8Array.from([0xff, 0xfe]))
    await expect(readSettingText(binary)).rejects.toThrow(`Cannot read "${binary}": it is not UTF-8`)
    await expect(readSettingFile(join(empty, 'x'))).rejects.toThrow('a part of its path is not a directory')
    const loop = join(folder, 'loop')
    symlinkSync(loop, loop)
    await expect(readSettingFile(loop)).rejects.toThrow('its symbolic links go in a circle')
  })

  test('does not wait for the writer of a named pipe', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe])
    await expect(readSettingFile(pipe)).rejects.toThrow(`Cannot read "${pipe}": it is not a regular file`)
  })

  test.skipIf(process.getuid?.() === 0)('says that permission is denied', async () => {
    const path = put('closed', 'x')
    chmodSync(path, 0)
    await expect(readSettingFile(path)).rejects.toThrow(`Cannot read "${path}": permission is denied`)
  })

  test('follows symbolic links, as a ConfigMap is made of them', async () => {
    mkdirSync(join(folder, '..2026_1'))
    writeFileSync(join(folder, '..2026_1', 'key'), 'one')
    symlinkSync('..2026_1', join(folder, '..data'))
    symlinkSync('..data/key', join(folder, 'key'))
    expect(await readSettingText(join(folder, 'key'))).toBe('one')
  })
})
