// `sidegate run` in this process: why it could not start, and that it serves until it is told to stop. Signals and reloads of
// a process of its own are in test/end-to-end.
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plainRun } from '../../../src/commands/run/run.ts'
import { createWorld, type World } from '../../support/gateway.ts'
import { freePort, listen } from '../../support/listen.ts'
import { type EchoOrigin, startEchoOrigin } from '../../support/origin.ts'
import { finishProcess } from '../../support/process.ts'
import { sidegate } from '../../support/shell.ts'

let world: World
let app: EchoOrigin
beforeAll(async () => {
  world = createWorld()
  app = await startEchoOrigin()
})
afterAll(async () => {
  await app.close()
  world.remove()
})

const quiet = ['--log-level', 'silent']
const settings = () => [
  ...['--upstream', app.url.origin, ...quiet],
  ...[
    '--issuers',
    `[{ issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: ${world.folder}/jwks.json } }]`,
  ],
]

test.each([[['run']], [[]]])('"sidegate %s" serves until it is told to stop, then answers 0', async (command) => {
  const ports = [await freePort(), await freePort()] as const
  const listening = ['--listen', `127.0.0.1:${ports[0]}`, '--admin-listen', `127.0.0.1:${ports[1]}`]
  let stop: (signal: string) => void = () => {}
  const stopped = new Promise<string>((resolve) => {
    stop = resolve
  })
  const running = sidegate([...command, ...settings(), ...listening], { stopped })
  await expect
    .poll(() =>
      fetch(`http://127.0.0.1:${ports[1]}/readyz`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
  const headers = { authorization: `Bearer ${world.mint()}` }
  expect((await fetch(`http://127.0.0.1:${ports[0]}/orders`, { headers })).status).toBe(200)
  stop('SIGTERM')
  expect(await running).toMatchObject({ exitCode: 0, text: '' })
  await expect(fetch(`http://127.0.0.1:${ports[0]}/orders`)).rejects.toThrow()
})

describe('a start that fails is one line with the setting to change, and 1', () => {
  test.each([
    ['listen', '--listen', '--admin-listen'],
    ['admin.listen', '--admin-listen', '--listen'],
  ])('a port that another process has: %s', async (setting, taken, free) => {
    const other = createServer()
    const port = await listen(other)
    try {
      const given = [...settings(), taken, `127.0.0.1:${port}`, free, '127.0.0.1:0']
      expect(await sidegate(given)).toMatchObject({
        complained: [`Cannot listen on "127.0.0.1:${port}": another process does already; change "${setting}"`],
        exitCode: 1,
      })
    } finally {
      other.close()
    }
  })

  test('an address that this machine does not have', async () => {
    const given = [...settings(), '--listen', '192.0.2.1:8080', '--admin-listen', '127.0.0.1:0']
    expect(await sidegate(given)).toMatchObject({
      complained: ['Cannot listen on "192.0.2.1:8080": this machine has no such address; change "listen"'],
      exitCode: 1,
    })
  })

  test('settings that are wrong', async () => {
    const { complained, exitCode } = await sidegate(['run', '--mode', 'off'])
    expect(complained[0]).toBe('The settings have 2 problems:')
    expect(exitCode).toBe(1)
  })

  test('a warning hinders nothing and is told', async () => {
    const given = ['check', ...settings()]
    const { complained, exitCode } = await sidegate(given, { environment: { SIDEGATE_UPSTREM: 'x' } })
    expect(complained).toEqual([
      'warning: SIDEGATE_UPSTREM: Ignored variable "SIDEGATE_UPSTREM": no setting has this name, did you mean "SIDEGATE_UPSTREAM"',
    ])
    expect(exitCode).toBe(0)
  })
})

describe('the plain command line of a container', () => {
  test('is read without yargs, and starts the gate as the whole command line does', async () => {
    expect(plainRun(['run', '--config', '/etc/sidegate.yaml'])).toEqual({ config: '/etc/sidegate.yaml' })
    expect(plainRun(['run'])).toEqual({})
    const missing = ['run', '--config', `${world.folder}/missing.yaml`]
    const { exitCode, complained } = await sidegate(missing)
    expect(await finishProcess(missing)).toEqual({ exitCode, output: `${complained.join('\n')}\n` })
  })

  test.each([
    [],
    ['run', '--config'],
    ['run', '--config', '--log-level'],
    ['run', '--config=sidegate.yaml'],
    ['run', '--config', 'sidegate.yaml', '--log-level', 'debug'],
    ['run', '--help'],
    ['check', '--config', 'sidegate.yaml'],
  ])('leaves every other one to yargs: %s %s %s', (...given: string[]) => {
    expect(plainRun(given)).toBeUndefined()
  })
})
