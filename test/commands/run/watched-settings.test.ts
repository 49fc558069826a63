// No change of a file is lost, whenever it comes: while the settings are read, before the start, or while others are taken over.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readSettings, type Settings } from '../../../src/assembly/settings/read-settings.ts'
import { type Follower, watchSettings } from '../../../src/commands/run/watched-settings.ts'
import type { Shell } from '../../../src/commands/shell.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { createWorld, ISSUER, type World } from '../../support/gateway.ts'
import { jwksOf, makeKey } from '../../support/tokens.ts'

/** The certificate of the listener is judged by the clock last of all: whatever this does, the keys have been read before. */
let onKeysRead = () => {}
let laterMs = 0
const shell: Shell = {
  environment: {},
  clock: () => {
    onKeysRead()
    return Date.now() + laterMs
  },
  print: () => {},
  complain: () => {},
  output: process.stdout,
  readInput: async () => '',
  untilStopped: () => new Promise(() => {}),
  isTerminal: false,
}
const times = { intervalMs: 50, settleMs: 5 }

let world: World
let file: (name: string) => string
const closing: (() => void)[] = []
beforeEach(() => {
  laterMs = 0
  world = createWorld()
  file = (name) => join(world.folder, name)
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  world.remove()
})

const upstream = (port: number) => new URL(`http://127.0.0.1:${port}`)
const writeSettings = (port: number, keyFile = 'jwks.json') =>
  writeFileSync(file('sidegate.yaml'), world.settings(upstream(port)).replace('jwks.json', keyFile))
const writeKeys = (keyId: string, name = 'jwks.json') => writeFileSync(file(name), jwksOf(makeKey('ES256', keyId)))
const keyIdOf = ({ materials }: Pick<Settings, 'materials'>) => materials.issuerKeys.get(ISSUER)?.keys[0]?.keyId

async function start(beforeWatch: () => void = () => {}, lookAgainMs?: number) {
  const given = { config: file('sidegate.yaml') }
  const first = await readSettings(given, shell)
  if ('problems' in first) throw new Error('the settings are wrong')
  beforeWatch()
  const watched = await watchSettings(given, first, shell, {
    ...times,
    ...(lookAgainMs !== undefined && { lookAgainMs }),
  })
  closing.push(watched.close)
  const told: string[] = []
  let onTold = () => {}
  const app = {
    reload: (config: Settings['config'], materials: Settings['materials']) => {
      told.push(`${new URL(config.upstream).port} ${keyIdOf({ materials })}`)
      const run = onTold
      onTold = () => {}
      run()
    },
    reloadFailed: (problems: readonly string[]) => void told.push(problems.join()),
  }
  return {
    watched,
    app,
    told,
    whenTold: (run: () => void) => {
      onTold = run
    },
  }
}

it('starts with what changed after the first reading', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told } = await start(() => writeKeys('two'))
  expect(keyIdOf(watched.settings)).toBe('two')
  await watched.follow(app)
  expect(told).toEqual([])
})

it('tells what changed before the app was there', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told } = await start(() => {
    writeKeys('three', 'other.json')
    writeSettings(1, 'other.json')
  })
  await watched.follow(app)
  expect(told).toEqual(['1 three'])
})

it('tells a change that comes while another one is taken over', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told, whenTold } = await start()
  await watched.follow(app)
  whenTold(() => writeKeys('two'))
  writeSettings(2)
  await eventually(() => expect(told).toEqual(['2 one', '2 two']))
})

it('follows the files of the new settings, and tells what changes in them at once', async () => {
  writeSettings(1)
  writeKeys('one')
  writeKeys('two', 'other.json')
  const { watched, app, told, whenTold } = await start()
  await watched.follow(app)
  whenTold(() => writeKeys('three', 'other.json'))
  writeSettings(2, 'other.json')
  await eventually(() => expect(told).toEqual(['2 two', '2 three']))
})

it('tells what changes after new files were read and before they are watched', async () => {
  const certificates = makeCertificates()
  closing.push(certificates.remove)
  const tls = `tls: { certFile: ${certificates.certificateFile}, keyFile: ${certificates.keyFile} }`
  writeFileSync(file('sidegate.yaml'), world.settings(upstream(1), tls))
  writeKeys('one')
  writeKeys('two', 'other.json')
  const { watched, app, told } = await start()
  await watched.follow(app)
  onKeysRead = () => {
    onKeysRead = () => {}
    writeKeys('three', 'other.json')
  }
  writeFileSync(file('sidegate.yaml'), world.settings(upstream(2), tls).replace('jwks.json', 'other.json'))
  await eventually(() => expect(told.at(-1)).toBe('2 three'))
})

it('takes over settings that name a file which comes later', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told } = await start()
  await watched.follow(app)
  writeSettings(2, 'later.json')
  await eventually(() => expect(told).toEqual([expect.stringContaining('later.json": it does not exist')]))
  writeKeys('two', 'later.json')
  await eventually(() => expect(told.at(-1)).toBe('2 two'))
})

it('tells problems, and the way out of them', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told, whenTold } = await start()
  await watched.follow(app)
  writeFileSync(file('jwks.json'), '{}')
  await eventually(() => expect(told).toEqual([expect.stringContaining('it is not a JWK Set')]))
  whenTold(() => {})
  writeKeys('two')
  await eventually(() => expect(told.at(-1)).toBe('1 two'))
})

it('tells nothing after it was closed', async () => {
  writeSettings(1)
  writeKeys('one')
  const { watched, app, told } = await start()
  await watched.follow(app)
  watched.close()
  writeSettings(2)
  const other = await start()
  await other.watched.follow(other.app)
  writeSettings(3)
  await eventually(() => expect(other.told).toEqual(['3 one']))
  expect(told).toEqual([])
})

it('reports what ends by the clock while no file changes, once each, and loads what is right again', async () => {
  const certificates = makeCertificates()
  closing.push(certificates.remove)
  writeFileSync(file('revoked.pem'), certificates.revoke([]))
  const { certificateFile, keyFile, authorityFile } = certificates
  const files = { certFile: certificateFile, keyFile, clientCaFile: authorityFile, clientCrlFile: file('revoked.pem') }
  writeFileSync(file('sidegate.yaml'), world.settings(upstream(1), `tls: ${JSON.stringify(files)}`))
  writeKeys('one')
  const { watched, app, told } = await start(undefined, 20)
  const warned: string[] = []
  const warn: Follower['warn'] = (warnings) =>
    warned.push(...warnings.map(({ where, message }) => `${where} ${message}`))
  await watched.follow({ ...app, warn })

  laterMs = 1.8 * 86_400_000
  await eventually(() => expect(warned).toHaveLength(2))
  expect(warned).toEqual([
    expect.stringMatching(/tls.clientCrlFile The list of revoked certificates expires at /),
    expect.stringMatching(/tls.certFile The certificate expires at /),
  ])
  expect(told).toEqual([])
  laterMs = 3 * 86_400_000
  await eventually(() => expect(told).toEqual([expect.stringMatching(/has expired at /)]))
  laterMs = 0
  await eventually(() => expect(told.at(-1)).toBe('1 one'))
  expect([told.length, warned.length]).toEqual([2, 2])
})
