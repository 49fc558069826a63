// One answer of another server: bounded in bytes and in time, whatever that server does.

export type Fetch = typeof globalThis.fetch

export interface AnswerBounds {
  /** For the whole answer, to its last byte. */
  readonly timeoutMs: number
  readonly maximumBytes: number
  /** Answers with another status come without their body, which is not read. */
  readonly onlyStatus?: number
}

/** The answer has more bytes than the bounds allow. */
export class TooLargeError extends Error {
  override name = 'TooLargeError' as const

  constructor(maximumBytes: number) {
    super(`the answer is larger than ${maximumBytes} bytes`)
  }
}

export interface BoundedAnswer {
  readonly status: number
  readonly contentType: string | null
  readonly body: Buffer
}

/**
 * Fetches, and reads the whole answer. Throws what `fetch` throws, a `TimeoutError` when it took too long, and a
 * `TooLargeError`.
 *
 * The time is kept here, and the body is cancelled by hand: the fetch of Node 22 does not hold on to the signal of a request
 * that follows no redirects. Once that was collected as garbage no signal ended a body that goes no further, and whoever asked
 * would have waited for ever.
 */
export async function fetchBounded(
  fetch: Fetch,
  url: string,
  init: Omit<RequestInit, 'signal'>,
  bounds: AnswerBounds,
): Promise<BoundedAnswer> {
  const ending = new AbortController()
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  const timer = setTimeout(() => {
    ending.abort(new DOMException(`No answer within ${bounds.timeoutMs} ms`, 'TimeoutError'))
    hangUp(reader)
  }, bounds.timeoutMs)
  try {
    const response = await fetch(url, { ...init, signal: ending.signal })
    reader = response.body?.getReader()
    const { status } = response
    const contentType = response.headers.get('content-type')
    if (bounds.onlyStatus !== undefined && status !== bounds.onlyStatus)
      return { status, contentType, body: Buffer.alloc(0) }
    return { status, contentType, body: await readBounded(reader, ending.signal, bounds.maximumBytes) }
  } finally {
    clearTimeout(timer)
    hangUp(reader)
  }
}

/** What really went wrong in such a question: fetch hides it behind "fetch failed". */
export function causeOf(error: unknown, { timeoutMs }: Pick<AnswerBounds, 'timeoutMs'>): string {
  if (!(error instanceof Error)) return 'the request failed'
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message
}

async function readBounded(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  ending: AbortSignal,
  maximumBytes: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const read = await reader?.read()
    // A body that was cancelled ends like one that is whole.
    ending.throwIfAborted()
    if (read === undefined || read.done) return Buffer.concat(chunks)
    bytes += read.value.byteLength
    if (bytes > maximumBytes) throw new TooLargeError(maximumBytes)
    chunks.push(read.value)
  }
}

/** Ends the connection where the body has not ended, and is nothing where it has. */
function hangUp(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): void {
  reader?.cancel().catch(() => {})
}
