// The corpus of Node's own parser through the gate and to Node itself: the gate may refuse more, and never takes more.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { hasVectors, readVectors, withoutVectors } from '../support/vectors.ts'

interface Case {
  readonly id: string
  readonly mode: 'strict' | 'lenient'
  readonly payload_b64: string
}

let direct: EchoOrigin
let behind: EchoOrigin
let proxy: TestProxy
beforeAll(async () => {
  direct = await startEchoOrigin()
  behind = await startEchoOrigin()
  proxy = await startProxy(behind.url)
})
afterAll(async () => {
  await proxy.close()
  await behind.close()
  await direct.close()
})

/** Sends the bytes, then the end of the stream, and answers what the application saw by then. */
async function seenBy(app: EchoOrigin, port: number, payload: Buffer): Promise<string[]> {
  app.seen.length = 0
  const client = rawClient(port)
  client.send(payload)
  client.socket.end()
  await client.closed()
  return app.seen.map(({ method, url, bodySha256 }) => `${method} ${url} ${bodySha256}`)
}

describe.skipIf(!hasVectors)(`the corpus of llhttp (${hasVectors ? 'present' : withoutVectors})`, () => {
  // holds: corpus-of-llhttp, client-closes-half
  test('what the application gets through the gate, it would have got without it', async () => {
    const { cases } = readVectors<{ cases: Case[] }>('http/llhttp_requests.json')
    const more: string[] = []
    let through = 0
    for (const { id, payload_b64 } of cases) {
      const payload = Buffer.from(payload_b64, 'base64')
      const without = await seenBy(direct, Number(direct.url.port), payload)
      const withGate = await seenBy(behind, proxy.port, payload)
      through += withGate.length
      if (withGate.length > without.length || withGate.some((line, index) => line !== without[index]))
        more.push(`${id}: ${withGate.join(', ')} instead of ${without.join(', ')}`)
    }
    expect(more).toEqual([])
    expect(through).toBeGreaterThan(5)
  })
})
