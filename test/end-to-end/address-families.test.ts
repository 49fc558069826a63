// Defaults that listen in every pod: with IPv4 alone, with IPv6 alone, and with both.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorld, type World } from '../support/gateway.ts'
import { askInNetwork, whyNoNetwork } from '../support/network-without.ts'
import { startEchoOrigin } from '../support/origin.ts'
import { killProcesses, startProcess } from '../support/process.ts'

const missing = whyNoNetwork()
let world: World
beforeEach(() => {
  world = createWorld()
})
afterEach(() => {
  killProcesses()
  world.remove()
})

function defaultsAnd(more = ''): string {
  const path = join(world.folder, 'defaults.yaml')
  const settings = world.settings(new URL('http://127.0.0.1:3'), more)
  writeFileSync(path, settings.replace(/^listen:.*$/m, '').replace(/^admin:.*$/m, ''))
  return path
}

test.skipIf(missing !== undefined).each([
  ['IPv4 alone, in a kernel without IPv6', 'ipv4', '127.0.0.1', '0.0.0.0'],
  ['IPv6 alone', 'ipv6', '[::1]', '::'],
  ['both, asked by IPv4', 'both', '127.0.0.1', '::'],
  ['both, asked by IPv6', 'both', '[::1]', '::'],
] as const)('a pod with %s reaches both ports by their defaults', (_, network, host, address) => {
  const answers = { address, proxy: 401, admin: 200, health: 'ok' }
  expect(askInNetwork(network, host, defaultsAnd())).toEqual(answers)
})

test.skipIf(missing !== undefined).each([
  ['ipv4', '127.0.0.1'],
  ['ipv6', '[::1]'],
] as const)('several workers listen in a pod with %s alone', (network, host) => {
  const answers = askInNetwork(network, host, defaultsAnd('workers: 2\n'))
  expect(answers).toMatchObject({ proxy: 401, admin: 200, health: 'ok' })
})

// holds: ipv4-client-of-dual-stack
test('a trusted proxy that comes by IPv4 to a listener of both is known by its range, and named in its own form', async () => {
  const app = await startEchoOrigin()
  const path = join(world.folder, 'both.yaml')
  const more = 'routes: [{ path: /open, access: public }]\nforward: { trustedProxies: [127.0.0.0/8] }\n'
  writeFileSync(path, world.settings(app.url, more).replace(/^listen:.*$/m, "listen: '[::]:0'"))
  const gate = await startProcess(['run', '-c', path])
  try {
    const headers = { 'x-forwarded-for': '192.0.2.7' }
    expect((await fetch(`http://127.0.0.1:${gate.port}/open`, { headers })).status).toBe(200)
    const { rawHeaders = [] } = app.seen.at(-1) ?? {}
    expect(rawHeaders[rawHeaders.indexOf('x-forwarded-for') + 1]).toBe('192.0.2.7, 127.0.0.1')
  } finally {
    await app.close()
  }
})
