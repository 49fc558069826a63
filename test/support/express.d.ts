// What the tests need of Express: an app as its documentation begins it.
declare module 'express' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

  type Handler = (request: IncomingMessage & { readonly method: string }, response: ServerResponse) => void
  export interface Express extends RequestListener {
    get(path: string, handler: Handler): void
    use(path: string, handler: Handler): void
    use(handler: Handler): void
  }
  // biome-ignore lint/style/noDefaultExport: it is what the library exports
  export default function express(): Express
}
