// The WebSocket handshake as exact bytes: what a client asks, and what an application answers that has read it.
import { createHash } from 'node:crypto'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
/** What proves that this very handshake was read (RFC 6455 section 4.2.2). */
export const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
/** The answer that agrees. */
export const proven = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`

/** A handshake with some headers changed; those of `undefined` are left out. */
export function handshake(changes: Record<string, string | undefined> = {}, line = 'GET /ws HTTP/1.1'): string {
  const headers: Record<string, string | undefined> = {
    Host: 'app.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${line}\r\n${lines.join('\r\n')}\r\n\r\n`
}
