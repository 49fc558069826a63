// What happens to the process while a thousand requests are in flight: no request that was accepted may fail, and nobody
// who was shut out may come in.
import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeCertificates, type TestCertificates, type TestPair } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { ADMIN_TOKEN, createWorld, ISSUER, sumOf, type World } from '../support/gateway.ts'
import { freePort } from '../support/listen.ts'
import { startApp } from '../support/origin.ts'
import { type GateProcess, killProcesses, startProcess } from '../support/process.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { secureRequest } from '../support/secure-client.ts'
import { goodClaims, jwksOf, makeKey, signToken } from '../support/tokens.ts'

const IN_FLIGHT = 1_000
/** So many at a time that no handshake has to wait for its turn until it is given up. */
const TOGETHER = 50
const patience = { timeout: 30_000 }
const roomForAll = `limits: { upstreamConnections: ${IN_FLIGHT + 24} }\n`

let world: World
let certificates: TestCertificates
let app: Awaited<ReturnType<typeof startApp>>
/** The answers to /slow that are still owed. */
let owed: ServerResponse[]
const closing: (() => unknown)[] = []

beforeEach(async () => {
  world = createWorld()
  certificates = makeCertificates()
  owed = []
  app = await startApp((req, res) => {
    if (req.url === '/slow') owed.push(res)
    else res.end('quick')
  })
  show(certificates)
  closing.push(world.remove, certificates.remove, app.close)
})
afterEach(async () => {
  killProcesses()
  for (const close of closing.splice(0).reverse()) await close()
})

const file = (name: string) => join(world.folder, name)

function show({ certificateFile, keyFile }: Pick<TestPair, 'certificateFile' | 'keyFile'>): void {
  copyFileSync(certificateFile, file('tls.crt'))
  copyFileSync(keyFile, file('tls.key'))
}

function writeSettings(more = ''): string {
  const tls = `tls: { certFile: ${file('tls.crt')}, keyFile: ${file('tls.key')} }\n`
  writeFileSync(file('sidegate.yaml'), world.settings(app.url, tls + roomForAll + more))
  return file('sidegate.yaml')
}

const admin = (gate: GateProcess, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${gate.adminPort}${path}`, init)
const metric = async (gate: GateProcess, name: string, labels = {}) =>
  sumOf(await (await admin(gate, '/metrics')).text(), name, labels)

function ask(gate: GateProcess, path: string, token?: string, agent: Agent | false = false) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return secureRequest(gate.port, { ca: certificates.authority, path, agent, headers })
}

/** Requests that the app has in its hands, each on a connection of its own. */
async function putInFlight(gate: GateProcess) {
  const token = world.mint()
  const answers: Promise<string>[] = []
  const askOnce = () =>
    ask(gate, '/slow', token).then(
      ({ status, text }) => `${status} ${text}`,
      (error: Error) => error.message,
    )
  while (answers.length < IN_FLIGHT) {
    answers.push(...Array.from({ length: TOGETHER }, askOnce))
    await vi.waitFor(() => expect(owed).toHaveLength(answers.length), patience)
  }
  return async () => {
    for (const res of owed) res.end('done')
    return new Set(await Promise.all(answers))
  }
}

/** Ten clients that ask one request after another over kept-alive connections; answers what they saw when told to stop. */
function keepAsking(gate: GateProcess) {
  const agent = new Agent({ keepAlive: true, maxSockets: 10, ca: certificates.authority })
  closing.push(() => agent.destroy())
  const token = world.mint()
  const seen = new Map<string, number>()
  let isAsking = true
  const client = async () => {
    while (isAsking) {
      const answer = await ask(gate, '/', token, agent).then(
        ({ status }) => String(status),
        (error: Error) => error.message,
      )
      seen.set(answer, (seen.get(answer) ?? 0) + 1)
    }
  }
  const clients = Array.from({ length: 10 }, client)
  return async () => {
    isAsking = false
    await Promise.all(clients)
    return seen
  }
}

describe('with a thousand requests in flight', () => {
  // holds: settings-and-keys-change
  it('settings, keys and the certificate change, and no request fails', async () => {
    const gate = await startProcess(['run', '--config', writeSettings()])
    const finish = await putInFlight(gate)
    const stopAsking = keepAsking(gate)

    writeSettings('routes: [{ path: /open, access: public }]\n')
    await vi.waitFor(async () => expect((await ask(gate, '/open')).status).toBe(200), patience)

    const next = makeKey('ES256', 'next')
    const nowSeconds = Math.floor(Date.now() / 1000)
    const nextToken = signToken(next, goodClaims({ iss: ISSUER, jti: 'by-the-next-key' }, nowSeconds))
    writeFileSync(file('jwks.json'), jwksOf(world.issuerKey, next))
    await vi.waitFor(async () => expect((await ask(gate, '/', nextToken)).status).toBe(200), patience)

    show(certificates.issue('next'))
    await vi.waitFor(async () => expect((await ask(gate, '/open')).shown).toBe('next'), patience)

    const failed = await metric(gate, 'sidegate_config_reloads_total', { result: 'error' })
    writeFileSync(file('tls.key'), certificates.privateKey)
    await vi.waitFor(
      async () =>
        expect(await metric(gate, 'sidegate_config_reloads_total', { result: 'error' })).toBeGreaterThan(failed),
      patience,
    )
    await eventually(() => expect(gate.output()).toContain('it does not belong to the key in \\"tls.keyFile\\"'))
    expect((await ask(gate, '/open')).shown).toBe('next')

    expect(await metric(gate, 'sidegate_requests_in_flight')).toBeGreaterThanOrEqual(IN_FLIGHT)
    expect(await finish()).toEqual(new Set(['200 done']))
    const seen = await stopAsking()
    expect([...seen.keys()]).toEqual(['200'])
    expect(seen.get('200')).toBeGreaterThan(100)
  }, 120_000)

  // holds: sigterm-under-load
  it('SIGTERM lets every one of them finish', async () => {
    const gate = await startProcess(['run', '--config', writeSettings()])
    const finish = await putInFlight(gate)
    gate.child.kill('SIGTERM')
    await vi.waitFor(async () => expect((await admin(gate, '/readyz')).status).toBe(503), patience)
    // The system may give the port to somebody else at once.
    await eventually(() => expect(ask(gate, '/', world.mint())).rejects.toThrow('ECONNREFUSED'))
    expect(await finish()).toEqual(new Set(['200 done']))
    expect(await gate.exited).toBe(0)
  }, 120_000)
})

describe('killed and started again', () => {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis(['--appendonly', 'yes'])
    closing.push(redis.stop)
  })

  /** Asks with these tokens without a pause, whether or not anybody listens; answers every status that came. */
  function hammer(port: number, tokens: readonly string[]) {
    const seen = new Set<number>()
    let isAsking = true
    const client = async (token: string) => {
      while (isAsking) {
        const answer = await fetch(`http://127.0.0.1:${port}/`, {
          headers: { authorization: `Bearer ${token}` },
        }).catch(() => undefined)
        if (answer !== undefined) seen.add(answer.status)
        await answer?.body?.cancel()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const clients = tokens.map(client)
    return {
      seen,
      stop: async () => {
        isAsking = false
        await Promise.all(clients)
      },
    }
  }

  // holds: killed-started-again
  it('it never admits what was revoked before or meanwhile, and serves everybody else', async () => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const settings = world
      .settings(app.url, `revocation: { redis: "${redis.url}" }\n`)
      .replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${port}`)
      .replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${adminPort}`)
    writeFileSync(file('plain.yaml'), settings)
    const start = async () => {
      const gate = await startProcess(['run', '--config', file('plain.yaml')])
      await vi.waitFor(async () => expect((await admin(gate, '/readyz')).status).toBe(200), patience)
      return gate
    }
    const plainly = async (token: string) =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })).status
    const [before, meanwhile, good] = [world.mint({ jti: 'before' }), world.mint({ jti: 'meanwhile' }), world.mint()]

    const first = await start()
    const others = Array.from({ length: 500 }, (_, i) => ({ kind: 'token', value: `other-${i}` }))
    const written = await admin(first, '/revocations', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify([{ kind: 'token', value: 'before' }, ...others]),
    })
    expect(written.status).toBe(201)
    expect([await plainly(before), await plainly(meanwhile), await plainly(good)]).toEqual([401, 200, 200])

    const early = hammer(port, [before])
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    const expires = String(Math.floor(Date.now() / 1000) + 3600)
    await redis.command(
      'XADD',
      'sidegate:{default}:log',
      '*',
      'kind',
      'token',
      'value',
      'meanwhile',
      'expires',
      expires,
    )
    const late = hammer(port, [before, meanwhile])

    await start()
    expect(await plainly(good)).toBe(200)
    await vi.waitFor(() => expect(late.seen).toContain(401), patience)
    await Promise.all([early.stop(), late.stop()])
    expect([...early.seen, ...late.seen]).not.toContain(200)
  })
})
