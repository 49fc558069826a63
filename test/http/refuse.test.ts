import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerRefusal, writeRefusal } from '../../src/http/refuse.ts'
import { type Reason, type Refusal, reasons, refusalSpec, refusals, refuse, statusOf } from '../../src/model/refusal.ts'
import { listen } from '../support/listen.ts'
import { exchangeRaw } from '../support/raw-client.ts'

let refusal: Refusal = refuse('internal')
const server = createServer((req, res) => {
  const body = { framing: 'none', contentLength: 0, expectsContinue: false } as const
  if (req.url === '/socket') writeRefusal(req.socket, refusal)
  else answerRefusal(req, res, refusal, req.url === '/message' ? undefined : body)
})
let port = 0
beforeAll(async () => {
  port = await listen(server)
})
afterAll(() => {
  server.close()
})

function ask(target: string, method = 'GET'): Promise<string> {
  return exchangeRaw(port, `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
}

for (const reason of reasons) {
  // holds: answers-tell-too-much
  test(`${reason} looks the same on a response and on a socket, and tells no detail`, async () => {
    refusal = refuse(reason, { detail: 'SECRET-DETAIL', issuer: 'SECRET-ISSUER' })
    for (const target of ['/', '/socket']) {
      const text = await ask(target)
      const [head = '', body = ''] = text.split('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${statusOf(refusal)} `))
      expect(head).toMatch(/^content-type: application\/problem\+json$/m)
      expect(head).toMatch(/^cache-control: no-store$/m)
      expect(head.match(/^content-length: (\d+)$/m)?.[1]).toBe(String(Buffer.byteLength(body)))
      expect(JSON.parse(body)).toEqual({
        type: `urn:sidegate:refusal:${reason}`,
        title: refusals[reason].sentence,
        status: statusOf(refusal),
        reason,
      })
      expect(head.match(/^www-authenticate: (.*)$/m)?.[1]).toBe(challengeOf(reason))
      expect(/^retry-after: \d+$/m.test(head)).toBe(statusOf(refusal) === 503)
      expect(text).not.toContain('SECRET')
    }
  })
}

function challengeOf(reason: Reason): string | undefined {
  const { challenge, sentence } = refusalSpec(reason)
  if (challenge === undefined) return undefined
  return challenge === 'bare' ? 'Bearer' : `Bearer error="${challenge}", error_description="${sentence}"`
}

test('the answer to HEAD has the headers and no body', async () => {
  refusal = refuse('token_missing')
  const text = await ask('/', 'HEAD')
  expect(text).toMatch(/^content-length: \d+$/m)
  expect(text.endsWith('\r\n\r\n')).toBe(true)
})

test('405, 413 and 417 keep the reason and change the status', async () => {
  for (const status of [405, 408, 413, 417] as const) {
    refusal = refuse('message_invalid', { status })
    const text = await ask('/message')
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(text).toContain('refusal:message_invalid')
    expect(/^allow: /m.test(text)).toBe(status === 405)
    expect(text).toMatch(/^connection: close$/m)
  }
})
