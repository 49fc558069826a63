// The body of a request to the admin port: bounded, and text.
import type { IncomingMessage } from 'node:http'

const MAXIMUM_BYTES = 1024 * 1024

/** Answers the body as text, or nothing where it is larger than 1 MiB. Rejects where the client goes away. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAXIMUM_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
