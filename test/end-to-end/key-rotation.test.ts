// A fleet goes from one signing key to the next: no token is refused on the way, others can verify successors by the gate's
// own key set, and a key that is gone or stolen counts no more.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ADMIN_TOKEN,
  createWorld,
  type Gateway,
  ISSUER,
  nextOf,
  reasonOf,
  startGateway,
  stopGateways,
  type World,
} from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { killProcesses, startProcess } from '../support/process.ts'
import { sidegate } from '../support/shell.ts'
import { makeKey, privatePem, publicPem } from '../support/tokens.ts'

const MINUTE_MS = 60_000
/** A minute ahead, as times of keys are whole seconds. */
const SWITCHED_MS = MINUTE_MS + 1_000

let world: World
let upstream: EchoOrigin
let file: string
/** By how much the gates and the command are ahead of this machine. */
let aheadMs: number
const clock = () => Date.now() + aheadMs
const startGate = () => startGateway(readFileSync(file, 'utf8'), clock)

beforeEach(async () => {
  aheadMs = 0
  world = createWorld()
  upstream = await startEchoOrigin()
  file = join(world.folder, 'sidegate.yaml')
  const key = world.signingKey('k1')
  const refresh = `refresh: # of the fleet\n  window: 4m\n  lifetime: 5m\n  key: ${key}\n`
  writeFileSync(file, world.settings(upstream.url, `${refresh}limits: { drainTimeout: 0s }\n`))
})

afterEach(async () => {
  killProcesses()
  await stopGateways()
  await upstream.close()
  world.remove()
})

/** Puts other keys into the settings file. */
function writeKeys(...keys: string[]): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace(/key: .*/, `keys: [${keys.join(', ')}]`))
}

const writeKeyFile = (name: string, text: string) => {
  writeFileSync(join(world.folder, name), text)
  return join(world.folder, name)
}
const rotate = async (...more: string[]) => {
  const ran = await sidegate(['keys', 'rotate', '-c', file, '--json', ...more], { clock })
  expect(ran.complained).toEqual([])
  return JSON.parse(ran.printed.join('\n')) as { keyId: string; dropped: string[] }
}
const nowSeconds = () => Math.floor(clock() / 1000)
/** A token of the provider with thirty seconds left. */
const dueToken = (claims: Record<string, unknown> = {}) =>
  world.mint({ iat: nowSeconds() - 90, exp: nowSeconds() + 30, ...claims })
const successorOf = async (gate: Gateway, token = dueToken()) => nextOf(await gate.request('/', { token })) ?? ''
const keyIdOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const keySetOf = async (gate: Gateway) =>
  ((await (await gate.admin('/.well-known/jwks.json')).json()) as { keys: Record<string, string>[] }).keys

/** People whose requests go to the gates in turn, and who take every next token that they get. */
function createCrowd(gates: readonly Pick<Gateway, 'request'>[]) {
  // In its window, and with more left than a test turns the clock.
  const firstToken = () => world.mint({ iat: nowSeconds() - 90, exp: nowSeconds() + 150 })
  const held = Array.from({ length: 8 }, firstToken)
  const signedBy = new Set<string>()
  const refused: (string | undefined)[] = []
  let count = 0

  async function ask(person: number): Promise<void> {
    const gate = gates[count++ % gates.length]
    const response = await gate?.request('/', { token: held[person] ?? '' })
    if (response === undefined) return
    if (response.status !== 200) {
      const reason = await reasonOf(response)
      // A machine that is too busy says nothing about the token: the person asks again with it.
      if (reason !== 'overloaded') refused.push(reason)
      return
    }
    await response.arrayBuffer()
    const next = nextOf(response)
    if (next !== null) signedBy.add(keyIdOf(next))
    held[person] = next ?? firstToken()
  }

  return {
    signedBy,
    refused,
    /** Each person asks so often, one after another, all persons at once. */
    asks: (times: number) =>
      Promise.all(
        held.map(async (_, person) => {
          for (let turn = 0; turn < times; turn++) await ask(person)
        }),
      ),
  }
}

describe('a fleet that rotates its key', () => {
  it('refuses no token, though its gates read the settings at different moments', async () => {
    const gates = [await startGate(), await startGate()] as const
    const crowd = createCrowd(gates)
    await crowd.asks(10)
    const { keyId } = await rotate('--in', '1m')
    const settings = readFileSync(file, 'utf8')
    for (const gate of gates) await Promise.all([crowd.asks(20), gate.reload(settings)])
    expect([...crowd.signedBy]).toEqual(['k1'])
    const turning = crowd.asks(20)
    aheadMs = SWITCHED_MS
    await turning
    await crowd.asks(10)
    expect([...crowd.signedBy]).toEqual(['k1', keyId])
    expect(crowd.refused).toEqual([])
  })

  it('does so as processes that watch their settings, with nobody who tells them', async () => {
    const processes = [await startProcess(['run', '-c', file]), await startProcess(['run', '-c', file])]
    const crowd = createCrowd(
      processes.map(({ port }) => ({
        request: (path, { token } = {}) =>
          fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } }),
      })),
    )
    await crowd.asks(5)
    const { keyId } = await rotate('--in', '8s')
    const soon = { timeout: 20_000, interval: 50 }
    await vi.waitFor(async () => {
      await crowd.asks(2)
      expect(crowd.signedBy).toContain(keyId)
    }, soon)
    await crowd.asks(5)
    for (const { adminPort } of processes) {
      const response = await fetch(`http://127.0.0.1:${adminPort}/.well-known/jwks.json`)
      expect(await response.text()).toContain(keyId)
    }
    expect(crowd.refused).toEqual([])
  }, 40_000)

  it('would refuse some if the new key did not wait', async () => {
    const [one, other] = [await startGate(), await startGate()]
    const { keyId } = await rotate('--in', '0s')
    aheadMs = 1000
    await one.reload(readFileSync(file, 'utf8'))
    const successor = await successorOf(one)
    expect(keyIdOf(successor)).toBe(keyId)
    expect(await reasonOf(await other.request('/', { token: successor }))).toBe('key_unknown')
  })

  it('switches by the clock alone, and a successor that was given out stays the one of its token', async () => {
    await rotate('--in', '1m')
    const gate = await startGate()
    const token = world.mint({ iat: nowSeconds() - 90, exp: nowSeconds() + 200 })
    const before = await successorOf(gate, token)
    aheadMs = SWITCHED_MS
    expect(await successorOf(gate, token)).toBe(before)
    expect(keyIdOf(before)).toBe('k1')
    expect(keyIdOf(await successorOf(gate))).not.toBe('k1')
  })

  it('admits successors of the old key until they expire, and refuses them once the key was dropped', async () => {
    await rotate('--in', '1m')
    const gate = await startGate()
    const old = await successorOf(gate)
    aheadMs = SWITCHED_MS
    expect((await gate.request('/', { token: old })).status).toBe(200)
    aheadMs += 5 * MINUTE_MS + 5_000
    expect(await reasonOf(await gate.request('/', { token: old }))).toBe('token_expired')
    expect((await rotate('--drop')).dropped).toEqual(['k1'])
    await gate.reload(readFileSync(file, 'utf8'))
    aheadMs = SWITCHED_MS
    expect(await reasonOf(await gate.request('/', { token: old }))).toBe('key_unknown')
    expect((await gate.request('/', { token: await successorOf(gate) })).status).toBe(200)
  })

  it('goes on to another algorithm, and back out of a shared secret', async () => {
    const secret = writeKeyFile('secret', 's'.repeat(32))
    writeKeys(`{ secretFile: ${secret}, algorithm: HS256, keyId: shared, active: true }`)
    await rotate('--algorithm', 'ES384', '--in', '1m')
    const gate = await startGate()
    const old = await successorOf(gate)
    aheadMs = SWITCHED_MS
    const next = await successorOf(gate)
    expect([keyIdOf(old), keyIdOf(next)]).toEqual(['shared', expect.not.stringMatching(/^shared$/)])
    expect((await gate.request('/', { token: old })).status).toBe(200)
    expect((await gate.request('/', { token: next })).status).toBe(200)
    expect((await keySetOf(gate)).map(({ alg }) => alg)).toEqual(['ES384'])
  })
})

describe('an old key', () => {
  it('verifies by its public half alone, where the private one was destroyed', async () => {
    const gate = await startGate()
    const old = await successorOf(gate)
    const pair = makeKey('ES256', 'k2')
    const present = writeKeyFile('k2.pem', privatePem(pair))
    const retired = writeKeyFile('k1.public.pem', await publicHalf('signing.pem'))
    writeKeys(
      `{ publicKeyFile: ${retired}, algorithm: EdDSA, keyId: k1 }`,
      `{ privateKeyFile: ${present}, algorithm: ES256, keyId: k2, active: true }`,
    )
    await gate.reload(readFileSync(file, 'utf8'))
    expect((await gate.request('/', { token: old })).status).toBe(200)
    expect(keyIdOf(await successorOf(gate))).toBe('k2')
    expect((await keySetOf(gate)).map(({ kid }) => kid)).toEqual(['k1', 'k2'])
  })

  it('that was stolen is revoked by its id: what it signed ends, what the new one signs goes on', async () => {
    const gate = await startGate()
    const old = await successorOf(gate)
    await rotate('--in', '0s')
    aheadMs = 1000
    await gate.reload(readFileSync(file, 'utf8'))
    const body = JSON.stringify({ kind: 'key', value: 'k1' })
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    expect((await gate.admin('/revocations', { method: 'POST', headers, body })).status).toBe(201)
    expect(await reasonOf(await gate.request('/', { token: old }))).toBe('token_revoked')
    expect((await gate.request('/', { token: await successorOf(gate) })).status).toBe(200)
  })

  async function publicHalf(name: string): Promise<string> {
    const { createPublicKey } = await import('node:crypto')
    const key = createPublicKey(readFileSync(join(world.folder, name), 'utf8'))
    return key.export({ type: 'spki', format: 'pem' }).toString()
  }
})

describe('the key set of the gate', () => {
  it('lets another verifier verify successors, of the key before and of the one to come', async () => {
    const gate = await startGate()
    const old = await successorOf(gate)
    await rotate('--in', '1m')
    await gate.reload(readFileSync(file, 'utf8'))
    const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${gate.adminPort}/.well-known/jwks.json`))
    const verified = await jwtVerify(old, keys, { issuer: ISSUER, audience: 'orders' })
    expect(verified.payload.sub).toBe('alice')
    aheadMs = SWITCHED_MS
    const next = await successorOf(gate)
    const { protectedHeader } = await jwtVerify(next, keys, { issuer: ISSUER, currentDate: new Date(clock()) })
    expect(protectedHeader.kid).not.toBe('k1')
  })

  it('may be kept for five minutes, and needs no token', async () => {
    const gate = await startGate()
    const response = await gate.admin('/.well-known/jwks.json')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/jwk-set+json')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    expect(await response.json()).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: 'k1', alg: 'EdDSA', use: 'sig' }],
    })
    expect((await gate.admin('/.well-known/jwks.json', { method: 'HEAD' })).headers.get('content-length')).not.toBe('0')
    const posted = await gate.admin('/.well-known/jwks.json', { method: 'POST' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await gate.request('/.well-known/jwks.json')).status).toBe(401)
  })

  it('changes with the settings', async () => {
    const gate = await startGate()
    const { keyId } = await rotate()
    await gate.reload(readFileSync(file, 'utf8'))
    expect((await keySetOf(gate)).map(({ kid }) => kid)).toEqual(['k1', keyId])
  })

  const without: Record<string, (settings: string) => string> = {
    'there is no refresh': (settings) => settings.replace(/refresh:[\s\S]*?(?=limits)/, ''),
    'the key is a shared secret': (settings) =>
      settings.replace(/key: .*/, `key: { secretFile: ${writeKeyFile('secret', 's'.repeat(32))}, algorithm: HS256 }`),
    'the identity provider signs': (settings) =>
      settings.replace(
        /key: .*/,
        `exchange: { tokenEndpoint: http://127.0.0.1:9/t, clientId: c, clientSecretFile: ${writeKeyFile('client', 'x')} }`,
      ),
  }
  for (const [name, change] of Object.entries(without)) {
    it(`does not exist where ${name}`, async () => {
      const gate = await startGateway(change(readFileSync(file, 'utf8')), clock)
      const response = await gate.admin('/.well-known/jwks.json')
      expect(response.status).toBe(404)
      expect(((await response.json()) as { detail: string }).detail).toBe(
        'No successor is signed here with a key that has a public half',
      )
    })
  }
})

describe('settings with several keys', () => {
  it('are a problem where no key signs yet', async () => {
    const later = new Date(clock() + MINUTE_MS).toISOString()
    writeKeys(`{ privateKeyFile: ${world.folder}/signing.pem, algorithm: EdDSA, keyId: k1, active: ${later} }`)
    const { complained, exitCode } = await sidegate(['check', '-c', file], { clock })
    expect(complained.at(-1)).toMatch(
      /sidegate\.yaml:\d+:3 refresh\.keys: No key signs yet, give the first one "active: true"$/,
    )
    expect(exitCode).toBe(1)
  })

  it('are a problem where a file holds another key than they say', async () => {
    const pem = writeKeyFile('rsa.pem', publicPem(makeKey('RS256')))
    writeKeys(
      `{ privateKeyFile: ${world.folder}/signing.pem, algorithm: EdDSA, keyId: k1, active: true }`,
      `{ publicKeyFile: ${pem}, algorithm: ES256, keyId: k2 }`,
    )
    const { complained } = await sidegate(['check', '-c', file], { clock })
    expect(complained.at(-1)).toContain(
      `refresh.keys[1].publicKeyFile: Cannot use "${pem}" as public key: it cannot verify ES256; it can verify RS256`,
    )
  })
})
