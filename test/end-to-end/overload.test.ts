// A flood of tokens that were never seen before, each with a wrong signature: what does not fit is turned away at once,
// counted under its issuer, and who is known already does not notice.
import { pbkdf2 } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createWorld, ISSUER, startGateway, stopGateways, type World } from '../support/gateway.ts'
import { type EchoOrigin, startEchoOrigin } from '../support/origin.ts'
import { goodClaims, makeKey, part, signToken } from '../support/tokens.ts'

const settings = '    algorithms: [ES512]\nroutes: [{ path: /public, access: public }]'

let world: World
let app: EchoOrigin
beforeAll(async () => {
  world = createWorld('ES512')
  app = await startEchoOrigin()
})
afterEach(stopGateways)
afterAll(async () => {
  await app.close()
  world.remove()
})

// holds: floods-of-junk-tokens
test('junk is shed with 503 and Retry-After, while known tokens and public paths are served', async () => {
  const gateway = await startGateway(world.settings(app.url, settings))
  // The series is there before the first one is turned away: a rate over one that appears later is wrong.
  const series = `reason="overloaded",issuer="${ISSUER}"} 0`
  expect(await (await gateway.admin('/metrics')).text()).toContain(series)
  const known = world.mint()
  expect((await gateway.request('/', { token: known })).status).toBe(200)

  // One signature for all, of another key: each token is another, and wrong.
  const nowSeconds = Math.floor(Date.now() / 1000)
  const [header, , signature] = signToken(makeKey('ES512', world.issuerKey.keyId), goodClaims()).split('.')
  const junk = Array.from(
    { length: 300 },
    (_, count) => `${header}.${part(goodClaims({ jti: `junk-${count}` }, nowSeconds))}.${signature}`,
  )
  const release = occupyThreads()
  const flood = junk.map((token) => gateway.request('/', { token }))
  const served = [
    ...Array.from({ length: 20 }, () => gateway.request('/', { token: known })),
    ...Array.from({ length: 20 }, () => gateway.request('/public')),
  ]
  expect((await Promise.all(served)).map(({ status }) => status)).toEqual(Array(40).fill(200))

  const labels = { decision: 'refuse', reason: 'overloaded', issuer: ISSUER }
  await vi.waitFor(async () => expect(await gateway.metric('sidegate_decisions_total', labels)).toBeGreaterThan(0), {
    timeout: 20_000,
  })
  release()
  const answers = await Promise.all(flood)
  const shed = answers.filter(({ status }) => status === 503)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 503]))
  expect(shed.every(({ headers }) => headers.get('retry-after') === '1')).toBe(true)
  expect(await gateway.metric('sidegate_decisions_total', labels)).toBe(shed.length)

  expect((await gateway.request('/', { token: world.mint() })).status).toBe(200)
})

/** Keeps the threads that verify signatures busy, as a flood on a slow machine would, until told not to. */
function occupyThreads(): () => void {
  let isOn = true
  const again = () => {
    if (isOn) pbkdf2('password', 'salt', 200_000, 64, 'sha512', again)
  }
  for (let thread = 0; thread < 4; thread++) again()
  return () => {
    isOn = false
  }
}
