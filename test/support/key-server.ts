// An identity provider's key set over real HTTP, which answers whatever it is told to and counts how often it is asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { pipeline, Readable } from 'node:stream'
import type { TestPair } from './certificates.ts'
import { listen } from './listen.ts'

export type KeyAnswer = (res: ServerResponse, req: IncomingMessage) => void

export interface KeyServer {
  readonly origin: string
  readonly url: string
  /** The paths that were asked for. */
  readonly asked: string[]
  answer: KeyAnswer
  close(): Promise<void>
}

/** Starts it on a free port, over TLS where it has a certificate; `answer` may be changed at any time. */
export async function startKeyServer(answer: KeyAnswer, pair?: TestPair): Promise<KeyServer> {
  const asked: string[] = []
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    asked.push(req.url ?? '')
    keyServer.answer(res, req)
  }
  const server =
    pair === undefined
      ? createServer(onRequest)
      : createSecureServer({ cert: pair.certificate, key: pair.privateKey }, onRequest)
  const origin = `${pair === undefined ? 'http' : 'https'}://127.0.0.1:${await listen(server)}`
  const keyServer: KeyServer = {
    origin,
    url: `${origin}/jwks`,
    asked,
    answer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return keyServer
}

export function answerWith(body: string, status = 200, headers: Record<string, string> = {}): KeyAnswer {
  return (res) => void res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
}

/** Sends a byte now and then, for ever. */
export const drip: KeyAnswer = (res) => {
  res.writeHead(200, { 'content-type': 'application/json' })
  const drops = setInterval(() => res.write(' '), 20)
  res.on('close', () => clearInterval(drops))
}

/** Sends this many bytes as fast as they are taken. */
export function flood(bytes: number): KeyAnswer {
  const chunk = Buffer.alloc(65_536, 'x')
  function* chunks() {
    for (let sent = 0; sent < bytes; sent += chunk.length) yield chunk
  }
  return (res) => {
    res.writeHead(200, { 'content-type': 'application/json' })
    pipeline(Readable.from(chunks()), res, () => {})
  }
}
