// The look-out for a way around the gate: real listeners, on one address and on all.
import { createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { outsideAddresses, watchExposure } from '../../src/upstream/exposure.ts'
import { createWorld, startGateway, stopGateways, sumOf, type World } from '../support/gateway.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listenOn(host: string): Promise<number> {
  const server = createServer((socket) => socket.destroy())
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** 127.0.0.2 stands for the address of the pod: it is on every machine, and is not 127.0.0.1. */
async function lookAt(upstream: string): Promise<boolean | undefined> {
  let seen: boolean | undefined
  const exposure = watchExposure({
    upstream: () => upstream,
    addresses: () => ['127.0.0.2'],
    onLook: (isExposed) => {
      seen = isExposed
    },
    // Not the second of the product: a process that stands still for as long would take it for nobody who answers.
    connectTimeoutMs: 10_000,
  })
  await exposure.look()
  exposure.stop()
  return seen
}

describe('an app', () => {
  test('that listens on every address is exposed', async () => {
    expect(await lookAt(`http://127.0.0.1:${await listenOn('0.0.0.0')}`)).toBe(true)
  })

  test('that listens on 127.0.0.1 alone is not', async () => {
    expect(await lookAt(`http://localhost:${await listenOn('127.0.0.1')}`)).toBe(false)
  })

  test('on another machine is nothing to look at', async () => {
    expect(await lookAt(`http://orders.example:3000`)).toBeUndefined()
  })
})

test('after it was stopped nothing is told any more', async () => {
  let looks = 0
  const port = await listenOn('0.0.0.0')
  const exposure = watchExposure({
    upstream: () => `http://127.0.0.1:${port}`,
    addresses: () => ['127.0.0.2'],
    onLook: () => {
      looks++
    },
  })
  const look = exposure.look()
  exposure.stop()
  await look
  expect(looks).toBe(0)
})

test('loopback and link-local addresses are not those by which others reach a pod', () => {
  expect(
    outsideAddresses({
      lo: [{ address: '127.0.0.1', internal: true }],
      eth0: [
        { address: '10.0.0.7', internal: false },
        { address: 'fe80::1', internal: false },
        { address: 'fd00::7', internal: false },
      ],
    }),
  ).toEqual(['10.0.0.7', 'fd00::7'])
})

describe.skipIf(outsideAddresses(networkInterfaces()).length === 0)('a running gate', () => {
  let world: World
  beforeAll(() => {
    world = createWorld()
  })
  afterEach(stopGateways)
  afterAll(() => world.remove())

  const seriesOf = async (gate: Awaited<ReturnType<typeof startGateway>>) =>
    (await (await gate.admin('/metrics')).text()).split('\n').filter((line) => /^sidegate_app_port_exposed /.test(line))

  test('counts and logs an app that can be reached around it, once', async () => {
    const port = await listenOn('0.0.0.0')
    const settings = world.settings(new URL(`http://127.0.0.1:${port}`))
    const gate = await startGateway(settings)
    // A look during which this process stood still for a second has seen nobody answer: a reload looks again.
    const seriesAfterLooks = async () => {
      const series = await seriesOf(gate)
      if (series.includes('sidegate_app_port_exposed 0')) await gate.reload(settings)
      return series
    }
    await expect.poll(seriesAfterLooks).toEqual(['sidegate_app_port_exposed 1'])
    await gate.reload(settings)
    await gate.reload(world.settings(new URL(`http://127.0.0.1:${await listenOn('127.0.0.1')}`)))
    await expect.poll(() => seriesOf(gate)).toEqual(['sidegate_app_port_exposed 0'])
    const said = gate.lines.filter(({ msg }) => String(msg).includes('around the gate'))
    expect(said.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('has no such series for an app on another machine', async () => {
    const gate = await startGateway(
      world.settings(new URL('http://127.0.0.1:1')).replace('//127.0.0.1:1', '//192.0.2.1:1'),
    )
    await gate.reload(world.settings(new URL('http://192.0.2.1:1')))
    const text = await (await gate.admin('/metrics')).text()
    expect(text).toContain('# TYPE sidegate_app_port_exposed gauge')
    expect(await seriesOf(gate)).toEqual([])
    expect(sumOf(text, 'sidegate_app_port_exposed', {})).toBe(0)
  })
})
