// A request to the API of the admin port, as much of it as the API reads: it may have come to another process.
import type { Answer } from '../../http/answer.ts'

/** What `IncomingMessage` has as well. */
export interface AdminRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly headers: {
    readonly authorization?: string | undefined
    readonly 'content-type'?: string | undefined
  }
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** Answers requests for the paths of an API, or nothing where it has no such path. */
export type AdminApi = (request: AdminRequest, url: URL) => Promise<Answer | undefined>

/**
 * The target of a request as a URL; undefined where the path in it is spelled in another way. A parser would take
 * `/revocations/../metrics` for `/metrics`, and rules of a proxy in front would not.
 */
export function readTarget(target: string): URL | undefined {
  const url = URL.parse(`http://admin${target}`)
  return url !== null && url.pathname === target.split('?', 1)[0] && url.hash === '' ? url : undefined
}
