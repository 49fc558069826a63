// The body of a request on its way to the application, as a stream of our own: the request itself is never handed on,
// because whoever destroys it would take the client's connection with it. It must never end cleanly unless the client's
// body did: a half body that looks whole is worse than none.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** A body that is being sent. */
export interface Upload {
  readonly stream: Readable
  /** True once the body grew past the bound; the stream was destroyed then. */
  readonly isTooLong: () => boolean
}

/** How a body is read. */
export interface UploadParts {
  /** 0 is no bound. */
  readonly limitBytes: number
  /** Comes before any byte. */
  readonly onFirstRead: () => void
  /** Is told the size of each piece. */
  readonly onPassed: (bytes: number) => void
}

/** Reads the body of `req` as the application takes it. */
export function createUpload(req: IncomingMessage, { limitBytes, onFirstRead, onPassed }: UploadParts): Upload {
  let sentBytes = 0
  let isStarted = false
  let isTooLong = false

  const onData = (chunk: Buffer): void => {
    sentBytes += chunk.length
    onPassed(chunk.length)
    if (limitBytes > 0 && sentBytes > limitBytes) {
      isTooLong = true
      stream.destroy(new Error('Cannot forward the body: it is too long'))
    } else if (!stream.push(chunk)) {
      req.pause()
    }
  }
  const onEnd = (): void => {
    stream.push(null)
  }
  const onBroken = (): void => {
    if (!req.complete) stream.destroy(new Error('Cannot forward the body: the client broke off'))
  }
  const start = (): void => {
    isStarted = true
    onFirstRead()
    req.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  }
  const stream = new Readable({
    highWaterMark: 65_536,
    read() {
      if (!isStarted) start()
      req.resume()
    },
    destroy(error, done) {
      req.off('data', onData).off('end', onEnd)
      req.pause()
      done(error)
    },
  })
  // The reader may be gone when the client breaks off
  stream.on('error', () => {})
  return { stream, isTooLong: () => isTooLong }
}
