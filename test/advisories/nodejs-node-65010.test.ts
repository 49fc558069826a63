// https://github.com/nodejs/node/issues/65010: of an answer with very many headers only the first ones were told.
import { expect, test } from 'vitest'
import { startScriptedOrigin } from '../support/origin.ts'
import { startProxy } from '../support/proxy.ts'
import { exchangeRaw } from '../support/raw-client.ts'

// holds: too-many-answer-headers
test('an answer with more headers than can be told is a 502, not an answer without the last ones', async () => {
  const app = await startScriptedOrigin(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(1_300)}Content-Length: 4\r\n\r\nevil`)
  const proxy = await startProxy(app.url)
  const answer = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 502 /)
  expect(answer).not.toContain('evil')
  await proxy.close()
  await app.close()
})
