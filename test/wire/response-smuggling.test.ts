// An application that answers more than it was asked, or in two ways at once: the next client gets its own answer, and
// nothing of somebody else's.
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { okAnswer, type RawOrigin, startRawOrigin } from '../support/origin.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient, statuses } from '../support/raw-client.ts'

const host = 'Host: app.example\r\n'
const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Answers the first request it ever gets with `first`, all others as they should be. */
async function startBehind(first: string): Promise<{ origin: RawOrigin; proxy: TestProxy }> {
  let isFirst = true
  const origin = await startRawOrigin((socket) => {
    socket.write(isFirst ? first : okAnswer, 'latin1')
    isFirst = false
  })
  closing.push(origin.close)
  const proxy = await startProxy(origin.url, { limits: { upstreamConnections: 1, upstreamResponseTimeoutMs: 2_000 } })
  closing.push(proxy.close)
  return { origin, proxy }
}

async function ask(proxy: TestProxy, method = 'GET'): Promise<string> {
  const client = rawClient(proxy.port)
  client.send(`${method} / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  return client.closed()
}

const tricks: Record<string, [answer: string, method?: string]> = {
  // holds: smuggling-by-answers
  'two answers in one': [`${okAnswer}${evil}`],
  'an answer behind one without a body': [`HTTP/1.1 204 No Content\r\n\r\n${evil}`],
  'an answer behind a 304': [`HTTP/1.1 304 Not Modified\r\n\r\n${evil}`],
  'an answer behind the end of the chunks': [
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
  ],
  'an answer as the body of an answer to HEAD': [
    `HTTP/1.1 200 OK\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    'HEAD',
  ],
  'an answer in the trailers': [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\nContent-Length: 4\r\n\r\nevil',
  ],
}
for (const [sentence, [answer, method]] of Object.entries(tricks)) {
  test(`of ${sentence} the second part reaches nobody`, async () => {
    const { proxy } = await startBehind(answer)
    const first = await ask(proxy, method)
    const second = await ask(proxy)
    expect(`${first}${second}`).not.toContain('evil')
    expect(statuses(second)).toEqual([200])
    expect(second.endsWith('ok')).toBe(true)
  })
}

// holds: expect-and-interim-answers
test('interim answers before the final one are dropped, and there is one answer', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
  const { proxy } = await startBehind(`${hints}${hints}${okAnswer}`)
  expect(statuses(await ask(proxy))).toEqual([200])
})

test('a 100 that nobody asked for is a 502, and the next client gets its own answer', async () => {
  const { origin, proxy } = await startBehind(`HTTP/1.1 100 Continue\r\n\r\n${okAnswer}`)
  expect(statuses(await ask(proxy))).toEqual([502])
  expect(statuses(await ask(proxy))).toEqual([200])
  expect(origin.received).toHaveLength(2)
})

// holds: smuggling-by-answers
test('a flood of interim answers ends, and the next client is served', async () => {
  const origin = await startRawOrigin((socket, sofar) => {
    if (sofar.includes('GET /flood')) {
      const more = (): void => {
        while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(500)));
      }
      socket.on('drain', more)
      more()
    } else socket.write(okAnswer)
  })
  closing.push(origin.close)
  const proxy = await startProxy(origin.url, { limits: { upstreamResponseTimeoutMs: 500 } })
  closing.push(proxy.close)
  const client = rawClient(proxy.port)
  client.send(`GET /flood HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  expect(statuses(await client.closed()).at(-1)).toSatisfy((status) => status === 502 || status === 504)
  await eventually(() => expect(origin.sockets.size).toBe(0))
  expect(statuses(await ask(proxy))).toEqual([200])
})
