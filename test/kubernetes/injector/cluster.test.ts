// What the injector asks of the API server always ends: with an answer, or with the reason why there is none.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AskCluster, createCluster } from '../../../src/kubernetes/injector/cluster.ts'
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts'
import { listen } from '../../support/listen.ts'

let certificates: TestCertificates
let accountFolder: string
let server: Server
let ask: (timeoutMs?: number) => ReturnType<AskCluster>
/** What the server says, and whether it then closes the connection. */
let said = ''
let closes = true

beforeAll(async () => {
  certificates = makeCertificates()
  accountFolder = mkdtempSync(join(tmpdir(), 'sidegate-account-'))
  writeFileSync(join(accountFolder, 'token'), 'a token\n')
  writeFileSync(join(accountFolder, 'ca.crt'), certificates.authority)
  server = createServer({ cert: certificates.certificate, key: certificates.privateKey }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(said)
      if (closes) socket.end()
    })
  })
  const port = await listen(server)
  ask = (timeoutMs = 10_000) =>
    createCluster({ server: `https://127.0.0.1:${port}`, accountFolder, timeoutMs })({ method: 'GET', path: '/api' })
})
afterAll(() => {
  server.close()
  certificates.remove()
  rmSync(accountFolder, { recursive: true })
})

describe('a question to the API server', () => {
  test.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":"b"}'],
    ['that ends with its connection', 'HTTP/1.1 200 OK\r\n\r\n{"a":"b"}'],
    ['after another status', 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":"b"}'],
  ])('ends with an answer %s', async (_name, bytes) => {
    ;[said, closes] = [bytes, true]
    expect(await ask()).toEqual({ status: 200, body: { a: 'b' } })
  })

  test.each([
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      'it closed the connection without an answer',
    ],
    ['an answer that is cut off', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'ECONNRESET'],
    ['nothing at all', '', 'ECONNRESET'],
    ['too much', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(4 * 1024 * 1024 + 1)}`, 'TOO_LARGE'],
  ])('ends with a reason after %s', async (_name, bytes, reason) => {
    ;[said, closes] = [bytes, true]
    await expect(ask()).rejects.toThrow(`Cannot ask the API server (GET /api): ${reason}`)
  })

  test.each([
    ['does not begin', ''],
    ['begins and does not end', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'],
  ])('says that there was no answer in time where one %s', async (_name, bytes) => {
    ;[said, closes] = [bytes, false]
    await expect(ask(200)).rejects.toThrow('Cannot ask the API server (GET /api): no answer in 0.2 s')
  })
})
