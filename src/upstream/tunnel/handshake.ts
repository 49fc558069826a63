// What a WebSocket handshake says on its way through us, in each direction, and whether the application has read it. Headers of
// the connection are written here and never copied.
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const HANDSHAKE_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** As an object, because http-proxy-3 copies `req.headers`; without a prototype, so that no name has a meaning. */
export function requestHeaders(host: string, lines: readonly string[]): NodeJS.Dict<string> {
  const headers: Record<string, string | string[]> = Object.create(null)
  headers.host = host
  headers.connection = 'Upgrade'
  headers.upgrade = 'websocket'
  return addLines(headers, lines)
}

/** Lines of the same name become a list, which Node and http-proxy-3 write as lines again. */
function addLines(headers: Record<string, string | string[]>, lines: readonly string[]): NodeJS.Dict<string> {
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? ''
    const value = lines[i + 1] ?? ''
    const before = headers[name]
    headers[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  }
  return headers as NodeJS.Dict<string>
}

/** RFC 6455 section 4.1: the application has read this very handshake and speaks WebSocket. */
export function isProven(answer: IncomingMessage, headers: readonly string[]): boolean {
  const key = singleValue(headers, 'sec-websocket-key')
  const expected = createHash('sha1').update(`${key}${HANDSHAKE_SUFFIX}`).digest('base64')
  return answer.headers.upgrade?.toLowerCase() === 'websocket' && answer.headers['sec-websocket-accept'] === expected
}

/** The value of a header that is there once; a value that spells a name is not taken for one. */
function singleValue(headers: readonly string[], name: string): string {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1] ?? ''
  return ''
}

export function upgradeHeaders(lines: readonly string[]): NodeJS.Dict<string> {
  const headers: Record<string, string | string[]> = Object.create(null)
  headers.Upgrade = 'websocket'
  headers.Connection = 'Upgrade'
  return addLines(headers, lines)
}
