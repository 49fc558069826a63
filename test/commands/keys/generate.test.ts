// `sidegate keys generate`: a pair that nobody else can read, that replaces nothing, and that the gate can use as printed.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sidegate } from '../../support/shell.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('the private files are for the owner alone, and the key set holds no private member', async () => {
  const out = join(folder, 'new', 'keys')
  const { printed, complained, exitCode, text } = await sidegate(['keys', 'generate', '--out', out])
  expect(complained).toEqual([])
  expect(exitCode).toBe(0)
  expect(printed[0]).toBe(`Wrote ${out}/private.pem, ${out}/private.jwk, ${out}/jwks.json`)
  expect(modeOf(join(out, 'private.pem'))).toBe('600')
  expect(modeOf(join(out, 'private.jwk'))).toBe('600')
  expect(modeOf(join(out, 'jwks.json'))).toBe('644')
  const { d } = JSON.parse(readFileSync(join(out, 'private.jwk'), 'utf8')) as { d: string }
  const [jwk] = JSON.parse(readFileSync(join(out, 'jwks.json'), 'utf8')).keys
  expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  expect(text).not.toContain(d)
  expect(text).not.toContain('BEGIN')
})

test.each(['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])(
  'the printed line works as a setting, and a token of the %s key is admitted',
  async (algorithm) => {
    const out = join(folder, 'keys')
    const { printed } = await sidegate(['keys', 'generate', '--out', out, '--algorithm', algorithm, '--key-id', 'k-1'])
    const line = printed[1] ?? ''
    expect(line).toBe(`refresh.key: { privateKeyFile: ${out}/private.pem, algorithm: ${algorithm}, keyId: k-1 }`)
    const config = join(folder, 'sidegate.yaml')
    writeFileSync(
      config,
      `issuers:
  - issuer: https://dev.example
    audiences: [orders]
    algorithms: [${algorithm}]
    keys: { jwksFile: ${out}/jwks.json }
refresh:
  key: ${line.slice('refresh.key: '.length)}
`,
    )
    const check = await sidegate(['check', '--config', config])
    expect(check.text).toContain('The settings are valid')
    const minted = await sidegate(['token', 'mint', '--config', config, '--subject', 'alice'])
    const explained = await sidegate(['explain', '--config', config, minted.printed[0] ?? ''])
    expect(explained.printed.at(-1)).toBe('decision      admitted, if not revoked')
    expect(explained.exitCode).toBe(0)
  },
)

test('an existing key is not overwritten', async () => {
  await sidegate(['keys', 'generate', '--out', folder])
  const before = readFileSync(join(folder, 'private.pem'), 'utf8')
  const again = await sidegate(['keys', 'generate', '--out', folder])
  expect(again.complained).toEqual([
    `Cannot write "${folder}/private.pem": it exists already; remove it or choose another --out`,
  ])
  expect(again.printed).toEqual([])
  expect(again.exitCode).toBe(1)
  expect(readFileSync(join(folder, 'private.pem'), 'utf8')).toBe(before)
})

test('where one file of the three is in the way, none is written', async () => {
  writeFileSync(join(folder, 'jwks.json'), 'of another key')
  const { complained, exitCode } = await sidegate(['keys', 'generate', '--out', folder])
  expect(complained[0]).toContain(`Cannot write "${folder}/jwks.json": it exists already`)
  expect(exitCode).toBe(1)
  expect(existsSync(join(folder, 'private.pem'))).toBe(false)
  expect(existsSync(join(folder, 'private.jwk'))).toBe(false)
  expect(readFileSync(join(folder, 'jwks.json'), 'utf8')).toBe('of another key')
})

test('a folder that is a file is told in one line', async () => {
  writeFileSync(join(folder, 'file'), '')
  const { complained, exitCode } = await sidegate(['keys', 'generate', '--out', join(folder, 'file', 'keys')])
  expect(complained).toEqual([`Cannot write "${folder}/file/keys": a part of its path is not a directory`])
  expect(exitCode).toBe(1)
  expect((await sidegate(['keys', 'generate', '--out', join(folder, 'file')])).exitCode).toBe(1)
})

test.skipIf(process.getuid?.() === 0)('a folder that may not be written to is told in one line', async () => {
  mkdirSync(join(folder, 'closed'))
  chmodSync(join(folder, 'closed'), 0o500)
  const { complained } = await sidegate(['keys', 'generate', '--out', join(folder, 'closed')])
  expect(complained).toEqual([`Cannot write "${folder}/closed/private.pem": permission is denied`])
})
