// `sidegate health`: what a probe that runs a command gets to know of a gate that really runs.
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSocketServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { quickHealth, reportHealth } from '../../../src/commands/health/report-health.ts'
import { readAdminAddress } from '../../../src/config/admin-address.ts'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../../support/gateway.ts'
import { freePort, listen } from '../../support/listen.ts'
import { finishProcess } from '../../support/process.ts'
import { createTestShell, sidegate } from '../../support/shell.ts'

const UPSTREAM = new URL('http://127.0.0.1:3')
let world: World

beforeEach(() => {
  world = createWorld()
})

afterEach(async () => {
  await stopGateways()
  world.remove()
})

function settingsFile(text: string): string {
  const path = join(world.folder, 'sidegate.yaml')
  writeFileSync(path, text)
  return path
}

const addressOf = (gate: Gateway) => `127.0.0.1:${gate.adminPort}`

describe('a gate that lives', () => {
  test('is alive, and ready when nothing is missing', async () => {
    const gate = await startGateway(world.settings(UPSTREAM))
    expect(await sidegate(['health', '--admin', addressOf(gate)])).toMatchObject({ exitCode: 0, printed: ['ok'] })
    const ready = await sidegate(['health', '--ready', '--admin', addressOf(gate)])
    expect(ready.exitCode).toBe(0)
    expect(JSON.parse(ready.text)).toMatchObject({ ready: true, checks: { keys: 'ok' } })
  })

  test('is alive and not ready where its list was never read, and says so', async () => {
    const redis = `revocation: { redis: redis://127.0.0.1:${await freePort()}/0 }\n`
    const gate = await startGateway(world.settings(UPSTREAM, redis))
    expect((await sidegate(['health', '--admin', addressOf(gate)])).exitCode).toBe(0)
    const ready = await sidegate(['health', '--ready', '--admin', addressOf(gate)])
    expect(ready.exitCode).toBe(1)
    const { checks } = JSON.parse(ready.text) as { checks: Record<string, string> }
    expect(checks.revocations).not.toBe('ok')
  })

  test('is found by its file, and by a variable that beats the file', async () => {
    const gate = await startGateway(world.settings(UPSTREAM))
    const place = addressOf(gate).replace('127.0.0.1', '0.0.0.0')
    expect((await sidegate(['health', '-c', settingsFile(`admin: { listen: '${place}' }\n`)])).exitCode).toBe(0)
    const elsewhere = settingsFile("admin: { listen: '127.0.0.1:1' }\n")
    const environment = { SIDEGATE_ADMIN_LISTEN: place }
    expect((await sidegate(['health', '-c', elsewhere], { environment })).exitCode).toBe(0)
    expect((await sidegate(['health'], { environment })).exitCode).toBe(0)
  })

  test('is found also while the rest of its file is wrong, as it goes on as well', async () => {
    const gate = await startGateway(world.settings(UPSTREAM))
    const file = settingsFile(
      `admin: { listen: '${addressOf(gate)}', tokenFile: /nowhere }\nissuers: []\nnonsense: 1\n`,
    )
    expect((await sidegate(['health', '-c', file])).exitCode).toBe(0)
  })
})

describe('the plain forms', () => {
  const silent = createTestShell()
  const quick = (given: readonly string[], environment = {}) =>
    quickHealth(given, { ...silent.shell, environment }) !== undefined

  test('need no settings: the process itself answers as the whole command line does', async () => {
    const gate = await startGateway(world.settings(UPSTREAM))
    const variables = { SIDEGATE_ADMIN_LISTEN: `0.0.0.0:${gate.adminPort}` }
    for (const given of [['health'], ['health', '--ready']]) {
      const { exitCode, text } = await sidegate(given, { environment: variables })
      expect(await finishProcess(given, variables)).toEqual({ exitCode, output: `${text}\n` })
    }
    const { exitCode, complained } = await sidegate(['health', '--admin', '127.0.0.1:1'])
    expect(await finishProcess(['health', '--admin', '127.0.0.1:1'])).toEqual({ exitCode, output: `${complained}\n` })
  })

  test('ask at the default of the settings', () => {
    expect(readAdminAddress({ environment: {}, flags: {} })).toEqual({ address: { host: '::', port: 9090 } })
    expect(quick(['health'])).toBe(true)
    expect(quick(['health'], { SIDEGATE_ADMIN_LISTEN: '[::]:9091' })).toBe(true)
  })

  test('leave everything else to the whole command line', () => {
    for (const given of [
      ['run'],
      ['health', '-c', 'sidegate.yaml'],
      ['health', '--help'],
      ['health', '--admin'],
      ['health', '--admin', 'localhost:1'],
      ['health', '--admin', '127.0.0.1:1', '--ready'],
    ])
      expect(quick(given), given.join(' ')).toBe(false)
  })
})

describe('no good answer', () => {
  test('comes from a port on which nothing listens', async () => {
    const port = await freePort()
    const { exitCode, complained } = await sidegate(['health', '--admin', `127.0.0.1:${port}`])
    expect(exitCode).toBe(1)
    expect(complained).toEqual([`Cannot ask the gate at "127.0.0.1:${port}": nothing listens there`])
  })

  test('is any status but 200, and no more than its beginning is read', async () => {
    const other = createServer((_, response) => {
      response.writeHead(204)
      response.end()
    })
    const endless = createServer((_, response) => {
      response.on('error', () => {})
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1)
      response.on('close', () => clearInterval(timer))
    })
    try {
      expect((await sidegate(['health', '--admin', `127.0.0.1:${await listen(other)}`])).exitCode).toBe(1)
      const { text } = await sidegate(['health', '--admin', `127.0.0.1:${await listen(endless)}`])
      expect(text).toHaveLength(16_384)
    } finally {
      other.close()
      endless.close()
    }
  })

  test.each([
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      10_000,
      'it closed the connection without an answer',
    ],
    [
      'an answer that does not end in time',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok',
      200,
      'there is no answer within 0.2 s',
    ],
    ['silence', '', 200, 'there is no answer within 0.2 s'],
  ])('is %s', async (_name, said, timeoutMs, reason) => {
    const sockets: Socket[] = []
    const other = createSocketServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.write(said)
    })
    const port = await listen(other)
    const { shell, complained } = createTestShell()
    try {
      expect(await reportHealth({ host: '127.0.0.1', port }, false, shell, timeoutMs)).toBe(1)
      expect(complained).toEqual([`Cannot ask the gate at "127.0.0.1:${port}": ${reason}`])
    } finally {
      for (const socket of sockets) socket.destroy()
      other.close()
    }
  })

  test('comes from settings that do not say where to ask', async () => {
    const cases: [readonly string[], RegExp][] = [
      [['-c', join(world.folder, 'none.yaml')], /none\.yaml/],
      [['-c', settingsFile('admin: { listen: 9090 }\n')], /admin\.listen: .*address/],
    ]
    for (const [given, says] of cases) {
      const { exitCode, complained } = await sidegate(['health', ...given])
      expect(exitCode).toBe(1)
      expect(complained.join('\n')).toMatch(says)
    }
    const broken = await sidegate(['health', '-c', settingsFile('admin: {\n')])
    expect(broken).toMatchObject({ exitCode: 1, complained: [expect.stringContaining('it is not YAML')] })
    const environment = { SIDEGATE_ADMIN_LISTEN: 'nonsense' }
    expect((await sidegate(['health'], { environment })).complained.join()).toMatch(/^SIDEGATE_ADMIN_LISTEN: .*address/)
  })

  test('is wrong usage where the address was typed wrong', async () => {
    expect(await sidegate(['health', '--admin', 'localhost'])).toMatchObject({
      exitCode: 2,
      complained: [expect.stringMatching(/^--admin: Expected an address/), expect.anything()],
    })
    expect((await sidegate(['health', '--admin', '127.0.0.1:1', '-c', 'x.yaml'])).exitCode).toBe(2)
  })
})
