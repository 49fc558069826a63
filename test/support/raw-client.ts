// A client that sends exact bytes and shows exact bytes: what an HTTP library would not let through.
import { connect, type Socket } from 'node:net'

export interface RawClient {
  readonly socket: Socket
  readonly send: (bytes: string | Buffer) => void
  /** Everything received so far, as Latin-1. */
  readonly text: () => string
  /** Resolves when what was received satisfies the test. */
  readonly until: (isEnough: (text: string) => boolean, what?: string) => Promise<string>
  /** Resolves with everything received when the connection is closed. */
  readonly closed: () => Promise<string>
  readonly isClosed: () => boolean
}

const patienceMs = 10_000

/** Connects to a port, of this machine unless another is named. */
export function rawClient(port: number, host = '127.0.0.1'): RawClient {
  let text = ''
  let isClosed = false
  const watchers = new Set<() => void>()
  const wake = (): void => {
    for (const watcher of watchers) watcher()
  }
  const socket = connect({ port, host })
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
    wake()
  })
  const until = (isEnough: (sofar: string) => boolean, what = 'what was awaited'): Promise<string> =>
    new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        clearTimeout(timer)
        watchers.delete(look)
        finish()
      }
      const look = (): void => {
        if (isEnough(text)) done(() => resolve(text))
        else if (isClosed) done(() => reject(new Error(`closed before ${what}: ${JSON.stringify(text)}`)))
      }
      const timer = setTimeout(
        () => done(() => reject(new Error(`no ${what} in time: ${JSON.stringify(text)}`))),
        patienceMs,
      )
      watchers.add(look)
      look()
    })
  const closed = async (): Promise<string> => {
    if (!isClosed) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not closed in time: ${JSON.stringify(text)}`)), patienceMs)
        watchers.add(() => {
          if (!isClosed) return
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return text
  }
  return {
    socket,
    send: (bytes) => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    },
    text: () => text,
    until,
    closed,
    isClosed: () => isClosed,
  }
}

/** Sends bytes and answers everything that came back when the connection was closed. */
export function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  const client = rawClient(port)
  client.send(bytes)
  return client.closed()
}

/** The status codes of all responses in a stream of bytes. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
}
