// Somebody stands in for Redis over TLS, with a certificate that nobody vouches for and worse behind it: nobody gets in, and
// nothing ends.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeCertificates, type TestCertificates } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, reasonOf, type World } from '../support/gateway.ts'
import { listen } from '../support/listen.ts'
import { startApp } from '../support/origin.ts'
import { finishProcess, killProcesses, startProcess } from '../support/process.ts'

let certificates: TestCertificates
let world: World
let app: Awaited<ReturnType<typeof startApp>>
let asked = 0
let port: number
const closing: (() => unknown)[] = []

// A record that cannot be decrypted comes right behind the last message of the handshake: while the client is still busy with
// refusing the certificate.
beforeAll(async () => {
  certificates = makeCertificates()
  world = createWorld()
  app = await startApp((_req, res) => res.end('hello'))
  const impostor = createTlsServer({ cert: certificates.certificate, key: certificates.privateKey })
  impostor.on('secureConnection', (socket) => socket.on('error', () => {}))
  const impostorPort = await listen(impostor)
  const relay = createServer((client) => {
    asked += 1
    void relayWithJunk(client, tcpConnect(impostorPort, '127.0.0.1'))
  })
  port = await listen(relay)
  closing.push(
    () => relay.close(),
    () => impostor.close(),
    app.close,
    certificates.remove,
    world.remove,
  )
})

afterAll(() => {
  killProcesses()
  for (const close of closing.splice(0)) close()
})

async function relayWithJunk(client: Socket, impostor: Socket): Promise<void> {
  for (const socket of [client, impostor]) {
    socket.on('error', () => {}).on('close', () => [client, impostor].map((one) => one.destroy()))
  }
  client.on('data', (chunk: Buffer) => impostor.write(chunk))
  const flight: Buffer[] = []
  impostor.on('data', (chunk: Buffer) => flight.push(chunk))
  await eventually(() => expect(flight).not.toEqual([]))
  await sleep(50)
  client.write(Buffer.concat([...flight, Buffer.from([23, 3, 3, 0, 32]), randomBytes(32)]))
}

it.each([
  ['one server', () => `rediss://127.0.0.1:${port}/0`],
  ['a Sentinel', () => `rediss+sentinel://127.0.0.1:${port}/main/0`],
  ['a Cluster', () => `rediss+cluster://127.0.0.1:${port}`],
])('the command line does not write where %s has a certificate of somebody else, and says so', async (_name, url) => {
  const { exitCode, output } = await finishProcess(['revoke', '--redis', url(), '--jti', 'one'])
  expect(output).toMatch(/^Cannot reach rediss[^\n]+\n$/)
  expect(exitCode).toBe(1)
})

it('a gate refuses what it cannot judge, goes on, and tries again', async () => {
  const file = join(world.folder, 'sidegate.yaml')
  writeFileSync(file, world.settings(app.url, `revocation: { redis: 'rediss://127.0.0.1:${port}/0' }`))
  const gate = await startProcess(['run', '--config', file])
  const before = asked
  await eventually(() => expect(asked).toBeGreaterThan(before + 3))
  const answer = await fetch(`http://127.0.0.1:${gate.port}/`, { headers: { authorization: `Bearer ${world.mint()}` } })
  expect([answer.status, await reasonOf(answer)]).toEqual([503, 'revocation_stale'])
  gate.child.kill('SIGTERM')
  expect(await gate.exited).toBe(0)
})
