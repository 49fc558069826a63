// `sidegate token mint` and `sidegate token inspect`: a development issuer, and a look into a token that nobody verified.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, sidegate, signatureOf } from '../../support/shell.ts'
import { goodClaims, makeKey, NOW_SECONDS, part, privatePem, publicPem, signToken } from '../../support/tokens.ts'

const clock = () => NOW_SECONDS * 1000
const secret = 'a-shared-secret-that-is-long-enough-0123456789'
let folder: string
const file = (name: string) => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-token-'))
  const key = makeKey()
  writeFileSync(file('key.pem'), privatePem(key))
  writeFileSync(file('public.pem'), publicPem(key))
  writeFileSync(file('secret'), `${secret}\n`)
  writeFileSync(file('short'), 'geheim\n')
  const issuer = (more: string) => `issuers: [{ issuer: https://dev.example, audiences: [orders, shop], ${more} }]\n`
  writeFileSync(
    file('sidegate.yaml'),
    `${issuer(`keys: { publicKeyFile: ${file('public.pem')} }`)}refresh: { key: { privateKeyFile: ${file('key.pem')}, algorithm: ES256, keyId: k1 } }\n`,
  )
  writeFileSync(
    file('secret.yaml'),
    `${issuer(`algorithms: [HS256], keys: { secretFile: ${file('secret')} }`)}refresh: { key: { secretFile: ${file('secret')}, algorithm: HS256 } }\n`,
  )
  writeFileSync(file('no-refresh.yaml'), issuer(`keys: { publicKeyFile: ${file('public.pem')} }`))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const mint = (...given: string[]) => sidegate(['token', 'mint', ...given], { clock })

function read({ printed }: Ran): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = '', claims = ''] = (printed[0] ?? '').split('.')
  const decode = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>
  return { header: decode(header), claims: decode(claims) }
}

describe('token mint', () => {
  test('with settings: the first issuer, its audiences and the refresh key', async () => {
    const ran = await mint('--config', file('sidegate.yaml'), '--subject', 'alice')
    const { header, claims } = read(ran)
    expect(header).toEqual({ alg: 'ES256', kid: 'k1', typ: 'JWT' })
    expect(claims).toEqual({
      iss: 'https://dev.example',
      sub: 'alice',
      aud: ['orders', 'shop'],
      iat: NOW_SECONDS,
      exp: NOW_SECONDS + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(ran.printed).toHaveLength(1)
    expect(ran.exitCode).toBe(0)
  })

  test('with a key of its own: every option', async () => {
    const { header, claims } = read(
      await mint(
        ...['--key', file('key.pem'), '--algorithm', 'ES256', '--key-id', 'mine', '--type', 'at+jwt'],
        ...['--issuer', 'https://other.example', '--subject', 'bob', '--lifetime', '2h'],
        ...['--audience', 'a', '--audience', 'b', 'c'],
        ...['--claim', 'scope=read write', '--claim', 'level=3', '--claim', 'roles=["x"]', '--claim', 'a=b=c'],
      ),
    )
    expect(header).toEqual({ alg: 'ES256', kid: 'mine', typ: 'at+jwt' })
    expect(claims).toMatchObject({
      iss: 'https://other.example',
      sub: 'bob',
      aud: ['a', 'b', 'c'],
      exp: NOW_SECONDS + 7200,
      scope: 'read write',
      level: 3,
      roles: ['x'],
      a: 'b=c',
    })
  })

  test.each(['sidegate.yaml', 'secret.yaml'])('a token by the key of %s is admitted by explain', async (name) => {
    const minted = await mint('--config', file(name), '--subject', 'alice')
    const explained = await sidegate(['explain', '--config', file(name), '-'], {
      clock,
      input: `${minted.printed[0]}\n`,
    })
    expect(explained.printed.at(-1)).toBe('decision      admitted, if not revoked')
    expect(explained.exitCode).toBe(0)
    expect(explained.text).not.toContain(signatureOf(minted.printed[0] ?? ''))
    expect(explained.text).not.toContain(secret)
  })

  test('with a shared secret: HS256, the line end of the file not being part of it', async () => {
    const minted = await mint('--key', file('secret'), '--algorithm', 'HS256', '--config', file('secret.yaml'))
    expect(read(minted).header).toMatchObject({ alg: 'HS256', kid: expect.any(String) })
    const explained = await sidegate(['explain', '-c', file('secret.yaml'), minted.printed[0] ?? ''], { clock })
    expect(explained.exitCode).toBe(0)
    expect(minted.text).not.toContain(secret)
  })

  test.each<[string, readonly string[], string]>([
    ['no key', [], 'Give --key, or --config with a refresh.key in it'],
    ['settings without a key', ['-c', 'no-refresh.yaml'], 'Give --key, or --config with a refresh.key in it'],
    ['no issuer', ['--key', 'key.pem'], 'Give --issuer, or --config with an issuer in it'],
    ['a key that is missing', ['--key', 'none'], 'Cannot read the key "none"'],
    [
      'a key that does not fit the algorithm',
      ['--key', 'key.pem', '--algorithm', 'RS256'],
      'Cannot sign with "key.pem": it cannot sign with RS256; it can with ES256',
    ],
    [
      'no signature at all',
      ['--key', 'key.pem', '--algorithm', 'none'],
      'Cannot sign with "key.pem": it cannot sign with none; it can with ES256',
    ],
    ['a public key', ['--key', 'public.pem'], 'Cannot sign with "public.pem": it is not a private key in PEM or JWK'],
    [
      'a secret that is too short',
      ['--key', 'short', '--algorithm', 'HS256'],
      'Cannot sign with "short": it has 6 bytes; HS256 needs at least 32',
    ],
    [
      'an HS algorithm that does not exist',
      ['--key', 'secret', '--algorithm', 'HS1'],
      '--algorithm "HS1" is not one of HS256, HS384, HS512',
    ],
    [
      'a lifetime without a unit',
      ['--key', 'key.pem', '--issuer', 'i', '--lifetime', '5'],
      '--lifetime "5" is no duration such as 5m',
    ],
    [
      'a claim without a value',
      ['--key', 'key.pem', '--issuer', 'i', '--claim', 'scope'],
      '--claim "scope" is not of the form name=value',
    ],
  ])('%s is wrong usage', async (_, given, message) => {
    const paths = given.map((text) =>
      /\.(pem|yaml)$|^(secret|short|none)$/.test(text) && text !== 'none' ? file(text) : text,
    )
    const { complained, printed, exitCode, text } = await mint(...paths)
    expect(complained.map((line) => line.replaceAll(`${folder}/`, ''))).toEqual([message, 'Run with --help for usage'])
    expect(printed).toEqual([])
    expect(exitCode).toBe(2)
    expect(text).not.toMatch(/geheim|BEGIN|long-enough/)
  })

  test('settings that are wrong are told and answer 1', async () => {
    writeFileSync(file('wrong.yaml'), 'issuers: []\n')
    const { complained, exitCode } = await mint('--config', file('wrong.yaml'))
    expect(complained[0]).toBe('The settings have 1 problem:')
    expect(exitCode).toBe(1)
  })
})

describe('token inspect', () => {
  const token = signToken(makeKey(), goodClaims({ nbf: NOW_SECONDS, auth_time: NOW_SECONDS - 90_061 }), { typ: 'JWT' })

  test('prints what the token says, when, and that nobody verified it', async () => {
    const { printed, exitCode, text } = await sidegate(['token', 'inspect', token], { clock })
    expect(printed[0]).toBe('header  {"alg":"ES256","kid":"ES256-key","typ":"JWT"}')
    expect(text).toContain('"sub": "alice"')
    expect(printed.slice(-5)).toEqual([
      'authenticated 2027-01-14T06:58:59Z, 1 d 1 h ago',
      'issued        2027-01-15T07:59:50Z, 10 s ago',
      'valid from    2027-01-15T08:00:00Z, now',
      'expires       2027-01-15T08:05:00Z, in 5 min',
      'The signature was not verified; "sidegate explain" does that',
    ])
    expect(text).not.toContain(signatureOf(token))
    expect(exitCode).toBe(0)
  })

  test('--json prints header and claims alone, and - reads the token', async () => {
    const { printed, text } = await sidegate(['token', 'inspect', '--json', '-'], { input: ` ${token}\n` })
    expect(JSON.parse(printed.join('\n'))).toEqual({
      header: { alg: 'ES256', kid: 'ES256-key', typ: 'JWT' },
      claims: goodClaims({ nbf: NOW_SECONDS, auth_time: NOW_SECONDS - 90_061 }),
    })
    expect(text).not.toContain(signatureOf(token))
  })

  test.each([
    ['two parts', 'a.b', 'it does not have three parts'],
    ['five parts', 'a.b.c.d.e', 'it has more than three parts'],
    ['padding', `${token}=`, 'a part is not canonical base64url'],
    [
      'a payload that is no object',
      `${part({ alg: 'ES256' })}.${part('[]')}.AA`,
      'its payload is not one plain JSON object',
    ],
  ])('a token with %s is malformed, and says how', async (_, text, detail) => {
    const { complained, printed, exitCode } = await sidegate(['token', 'inspect', text])
    expect(complained).toEqual([`The token is malformed: ${detail}`])
    expect(printed).toEqual([])
    expect(exitCode).toBe(1)
  })
})
