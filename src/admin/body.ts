// The body of a request to the admin port: bounded, and text.
import type { IncomingMessage } from 'node:http'

/** Answers the body as text, or nothing where it is larger than that. Rejects where the client goes away. */
export async function readBody(request: IncomingMessage, maximumBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maximumBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
