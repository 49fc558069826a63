// https://github.com/http-party/node-http-proxy/issues/1721: the body of a chunked DELETE or OPTIONS went out without its frame.
import { expect, test } from 'vitest'
import { setStage } from '../support/advisory.ts'

const { tryLines, world, app } = setStage()

// holds: bodies-on-get
test('a request in the body of a chunked DELETE or OPTIONS is not a request', async () => {
  const inner = 'GET /admin HTTP/1.1\r\nHost: app.example\r\n\r\n'
  const chunks = `${inner.length.toString(16)}\r\n${inner}\r\n0`
  for (const method of ['DELETE', 'OPTIONS'])
    await tryLines(
      `${method} /orders HTTP/1.1`,
      `Authorization: Bearer ${world().mint()}`,
      `Transfer-Encoding: chunked\r\n\r\n${chunks}`,
    )
  expect(app().seen.map(({ method, url, bodyBytes }) => `${method} ${url} ${bodyBytes}`)).toEqual([
    `DELETE /orders ${inner.length}`,
    `OPTIONS /orders ${inner.length}`,
  ])
})
