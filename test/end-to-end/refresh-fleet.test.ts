// Many requests, several gates, one moment: does every client get the same next token, though the gates never talk?
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createWorld, type Gateway, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { claimsOf, makeKey, privatePem } from '../support/tokens.ts'

const GATES = 4
const REQUESTS = 200

let world: World
let app: EchoOrigin
beforeEach(async () => {
  world = createWorld()
  app = await startEchoOrigin()
})
afterEach(async () => {
  await stopGateways()
  await app.close()
  world.remove()
})

/** Settings whose signing key has this algorithm; every gate reads the key from the same file. */
function settingsFor(algorithm: string): string {
  const file = join(world.folder, `${algorithm}.key`)
  const isSecret = algorithm.startsWith('HS')
  writeFileSync(file, isSecret ? randomBytes(32).toString('hex') : privatePem(makeKey(algorithm)))
  const key = `{ ${isSecret ? 'secretFile' : 'privateKeyFile'}: ${file}, algorithm: ${algorithm}, keyId: k1 }`
  return world.settings(app.url, `    confirmation: ignored\nrefresh: { window: 60s, lifetime: 2m, key: ${key} }\n`)
}

/** As many requests at once as there are, spread over the gates; answers what each got. */
async function askAll(gates: readonly Gateway[], token: string): Promise<readonly string[]> {
  const asking = Array.from({ length: REQUESTS }, (_, index) => gates[index % gates.length]?.request('/', { token }))
  const responses = await Promise.all(asking)
  expect(responses.map((response) => response?.status)).toEqual(responses.map(() => 200))
  return responses.map((response) => response?.headers.get('x-refreshed-token') ?? 'none')
}

describe.each(['EdDSA', 'RS256', 'HS256', 'ES256', 'PS256'])(
  'two hundred requests at once over four gates: %s',
  (algorithm) => {
    it('get one next token, which every gate admits', async () => {
      const settings = settingsFor(algorithm)
      const gates = await Promise.all(Array.from({ length: GATES }, () => startGateway(settings)))
      const token = world.due({ cnf: { jkt: 'thumbprint' }, tenant: { id: 7, tags: ['a', 'b'] }, scope: 'read' })
      const given = await askAll(gates, token)
      const distinct = new Set(given)
      const claims = [...distinct].map(claimsOf)
      expect(new Set(claims.map(({ jti }) => jti)).size).toBe(1)
      for (const each of claims) expect(each).toEqual(claims[0])
      // Only signatures that are made with a random number differ, and then by gate, not by request
      expect(distinct.size).toBeLessThanOrEqual(['ES256', 'PS256'].includes(algorithm) ? GATES : 1)
      expect(claims[0]).toMatchObject({
        sub: 'alice',
        cnf: { jkt: 'thumbprint' },
        tenant: { id: 7, tags: ['a', 'b'] },
        scope: 'read',
      })
      for (const next of distinct)
        for (const gate of gates) expect((await gate.request('/', { token: next })).status).toBe(200)
      const counted = await Promise.all(
        gates.map((gate) => gate.metric('sidegate_refresh_total', { result: 'issued' })),
      )
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(REQUESTS)
    })
  },
)
