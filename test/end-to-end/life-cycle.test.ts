// The life of the process: start, reload, drain, end; as a process of its own, with the signals that Kubernetes sends.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createWorld, reasonOf, sumOf, type World } from '../support/gateway.ts'
import { startApp } from '../support/origin.ts'
import { finishProcess, type GateProcess, killProcesses, startProcess } from '../support/process.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRedis } from '../support/redis.ts'
import { jwksOf, makeKey, signToken } from '../support/tokens.ts'

let world: World
let upstream: Awaited<ReturnType<typeof startApp>>
let answerSlowOnes: () => void

beforeEach(async () => {
  world = createWorld()
  const waiting: (() => void)[] = []
  answerSlowOnes = () => {
    for (const answer of waiting.splice(0)) answer()
  }
  upstream = await startApp((req, res) => {
    if (req.url === '/slow') waiting.push(() => res.end('slow but done'))
    else res.end('hello')
  })
})

afterEach(async () => {
  killProcesses()
  await upstream.close()
  world.remove()
})

function settingsFile(text = world.settings(upstream.url)): string {
  const path = join(world.folder, 'sidegate.yaml')
  writeFileSync(path, text)
  return path
}

const ask = (gate: GateProcess, path: string, token?: string) =>
  fetch(
    `http://127.0.0.1:${gate.port}${path}`,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  )
const admin = (gate: GateProcess, path: string) => fetch(`http://127.0.0.1:${gate.adminPort}${path}`)
const reloads = async (gate: GateProcess, result: string) =>
  sumOf(await (await admin(gate, '/metrics')).text(), 'sidegate_config_reloads_total', { result })

describe('starting', () => {
  it('runs with settings from a file, and says where', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    expect((await ask(gate, '/', world.mint())).status).toBe(200)
    expect((await admin(gate, '/readyz')).status).toBe(200)
  })

  it('runs with settings from variables alone, and knows nothing of the variables of Kubernetes', async () => {
    const gate = await startProcess([], {
      SIDEGATE_LISTEN: '127.0.0.1:0',
      SIDEGATE_ADMIN_LISTEN: '127.0.0.1:0',
      SIDEGATE_UPSTREAM: upstream.url.origin,
      SIDEGATE_ISSUERS: `[{ issuer: https://id.example.com, audiences: [orders], keys: { jwksFile: ${world.folder}/jwks.json } }]`,
      SIDEGATE_PORT: 'tcp://10.0.0.1:80',
      SIDEGATE_SERVICE_HOST: '10.0.0.1',
    })
    expect((await ask(gate, '/', world.mint())).status).toBe(200)
  })

  it('writes lines of JSON alone, a warning of a library among them', async () => {
    const redis = await startRedis()
    try {
      const url = redis.url.replace('redis://', 'redis://:needless@')
      const gate = await startProcess([
        'run',
        '--config',
        settingsFile(world.settings(upstream.url, `revocation: { redis: '${url}' }\n`)),
      ])
      await eventually(async () => expect((await admin(gate, '/readyz')).status).toBe(200))
      const lines = gate.output().trim().split('\n')
      expect(lines.map((line) => JSON.parse(line))).toContainEqual(
        expect.objectContaining({
          level: 'warn',
          msg: 'A library reports',
          detail: expect.stringContaining('password'),
        }),
      )
    } finally {
      await redis.stop()
    }
  })

  it('prefers a flag to a variable, and a variable to the file', async () => {
    const file = settingsFile(world.settings(new URL('http://127.0.0.1:1')))
    const given = ['run', '--config', file, '--mode', 'enforce']
    const gate = await startProcess(given, { SIDEGATE_UPSTREAM: upstream.url.origin, SIDEGATE_MODE: 'shadow' })
    expect(await (await ask(gate, '/', world.mint())).text()).toBe('hello')
    expect((await ask(gate, '/')).status).toBe(401)
  })

  it('does not start with wrong settings, and lists everything that is wrong', async () => {
    const file = settingsFile('listen: 8080\nupstreem: http://x\nissuers: []\n')
    const { exitCode, output } = await finishProcess(['run', '--config', file])
    expect(exitCode).toBe(1)
    expect(output.trim().split('\n')).toEqual([
      'The settings have 3 problems:',
      expect.stringContaining('sidegate.yaml:1:1 listen: Expected an address such as "0.0.0.0:8080"'),
      expect.stringContaining('sidegate.yaml:2:1: Unknown setting "upstreem", did you mean "upstream"'),
      expect.stringContaining('sidegate.yaml:3:1 issuers: Expected a list of at least one issuer'),
    ])
  })

  it('does not start with a key file that cannot be used, and names it', async () => {
    writeFileSync(join(world.folder, 'jwks.json'), '{"keys":[]}')
    const { exitCode, output } = await finishProcess(['run', '--config', settingsFile()])
    expect(exitCode).toBe(1)
    expect(output).toContain(
      `issuers[0].keys.jwksFile: Cannot use "${world.folder}/jwks.json" as key set: it holds no usable key`,
    )
  })

  it('says plainly that a port is taken', async () => {
    const file = settingsFile(
      world
        .settings(upstream.url)
        .replace('listen: 127.0.0.1:0', `listen: ${upstream.url.host}`)
        .replace(/upstream: .*/, 'upstream: http://127.0.0.1:3'),
    )
    const { exitCode, output } = await finishProcess(['run', '--config', file])
    expect(exitCode).toBe(1)
    expect(output).toContain(`Cannot listen on "${upstream.url.host}": another process does already; change "listen"`)
  })
})

describe('a setting that is probably not meant', () => {
  const doubtful = (gate: GateProcess) =>
    gate
      .output()
      .split('\n')
      .filter((line) => line.includes('Every client is believed to be a proxy'))

  it('is logged once at the start and again after a reload, as a line of the log', async () => {
    const more = "forward: { trustedProxies: ['0.0.0.0/0'] }"
    const file = settingsFile(world.settings(upstream.url, more))
    const gate = await startProcess(['run', '--config', file])
    expect(doubtful(gate).map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        level: 'warn',
        setting: expect.stringContaining('sidegate.yaml:'),
        msg: expect.stringContaining('"0.0.0.0/0" holds all addresses, name the addresses'),
      }),
    ])
    settingsFile(world.settings(upstream.url, `${more}\nmode: shadow`))
    await eventually(() => expect(doubtful(gate)).toHaveLength(2), 1000)
  })
})

describe('reloading', () => {
  it('takes over changed settings without a restart', async () => {
    const file = settingsFile()
    const gate = await startProcess(['run', '--config', file])
    expect((await ask(gate, '/open')).status).toBe(401)
    settingsFile(world.settings(upstream.url, 'routes: [{ path: /open, access: public }]\n'))
    await vi.waitFor(async () => expect((await ask(gate, '/open')).status).toBe(200), { timeout: 10_000 })
    expect(await reloads(gate, 'ok')).toBe(1)
  })

  // holds: remembered-too-long
  it('takes over a changed key file, and refuses what the old key signed', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    const token = world.mint()
    expect((await ask(gate, '/', token)).status).toBe(200)
    const next = makeKey('ES256', 'next')
    writeFileSync(join(world.folder, 'jwks.json'), jwksOf(next))
    await vi.waitFor(async () => expect(await reasonOf(await ask(gate, '/', token))).toBe('key_unknown'), {
      timeout: 10_000,
    })
    const nowSeconds = Math.floor(Date.now() / 1000)
    const claims = { iss: 'https://id.example.com', aud: 'orders', sub: 'alice', iat: nowSeconds, exp: nowSeconds + 60 }
    expect((await ask(gate, '/', signToken(next, claims))).status).toBe(200)
  })

  // holds: settings-and-keys-change
  it('keeps the old settings in force where the new ones are wrong, and says what is wrong', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    settingsFile('listen: nonsense\n')
    await vi.waitFor(async () => expect(await reloads(gate, 'error')).toBe(1), { timeout: 10_000 })
    expect((await ask(gate, '/', world.mint())).status).toBe(200)
    await eventually(() => {
      expect(gate.output()).toContain('keeping the previous ones')
      expect(gate.output()).toContain('Expected an address')
    })
    expect(sumOf(await (await admin(gate, '/metrics')).text(), 'sidegate_config_last_reload_successful', {})).toBe(0)
    settingsFile(world.settings(upstream.url, 'routes: [{ path: /open, access: public }]\n'))
    await vi.waitFor(async () => expect((await ask(gate, '/open')).status).toBe(200), { timeout: 10_000 })
  })

  // holds: settings-and-keys-change
  it('notices the way in which the kubelet swaps a ConfigMap', async () => {
    const mount = join(world.folder, 'mount')
    const write = (version: string, text: string) => {
      mkdirSync(join(mount, version), { recursive: true })
      writeFileSync(join(mount, version, 'sidegate.yaml'), text)
      symlinkSync(version, join(mount, '..data_tmp'))
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
    }
    write('..2026_1', world.settings(upstream.url))
    symlinkSync(join('..data', 'sidegate.yaml'), join(mount, 'sidegate.yaml'))
    const gate = await startProcess(['run', '--config', join(mount, 'sidegate.yaml')])
    write('..2026_2', world.settings(upstream.url, 'routes: [{ path: /open, access: public }]\n'))
    await vi.waitFor(async () => expect((await ask(gate, '/open')).status).toBe(200), { timeout: 10_000 })
  })

  it('names settings that only a start reads', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    settingsFile(world.settings(upstream.url, 'revocation: { maxStaleness: 1s }\n'))
    await vi.waitFor(() => expect(gate.output()).toContain('These settings take effect only after a restart'), {
      timeout: 10_000,
    })
    expect(gate.output()).toContain('"settings":["revocation.maxStaleness"]')
  })
})

describe('ending', () => {
  // holds: sigterm-under-load
  it('on SIGTERM turns not ready, takes no new connection, finishes what is open, and exits with 0', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    const slow = ask(gate, '/slow', world.mint())
    await eventually(async () =>
      expect(sumOf(await (await admin(gate, '/metrics')).text(), 'sidegate_requests_in_flight', {})).toBe(1),
    )
    gate.child.kill('SIGTERM')
    await eventually(async () => expect((await admin(gate, '/readyz')).status).toBe(503))
    expect(await (await admin(gate, '/readyz')).json()).toMatchObject({
      checks: { draining: 'the gate is shutting down' },
    })
    // The system may give the port to somebody else at once.
    await eventually(() => expect(ask(gate, '/', world.mint())).rejects.toThrow())
    expect(gate.child.exitCode).toBeNull()
    answerSlowOnes()
    expect(await (await slow).text()).toBe('slow but done')
    expect(await gate.exited).toBe(0)
  })

  it('does not wait longer than drainTimeout', async () => {
    const gate = await startProcess([
      'run',
      '--config',
      settingsFile(world.settings(upstream.url, 'limits: { drainTimeout: 300ms }\n')),
    ])
    const slow = ask(gate, '/slow', world.mint()).catch(() => 'cut')
    await eventually(async () =>
      expect(sumOf(await (await admin(gate, '/metrics')).text(), 'sidegate_requests_in_flight', {})).toBe(1),
    )
    gate.child.kill('SIGTERM')
    expect(await gate.exited).toBe(0)
    expect(await slow).toBe('cut')
  })

  it('is not held up by idle connections', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    const client = rawClient(gate.port)
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${world.mint()}\r\n\r\n`)
    await client.until((text) => text.includes('hello'))
    gate.child.kill('SIGTERM')
    await client.closed()
    expect(await gate.exited).toBe(0)
  })

  // holds: sigterm-under-load
  it('ends at once at the second signal', async () => {
    const gate = await startProcess(['run', '--config', settingsFile()])
    const slow = ask(gate, '/slow', world.mint()).catch(() => 'cut')
    await eventually(async () =>
      expect(sumOf(await (await admin(gate, '/metrics')).text(), 'sidegate_requests_in_flight', {})).toBe(1),
    )
    gate.child.kill('SIGTERM')
    await eventually(async () => expect((await admin(gate, '/readyz')).status).toBe(503))
    gate.child.kill('SIGTERM')
    expect(await gate.exited).toBe(1)
    expect(await slow).toBe('cut')
  })
})

describe('shadow mode', () => {
  it('forwards what it would refuse, without an identity, and counts and logs it', async () => {
    const gate = await startProcess(['run', '--config', settingsFile(world.settings(upstream.url, 'mode: shadow\n'))])
    expect(await (await ask(gate, '/')).text()).toBe('hello')
    expect((await ask(gate, '/', world.mint())).status).toBe(200)
    const metrics = await (await admin(gate, '/metrics')).text()
    expect(sumOf(metrics, 'sidegate_shadow_refusals_total', { reason: 'token_missing' })).toBe(1)
    expect(sumOf(metrics, 'sidegate_decisions_total', { decision: 'shadow' })).toBe(1)
    expect(sumOf(metrics, 'sidegate_decisions_total', { decision: 'permit' })).toBe(1)
    expect(sumOf(metrics, 'sidegate_enforcement_info', { mode: 'shadow' })).toBe(1)
    await eventually(() => expect(gate.output()).toContain('"decision":"shadow","reason":"token_missing"'))
  })
})
