// `sidegate keys rotate`: the next key waits, the settings keep what a person wrote, and nothing goes that is still needed.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sidegate } from '../../support/shell.ts'

const NOW_MS = Date.parse('2026-12-01T10:00:00Z')
const NEW_KEY = 'signing-20261201T100000Z'
const MINUTE_MS = 60_000

let folder: string
let config: string
let nowMs: number
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-rotate-'))
  config = join(folder, 'sidegate.yaml')
  nowMs = NOW_MS
  await sidegate(['keys', 'generate', '--out', join(folder, 'keys'), '--algorithm', 'EdDSA', '--key-id', 'k1'])
  write(`{ privateKeyFile: ${folder}/keys/private.pem, algorithm: EdDSA, keyId: k1 } # the only key`)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Settings with this refresh key, and comments around it. */
function write(key: string, more = ''): void {
  writeFileSync(
    config,
    `# our gate
issuers: # the provider
  - { issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: ${folder}/keys/jwks.json } }
refresh:
  window: 60s    # short
  lifetime: 5m
  key: ${key}
${more}`,
  )
}

const rotate = (...more: string[]) => sidegate(['keys', 'rotate', '-c', config, ...more], { clock: () => nowMs })
const check = () => sidegate(['check', '-c', config, '--json'], { clock: () => nowMs })
const keysNow = async () => JSON.parse((await check()).printed.join('\n')).settings.refresh.keys
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('a rotation', () => {
  test('makes a key beside the present one, which waits for ten minutes, and keeps the comments', async () => {
    const before = readFileSync(config, 'utf8')
    const { printed, complained, exitCode } = await rotate()
    expect(complained).toEqual([])
    expect(exitCode).toBe(0)
    const [old, next] = await keysNow()
    const named = `${folder}/keys/${NEW_KEY}.pem`
    expect(old).toEqual({ privateKeyFile: `${folder}/keys/private.pem`, algorithm: 'EdDSA', keyId: 'k1', active: true })
    expect(next).toEqual({ privateKeyFile: named, algorithm: 'EdDSA', keyId: next.keyId, active: NOW_MS / 1000 + 600 })
    expect(readFileSync(config, 'utf8')).toBe(
      before.replace(
        /window: 60s {4}#([\s\S]*) {2}key: \{ (.*) \} # the only key/,
        `window: 60s #$1  keys:
    - { $2, active: true } # the only key
    - { privateKeyFile: ${named}, algorithm: EdDSA, keyId: ${next.keyId}, active: 2026-12-01T10:10:00Z }`,
      ),
    )
    expect(modeOf(named)).toBe('600')
    expect(printed).toEqual([
      `Wrote ${named} and ${folder}/keys/${NEW_KEY}.public.pem`,
      `Changed ${config}: key "${next.keyId}" verifies from now on, and signs from 2026-12-01T10:10:00Z on (in 10 min)`,
      'Next:',
      `1. Before that time, bring it to every gate: first the key, as ${named}, then the settings; its admin port then shows the key at /.well-known/jwks.json`,
      '2. From 2026-12-01T10:15:05Z on, no token of key "k1" is valid any more: run this with --drop',
    ])
  })

  test('prints no key, and tells a machine the same', async () => {
    const { printed, text } = await rotate('--json')
    const said = JSON.parse(printed.join('\n'))
    const [, next] = await keysNow()
    expect(said).toEqual({
      config,
      keyId: next.keyId,
      algorithm: 'EdDSA',
      active: '2026-12-01T10:10:00Z',
      files: [`${folder}/keys/${NEW_KEY}.pem`, `${folder}/keys/${NEW_KEY}.public.pem`],
      named: `${folder}/keys/${NEW_KEY}.pem`,
      before: { keyId: 'k1', droppableFrom: '2026-12-01T10:15:05Z' },
    })
    const [, secretLine = '?'] = readFileSync(`${folder}/keys/${NEW_KEY}.pem`, 'utf8').split('\n')
    expect(text).not.toContain(secretLine)
  })

  test('signs with the key before until the time has come, and with the new one from then on', async () => {
    await rotate()
    const [, next] = await keysNow()
    const signerOf = async () => {
      const { printed } = await sidegate(['token', 'mint', '-c', config], { clock: () => nowMs })
      return JSON.parse(Buffer.from(printed[0]?.split('.')[0] ?? '', 'base64url').toString()).kid
    }
    expect(await signerOf()).toBe('k1')
    nowMs += 10 * MINUTE_MS - 1
    expect(await signerOf()).toBe('k1')
    nowMs += 1
    expect(await signerOf()).toBe(next.keyId)
  })

  test('writes where the settings cannot lead here, and names the key beside the present one', async () => {
    write('{ privateKeyFile: /etc/sidegate/keys/signing.pem, algorithm: ES256, keyId: k1 }')
    const { printed, complained } = await rotate('--out', join(folder, 'new'), '--in', '1h')
    expect(complained).toEqual([])
    expect(readdirSync(join(folder, 'new')).sort()).toEqual([`${NEW_KEY}.pem`, `${NEW_KEY}.public.pem`])
    expect(readFileSync(config, 'utf8')).toContain(
      `privateKeyFile: /etc/sidegate/keys/${NEW_KEY}.pem, algorithm: ES256`,
    )
    expect(printed[3]).toContain(`first the key, as /etc/sidegate/keys/${NEW_KEY}.pem, then the settings`)
  })

  test('can go on to another algorithm', async () => {
    await rotate('--algorithm', 'ES384', '--in', '0s')
    expect((await keysNow()).map((key: { algorithm: string }) => key.algorithm)).toEqual(['EdDSA', 'ES384'])
    expect((await check()).exitCode).toBe(0)
  })

  test('makes the next secret of a shared one, and writes down the name that the first one had', async () => {
    writeFileSync(join(folder, 'secret'), `${'s'.repeat(40)}\n`)
    write(`{ secretFile: ${folder}/secret, algorithm: HS256 }`)
    const mint = await sidegate(['token', 'mint', '-c', config], { clock: () => nowMs })
    const { kid } = JSON.parse(Buffer.from(mint.printed[0]?.split('.')[0] ?? '', 'base64url').toString())
    const { printed, complained } = await rotate()
    expect(complained).toEqual([])
    expect((await keysNow())[0].keyId).toBe(kid)
    expect(printed[0]).toBe(`Wrote ${folder}/${NEW_KEY}.secret`)
    expect(printed[3]).not.toContain('jwks')
    expect(modeOf(join(folder, `${NEW_KEY}.secret`))).toBe('600')
  })

  test('keeps the mode of the settings, and replaces what a link leads to', async () => {
    chmodSync(config, 0o640)
    const link = join(folder, 'link.yaml')
    symlinkSync(config, link)
    const { complained } = await sidegate(['keys', 'rotate', '-c', link], { clock: () => nowMs })
    expect(complained).toEqual([])
    expect(modeOf(config)).toBe('640')
    expect(readFileSync(config, 'utf8')).toContain(NEW_KEY)
    expect(readdirSync(folder).sort()).toEqual(['keys', 'link.yaml', 'sidegate.yaml'])
  })
})

describe('a rotation changes nothing', () => {
  afterEach(() => {
    expect(readdirSync(join(folder, 'keys')).sort()).toEqual(files)
    expect(readdirSync(folder).filter((name) => name.startsWith('sidegate.yaml'))).toEqual(['sidegate.yaml'])
  })
  let files = ['jwks.json', 'private.jwk', 'private.pem']
  beforeEach(() => {
    files = ['jwks.json', 'private.jwk', 'private.pem']
  })

  const refused = async (message: string, ...more: string[]) => {
    const before = readFileSync(config, 'utf8')
    const { complained, printed, exitCode } = await rotate(...more)
    expect(complained.join('\n')).toContain(message)
    expect(printed).toEqual([])
    expect(exitCode).toBe(1)
    expect(readFileSync(config, 'utf8')).toBe(before)
  }

  test('while a key is waiting', async () => {
    await rotate()
    files.push(`${NEW_KEY}.pem`, `${NEW_KEY}.public.pem`)
    const [, { keyId }] = await keysNow()
    nowMs += MINUTE_MS
    await refused(`Cannot rotate: key "${keyId}" is waiting already; it signs in 9 min, from 2026-12-01T10:10:00Z on`)
  })

  test('where the settings have no refresh', async () => {
    writeFileSync(config, readFileSync(config, 'utf8').split('refresh:')[0] ?? '')
    await refused(`Cannot rotate: the settings in "${config}" have no "refresh"`)
  })

  test('where the identity provider has the keys', async () => {
    const exchange = '{ tokenEndpoint: https://id.example.com/token, clientId: c, clientSecretFile: /s }'
    writeFileSync(config, readFileSync(config, 'utf8').replace(/key: .*/, `exchange: ${exchange}`))
    await refused(`Cannot rotate: the settings in "${config}" leave the keys to the provider ("refresh.exchange")`)
  })

  test('where the settings are wrong already', async () => {
    write('{ privateKeyFile: /k, algorithm: EdDSA }')
    await refused('refresh.key.keyId: Missing setting')
  })

  test('where a variable has the last word', async () => {
    const variable = '[{ privateKeyFile: /k, algorithm: EdDSA, keyId: other, active: true }]'
    writeFileSync(
      config,
      readFileSync(config, 'utf8')
        .replace('key:', 'keys:')
        .replace(/(\{ private.*) \}/, '[$1, active: true }]'),
    )
    const environment = { SIDEGATE_REFRESH_KEYS: variable }
    const { complained } = await sidegate(['keys', 'rotate', '-c', config, '--out', `${folder}/keys`], { environment })
    expect(complained).toEqual([`Cannot change "${config}": a variable gives other refresh keys than the file`])
    const more = variable
      .replace('true', '1')
      .replace('[', '[{ secretFile: /s, algorithm: HS256, keyId: k, active: true }, ')
    const given = { environment: { SIDEGATE_REFRESH_KEYS: more } }
    const dropped = await sidegate(['keys', 'rotate', '-c', config, '--drop'], given)
    expect(dropped.text).toContain('a variable gives other refresh keys than the file')
    expect(readFileSync(config, 'utf8')).toContain('keyId: k1')
  })

  test('where the file of the new key is there already', async () => {
    writeFileSync(join(folder, 'keys', `${NEW_KEY}.public.pem`), 'of somebody else')
    files.push(`${NEW_KEY}.public.pem`)
    await refused(`Cannot write "${folder}/keys/${NEW_KEY}.public.pem": it exists already`)
    expect(readFileSync(join(folder, 'keys', `${NEW_KEY}.public.pem`), 'utf8')).toBe('of somebody else')
  })

  test('where there are sixteen keys', async () => {
    const many = Array.from({ length: 16 }, (_, index) => {
      const active = index === 0 ? 'true' : `${1000 + index}`
      return `{ privateKeyFile: ${folder}/keys/private.pem, algorithm: EdDSA, keyId: k${index}, active: ${active} }`
    })
    write('0')
    writeFileSync(config, readFileSync(config, 'utf8').replace('key: 0', `keys: [${many.join(', ')}]`))
    await refused('refresh.keys: Expected at most 16 in this list, got 17')
  })

  test('where variables alone give the keys', async () => {
    const before = readFileSync(config, 'utf8').split('refresh:')[0] ?? ''
    writeFileSync(config, before)
    const environment = {
      SIDEGATE_REFRESH_KEY_PRIVATE_KEY_FILE: `${folder}/keys/private.pem`,
      SIDEGATE_REFRESH_KEY_ALGORITHM: 'EdDSA',
      SIDEGATE_REFRESH_KEY_KEY_ID: 'k1',
    }
    const { complained, exitCode } = await sidegate(['keys', 'rotate', '-c', config], { environment })
    expect(complained).toEqual([`Cannot change "${config}": its refresh keys are not written out there`])
    expect(exitCode).toBe(1)
    expect(readFileSync(config, 'utf8')).toBe(before)
  })

  test('where the settings cannot be read, and where the time is none', async () => {
    const missing = join(folder, 'missing.yaml')
    expect((await sidegate(['keys', 'rotate', '-c', missing])).complained).toEqual([
      `Cannot rotate: Cannot read "${missing}": it does not exist`,
    ])
    const { complained, exitCode } = await rotate('--in', 'soon')
    expect(complained[0]).toBe('--in "soon" is no duration such as 10m')
    expect(exitCode).toBe(2)
  })

  test.skipIf(process.getuid?.() === 0)('where the settings cannot be written', async () => {
    mkdirSync(join(folder, 'closed'))
    const inside = join(folder, 'closed', 'sidegate.yaml')
    writeFileSync(inside, readFileSync(config))
    chmodSync(join(folder, 'closed'), 0o500)
    const { complained } = await sidegate(['keys', 'rotate', '-c', inside], { clock: () => nowMs })
    chmodSync(join(folder, 'closed'), 0o700)
    expect(complained[0]).toContain('permission is denied')
  })
})

describe('dropping a key', () => {
  test('waits until its last token has expired, and names the file that can go then', async () => {
    await rotate()
    const [, next] = await keysNow()
    nowMs += 15 * MINUTE_MS + 4_999
    const early = await rotate('--drop')
    expect(early.printed).toEqual([
      'Kept key "k1": its last tokens expire now, at 2026-12-01T10:15:05Z',
      `Kept key "${next.keyId}": it signs`,
      'No key can go yet',
    ])
    expect(early.exitCode).toBe(1)
    nowMs += 1
    const late = await rotate('--drop')
    expect(late.complained).toEqual([])
    expect(late.printed).toEqual([
      `Kept key "${next.keyId}": it signs`,
      `Took key "k1" out of ${config}; once every gate has read that, "${folder}/keys/private.pem" can be removed`,
    ])
    expect(late.exitCode).toBe(0)
    expect(await keysNow()).toEqual([next])
    expect(existsSync(join(folder, 'keys', 'private.pem'))).toBe(true)
    expect(readFileSync(config, 'utf8')).toContain('window: 60s # short')
  })

  test('never takes the key that signs or one that waits, nor one of which nothing is known', async () => {
    await rotate()
    const { keyId } = (await keysNow())[1]
    const idle = `    - { publicKeyFile: ${folder}/keys/${NEW_KEY}.public.pem, algorithm: EdDSA, keyId: retired }\n`
    writeFileSync(config, `${readFileSync(config, 'utf8')}${idle}`)
    const { printed, exitCode } = await rotate('--drop', '--json')
    expect(exitCode).toBe(1)
    expect(JSON.parse(printed.join('\n'))).toEqual({
      config,
      dropped: [],
      files: [],
      kept: [
        { keyId: 'k1', why: 'it signs' },
        { keyId, why: 'it signs in 10 min, from 2026-12-01T10:10:00Z on' },
        { keyId: 'retired', why: 'the settings do not tell when it signed last; take it out by hand' },
      ],
    })
  })

  test('goes on for as many rotations as there are', async () => {
    for (let turn = 0; turn < 3; turn++) {
      expect((await rotate()).exitCode).toBe(0)
      nowMs += 60 * MINUTE_MS
    }
    expect(await keysNow()).toHaveLength(4)
    const { printed } = await rotate('--drop', '--json')
    const { dropped, files } = JSON.parse(printed.join('\n'))
    expect(dropped).toHaveLength(3)
    expect(files[0]).toBe(`${folder}/keys/private.pem`)
    expect(await keysNow()).toHaveLength(1)
    expect((await rotate()).exitCode).toBe(0)
  })

  test('is told as a no where one key signs since ever', async () => {
    const { printed, exitCode } = await rotate('--drop')
    expect(printed).toEqual(['Kept key "k1": it signs', 'No key can go yet'])
    expect(exitCode).toBe(1)
  })
})
