// How to close a connection on which the client is still sending, so that it gets the answer: closing a socket with
// unread bytes makes the kernel send a reset, and the reset can overtake the answer (RFC 9112 section 9.6).
import type { IncomingMessage, ServerResponse } from 'node:http'

const LINGER_MS = 1_000
const LINGER_BYTES = 1_048_576
/** A body of this announced size is read and thrown away so that the connection can be used again; a larger one is not. */
const DRAINABLE_BYTES = 65_536

/** What is known about a body that nobody will read. */
export interface UnreadBody {
  readonly framing: 'none' | 'length' | 'chunked'
  readonly contentLength: number
  /** The client waits for a 100 and may or may not send its body: the end of the message cannot be known. */
  readonly expectsContinue: boolean
}

/** Whether what is left of the request is little enough, and of known length, to be read to its end. */
export function isDrainable(req: IncomingMessage, body: UnreadBody): boolean {
  if (req.complete || body.framing === 'none') return true
  return body.framing === 'length' && body.contentLength <= DRAINABLE_BYTES && !body.expectsContinue
}

/** Ends the response when the rest of the request has come, 1 MiB of it was thrown away, or a second has passed. */
export function lingerThenEnd(req: IncomingMessage, res: ServerResponse): void {
  if (req.complete || req.destroyed) {
    res.end()
    return
  }
  let thrownAwayBytes = 0
  const finish = (): void => {
    clearTimeout(timer)
    req.off('data', count).off('end', finish).off('close', finish)
    req.resume()
    res.end()
  }
  const count = (chunk: Buffer): void => {
    thrownAwayBytes += chunk.length
    if (thrownAwayBytes > LINGER_BYTES) finish()
  }
  const timer = setTimeout(finish, LINGER_MS)
  req.on('data', count).on('end', finish).on('close', finish)
  req.resume()
}
