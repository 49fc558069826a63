// A request to the API of the admin port, on its way from the first process to a worker: bytes that one can send, and what the
// API reads. The first process has judged the admin token before it read the body.
import { readBytes } from '../http/body.ts'
import type { AdminRequest } from '../servers/admin/request.ts'
import type { RelayedRequest } from './messages.ts'

/** More than any route takes, so that the worker is the one to refuse. */
const MOST_BYTES = 16 * 1024 * 1024 + 1

/** Reads the request to its end; nothing where its body is larger than any route takes. */
export async function packRequest(request: AdminRequest, url: URL): Promise<RelayedRequest | undefined> {
  const body = await readBytes(request, MOST_BYTES)
  if (body === undefined) return undefined
  const { method = '', headers, socket } = request
  return {
    method,
    target: `${url.pathname}${url.search}`,
    authorization: headers.authorization,
    contentType: headers['content-type'],
    peer: socket.remoteAddress,
    body,
  }
}

export function unpackRequest(given: RelayedRequest): { readonly request: AdminRequest; readonly url: URL } {
  async function* bytes() {
    if (given.body.length > 0) yield given.body
  }
  const request: AdminRequest = {
    method: given.method,
    headers: { authorization: given.authorization, 'content-type': given.contentType },
    socket: { remoteAddress: given.peer },
    [Symbol.asyncIterator]: bytes,
  }
  return { request, url: new URL(`http://admin${given.target}`) }
}
