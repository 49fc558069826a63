// One person whose exchanges fail asks in a loop, while others are in their window: a whole gate and a token endpoint that fails
// for that person alone.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createWorld, nextOf, startGateway, stopGateways } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import {
  type Answer,
  issue,
  refuseWith,
  startTokenEndpoint,
  type TestTokenEndpoint,
} from '../support/token-endpoint.ts'
import { claimsOf } from '../support/tokens.ts'

const world = createWorld()
let app: EchoOrigin
let endpoint: TestTokenEndpoint
beforeAll(async () => {
  writeFileSync(join(world.folder, 'secret'), 'secret')
  app = await startEchoOrigin()
  endpoint = await startTokenEndpoint()
})
afterEach(() => stopGateways())
afterAll(async () => {
  await Promise.all([app.close(), endpoint.close()])
  world.remove()
})

const failures: Record<string, Answer> = {
  'gets status 500': refuseWith(500, {}),
  'gets a page with status 200': (_, res) => void res.end('<html>'),
  'gets no answer': () => {},
  'breaks the connection': (_, res) => void res.destroy(),
}

describe('somebody whose exchange', () => {
  it.each(Object.entries(failures))('%s asks in a loop: five others get their next token', async (_, failure) => {
    endpoint.answer = (asked, res, req) => {
      const { sub } = claimsOf(asked.form.get('subject_token'))
      return (sub === 'mallory' ? failure : issue(world.mint({ sub })))(asked, res, req)
    }
    const gate = await startGateway(
      world.settings(
        app.url,
        `refresh: { exchange: { tokenEndpoint: "${endpoint.url}", clientId: c, clientSecretFile: "${world.folder}/secret", timeout: 2s } }\n`,
      ),
    )
    let isOver = false
    const loop = async () => {
      for (let count = 0; !isOver; count++) {
        const token = world.due({ sub: 'mallory', jti: `loop-${count % 10}` })
        expect(nextOf(await gate.request('/orders', { token }))).toBeNull()
      }
    }
    const looping = [loop(), loop()]
    for (let person = 0; person < 5; person++) {
      const token = world.due({ sub: `person-${person}` })
      // On a busy machine the next token may be late for the first answer.
      await eventually(async () =>
        expect(claimsOf(nextOf(await gate.request('/orders', { token })))).toMatchObject({ sub: `person-${person}` }),
      )
    }
    isOver = true
    await Promise.all(looping)
  })
})
