// A token endpoint that answers whatever it is told to: slow, failing, lying.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { text } from 'node:stream/consumers'
import type { TestPair } from './certificates.ts'
import { listen } from './listen.ts'

export interface Asked {
  readonly authorization: string | undefined
  readonly form: URLSearchParams
}

export type Answer = (asked: Asked, res: ServerResponse, req: IncomingMessage) => void | Promise<void>

export interface TestTokenEndpoint {
  readonly url: string
  readonly asked: Asked[]
  answer: Answer
  close(): Promise<void>
}

/** Starts it on a free port, over TLS where it has a certificate; `answer` may be changed at any time. */
export async function startTokenEndpoint(
  answer: Answer = refuseWith(500, {}),
  pair?: TestPair,
): Promise<TestTokenEndpoint> {
  const asked: Asked[] = []
  const onRequest = async (req: IncomingMessage, res: ServerResponse) => {
    const one = { authorization: req.headers.authorization, form: new URLSearchParams(await text(req)) }
    asked.push(one)
    await endpoint.answer(one, res, req)
  }
  const server =
    pair === undefined
      ? createServer(onRequest)
      : createSecureServer({ cert: pair.certificate, key: pair.privateKey }, onRequest)
  const endpoint: TestTokenEndpoint = {
    url: `${pair === undefined ? 'http' : 'https'}://127.0.0.1:${await listen(server)}/token`,
    asked,
    answer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return endpoint
}

/** Issues this token. */
export function issue(token: string, more: Record<string, unknown> = {}): Answer {
  return refuseWith(200, { access_token: token, token_type: 'Bearer', expires_in: 300, ...more })
}

export function refuseWith(status: number, body: unknown): Answer {
  return (_asked, res) => {
    res.writeHead(status, { 'content-type': 'application/json' })
    res.end(JSON.stringify(body))
  }
}
