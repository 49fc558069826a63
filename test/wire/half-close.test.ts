// A client that closes its half of the connection after its request may still be reading, or be gone: it gets an answer
// that comes soon, and an application that says nothing is not kept for it.
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startApp } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A client that has sent one request and closed its half, before an application that answers in its own way. */
async function halfClosed(answer: (res: ServerResponse) => unknown) {
  const app = await startApp((_req, res) => answer(res))
  closing.push(app.close)
  const proxy = await startProxy(app.url)
  closing.push(proxy.close)
  const client = rawClient(proxy.port)
  client.socket.end('GET / HTTP/1.1\r\nHost: app.example\r\n\r\n')
  return { client, proxy }
}

// holds: h1spec
test('an answer that comes a little later reaches it, and then the connection closes', async () => {
  const { client, proxy } = await halfClosed(async (res) => {
    await sleep(100)
    res.end('late')
  })
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nlate$/)
  expect(proxy.outcomes).toMatchObject([{ status: 200, clientAborted: false }])
})

// holds: client-closes-half
test('an answer that goes on reaches it whole', async () => {
  const { client } = await halfClosed(async (res) => {
    for (let part = 0; part < 16; part++) {
      res.write(`part ${part}`)
      await sleep(50)
    }
    res.end()
  })
  expect(await client.closed()).toMatch(/part 0[\s\S]*part 15\r\n0\r\n\r\n$/)
})

// holds: client-closes-half
test('where no byte comes for it, the connection and the request to the application are ended', async () => {
  let isLeft = false
  const { client, proxy } = await halfClosed((res) => res.on('close', () => (isLeft = true)))
  await client.closed()
  await eventually(() => expect(isLeft).toBe(true))
  expect(proxy.outcomes).toMatchObject([{ clientAborted: true }])
})
