// The body of a request to the admin port: bounded, and text.

/** Answers the body as text, or nothing where it is larger than that. Rejects where the client goes away. */
export async function readBody(request: AsyncIterable<Uint8Array>, maximumBytes: number): Promise<string | undefined> {
  return (await readBytes(request, maximumBytes))?.toString('utf8')
}

/** Answers the bytes of the body, or nothing where they are more than that. */
export async function readBytes(request: AsyncIterable<Uint8Array>, maximumBytes: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > maximumBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
