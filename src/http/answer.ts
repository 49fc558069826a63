// What the admin port answers: small JSON or text, and problems as RFC 9457 has them.
import type { ServerResponse } from 'node:http'

/** An answer of the admin port. */
export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export function text(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}

export function json(status: number, value: unknown): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

/** A problem document (RFC 9457); `detail` says what was wrong and what would be right. */
export function problem(
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = `${JSON.stringify({ type: 'about:blank', title, status, detail })}\n`
  return { status, contentType: 'application/problem+json', body, headers }
}

/** Sends the answer; a HEAD gets its headers alone. Nothing of this port may be cached. */
export function send(response: ServerResponse, answer: Answer, isHead: boolean): void {
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...answer.headers,
  })
  response.end(isHead ? undefined : answer.body)
}
