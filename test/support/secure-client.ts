// A client that speaks HTTPS with certificates of the test's own, which fetch does not take.
import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

export interface SecureAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** The common name of the certificate that the server showed. */
  readonly shown: string
}

/** One request; on a connection of its own unless `agent` is given. */
export function secureRequest(port: number, options: RequestOptions): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, agent: false, ...options }, async (answer) => {
      const shown = commonNameOf(answer.socket as TLSSocket)
      try {
        let text = ''
        for await (const chunk of answer.setEncoding('utf8')) text += chunk
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, shown })
      } catch (error) {
        reject(error)
      }
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

export interface RawSecureClient {
  readonly socket: TLSSocket
  readonly send: (bytes: string) => void
  readonly text: () => string
  /** Resolves when the connection is closed: with everything received, and why. */
  readonly closed: Promise<{ readonly text: string; readonly error: string | undefined }>
}

/** Resolves when the handshake has ended on this side; exact bytes in and out. */
export function rawSecureClient(port: number, options: ConnectionOptions): Promise<RawSecureClient> {
  let text = ''
  let error: string | undefined
  const socket = connect({ host: '127.0.0.1', port, ...options })
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  const closed = new Promise<{ text: string; error: string | undefined }>((resolve) => {
    socket.on('close', () => resolve({ text, error }))
  })
  return new Promise((resolve, reject) => {
    socket.on('error', (failure) => {
      error = 'code' in failure ? String(failure.code) : failure.message
      reject(failure)
    })
    socket.on('close', () => reject(new Error('closed before the handshake ended')))
    socket.on('secureConnect', () =>
      resolve({ socket, send: (bytes) => void socket.write(Buffer.from(bytes, 'latin1')), text: () => text, closed }),
    )
  })
}

function commonNameOf(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject?.CN)
}
