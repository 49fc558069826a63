// The command as a process of its own: exit codes, what goes to which stream, and output that is not cut off by a pipe.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs it with these arguments and nothing in its environment. */
function run(given: readonly string[], input = '', environment: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: environment, maxBuffer: 10_000_000 }
    const child = execFile(process.execPath, [program, ...given], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
    child.stdin?.end(input)
  })
}

test('--version answers the version of package.json', async () => {
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('--help names every command, on standard output, and where the settings are', async () => {
  const { code, stdout, stderr } = await run(['--help'])
  expect([code, stderr]).toEqual([0, ''])
  for (const name of ['run', 'demo', 'check', 'explain <token>', 'revoke', 'revocations', 'token', 'keys', 'schema'])
    expect(stdout).toContain(`sidegate ${name}`)
  expect(stdout).toContain('--config')
  expect(stdout).toContain('sidegate --help settings')
  expect(stdout.split('\n').length).toBeLessThan(40)
})

test.each([
  [
    'settings',
    ['--upstream <URL>', '--revocation-redis', '--refresh-key-private-key-file', '--mode <enforce | shadow>'],
  ],
  ['revocation', ['--revocation-max-staleness <duration>, default 30s', '--revocation-redis']],
  ['--tls', ['--tls-key-file <file>, required with tls']],
])('--help %s lists settings with their kinds and defaults', async (part, shown) => {
  const { code, stdout, stderr } = await run(['check', '--help', part])
  expect([code, stderr]).toEqual([0, ''])
  for (const text of shown) expect(stdout).toContain(text)
  if (part !== 'settings') expect(stdout).not.toContain('--upstream')
  expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(110)
})

test('without a settings file, what is missing is said with how to name one', async () => {
  const { code, stderr } = await run(['check'])
  expect(code).toBe(1)
  expect(stderr).toContain(
    'No settings file is given: name one with --config sidegate.yaml; "sidegate demo" needs none',
  )
})

test.each([
  ['explain', '--path'],
  ['revoke', '--issued-before'],
  ['revocations list', '--json'],
  ['revocations lift', '--issuer'],
  ['revocations import', '<file>'],
  ['token mint', '--lifetime'],
  ['token inspect', '--json'],
  ['keys generate', '--algorithm'],
  ['keys rotate', '--drop'],
  ['check', '--json'],
  ['demo', '--script'],
])('%s --help shows %s', async (command, shown) => {
  const { code, stdout } = await run([...command.split(' '), '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain(shown)
})

test('completion prints a script, and completes commands and flags', async () => {
  const { code, stdout, stderr } = await run(['completion'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('complete -o bashdefault -o default -F _sidegate_yargs_completions sidegate')
  const commands = await run(['--get-yargs-completions', 'sidegate', 're'])
  expect([commands.code, commands.stderr]).toEqual([0, ''])
  expect(commands.stdout.split('\n')).toEqual(expect.arrayContaining(['revoke', 'revocations']))
  const flags = await run(['--get-yargs-completions', 'sidegate', 'revoke', '--iss'])
  expect(flags.stdout.split('\n')).toEqual(expect.arrayContaining(['--issuer', '--issued-before']))
})

test('0, 1 and 2: done, the answer is no, wrong usage; troubles go to standard error', async () => {
  expect((await run(['schema'])).code).toBe(0)
  const no = await run(['check', '--config', 'none.yaml'])
  expect(no).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining('Cannot read "none.yaml"') })
  const usage = await run(['chek'])
  expect(usage.code).toBe(2)
  expect(usage).toMatchObject({ stdout: '', stderr: expect.stringContaining('did you mean "check"') })
})

test('output to a pipe that is read late is whole', async () => {
  const child = spawn(process.execPath, [program, 'schema'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.setEncoding('utf8')
  for await (const chunk of child.stdout) text += chunk
  expect(() => JSON.parse(text)).not.toThrow()
  if (child.exitCode === null) await once(child, 'exit')
  expect(child.exitCode).toBe(0)
})

/** Runs it with a standard output that nobody reads any more. */
async function runUnread(given: readonly string[]) {
  const child = spawn(process.execPath, [program, ...given], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let complained = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    complained += text
  })
  await once(child, 'close')
  return { code: child.exitCode, complained }
}

test('a reader that is gone ends a command quietly, with its own exit code', async () => {
  const redis = await startRedis()
  try {
    expect(await runUnread(['revoke', '--redis', redis.url, '--jti', 'stolen'])).toEqual({ code: 0, complained: '' })
    expect(await redis.command('xlen', 'sidegate:{default}:log')).toBe(1)
    expect(await runUnread(['revocations', 'list', '--redis', redis.url])).toEqual({ code: 0, complained: '' })
    expect(await runUnread(['check', '-c', 'none.yaml', '--json'])).toEqual({ code: 1, complained: '' })
  } finally {
    await redis.stop()
  }
})

test('a reader that is gone ends the demo, as a signal does', async () => {
  const { code, complained } = await runUnread(['demo'])
  expect(code).toBe(0)
  expect(complained).toContain('"Stopped"')
  expect(complained).not.toContain('EPIPE')
})

test('who complains to nobody goes on', async () => {
  const child = spawn(process.execPath, [program, 'demo'], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stderr.destroy()
  child.stdout.setEncoding('utf8')
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (!child.killed && text.includes('Ctrl-C ends the demo')) child.kill('SIGTERM')
  }
  if (child.exitCode === null) await once(child, 'exit')
  expect([child.exitCode, text]).toEqual([0, expect.stringContaining('Ctrl-C ends the demo')])
})

test('- reads from standard input', async () => {
  const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"sub":"alice"}').toString('base64url')}.AAAA`
  const { code, stdout } = await run(['token', 'inspect', '-'], `${token}\n`)
  expect(code).toBe(0)
  expect(stdout).toContain('"sub": "alice"')
})

test('variables are read by their exact names, and those of a Kubernetes service link are left alone', async () => {
  const issuers = '[{ issuer: https://id.example.com, audiences: [a], keys: { discovery: true } }]'
  const link = {
    SIDEGATE_PORT: 'tcp://10.0.0.1:80',
    SIDEGATE_SERVICE_HOST: '10.0.0.1',
    SIDEGATE_PORT_80_TCP: 'tcp://10.0.0.1:80',
  }
  const { code, stdout, stderr } = await run(['check'], '', {
    ...{ SIDEGATE_ISSUERS: issuers, SIDEGATE_UPSTREAM: 'http://127.0.0.1:4000', ...link },
  })
  expect([code, stdout, stderr]).toEqual([
    0,
    'The settings are valid: 1 issuer, 0 routes, upstream http://127.0.0.1:4000\n',
    '',
  ])
})
