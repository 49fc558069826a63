// How is Redis spoken to? Over one connection that queues nothing while it is down, bounds every answer in time, drops a socket
// that does not answer, and comes back for ever. Must never log or throw a credential, and never send a command to another
// database than the one that was asked for.
import { once } from 'node:events'
import { afterPatience } from '../model/patience.ts'
import { describeAddress } from './address.ts'
import { type ClientParts, closeClient, createClient, reconnectDelayMs } from './redis-client.ts'
import { messageOf, type RevocationLog, type RevocationObserver, redisErrorKindOf } from './report.ts'
import { createWaitingRoom, within } from './waiting.ts'

/** A command and its arguments, as they go over the wire. */
export type Command = readonly [name: string, ...parts: (string | number)[]]

export interface RedisConnection {
  /** Connects. Rejects where the first attempt fails; it goes on trying until `close`. */
  open(): Promise<void>
  /** Answers as soon as commands can be sent; rejects after `timeoutMs`, and at once while Redis refuses the database. */
  whenReady(timeoutMs: number): Promise<void>
  isReady(): boolean
  /** What was heard last of why it is not ready. */
  trouble(): string | undefined
  /** A number that changes with each new socket: commands under one number went to one server over one socket. */
  session(): number
  /** Sends commands in one round trip. Rejects at once while not connected, after `timeoutMs`, and with any error reply. */
  send(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same as one MULTI. */
  transact(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same as `send`, for what an ACL may deny without harm: an error reply is not counted. */
  probe(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  close(): Promise<void>
}

export interface ConnectionParts extends ClientParts {
  readonly observe: RevocationObserver
  readonly log: RevocationLog
  readonly onState?: (isReady: boolean) => void
}

/** From the connection to the last answer before commands are taken: a Redis that loads its data is asked anew after that. */
const greetingTimeoutMs = 5000
const maxWaiting = 1000
const maxInFlight = 1000

/** Makes a connection that is not open yet. */
export function createConnection(parts: ConnectionParts): RedisConnection {
  const { log, observe, onState = () => {} } = parts
  const client = createClient(parts)
  const room = createWaitingRoom(maxWaiting)
  let lastKind: string | undefined
  let lastMessage: string | undefined
  let session = 0
  let inFlight = 0
  let failedAttempts = 0
  let isGivenUp = false
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  // ioredis tells a refused SELECT as an event and goes on: every command would go to database 0.
  let isMisplaced = false
  let refusal: string | undefined

  // Each byte that trickles in counts as a sign of life to ioredis.
  let callOff = () => {}
  client.on('connect', () => {
    callOff = afterPatience(greetingTimeoutMs, () => {
      const error = new Error(
        `Redis timed out: it takes no commands ${greetingTimeoutMs} ms after the connection was made`,
      )
      tell(error, error.message)
      client.disconnect(true)
    })
  })
  client.on('ready', () => {
    callOff()
    if (isMisplaced) {
      client.disconnect(true)
      return
    }
    isGivenUp = false
    lastKind = undefined
    lastMessage = undefined
    refusal = undefined
    failedAttempts = 0
    session += 1
    room.open()
    onState(true)
  })
  client.on('close', () => {
    callOff()
    isMisplaced = false
    onState(false)
  })
  client.on('reconnecting', () => observe.redisReconnecting())
  // ioredis gives up for good where a failover is announced while it asks a Sentinel for the master.
  client.on('end', () => {
    if (isClosed) return
    failedAttempts += 1
    retry = setTimeout(() => client.connect().catch(() => {}), reconnectDelayMs(failedAttempts))
  })
  client.on('error', (error: unknown) => {
    if (isRefusedSelect(error)) {
      isMisplaced = true
      refusal = undefined
      // Without the right password nothing is known of the database: the error of AUTH or INFO, which follows, says why.
      if (messageOf(error).startsWith('NOAUTH')) return
      refusal = `Redis refuses database ${parts.address.database}: ${messageOf(error)}`
      tell(error, refusal)
      room.close(new Error(refusal))
      // Before it gets ready: after that, ioredis would begin its back-off anew.
      client.disconnect(true)
      return
    }
    // What ioredis could not do any more over the socket that was just given up.
    if (isMisplaced && refusal !== undefined) return
    refusal = undefined
    tell(error, messageOf(error))
  })

  function tell(error: unknown, detail: string): void {
    const kind = redisErrorKindOf(error)
    lastMessage = detail
    observe.redisFailed(kind)
    if (kind === lastKind) return
    lastKind = kind
    // The message alone: the error of a refused AUTH carries the password as `command.args`.
    log.warn({ redis: describeAddress(parts.address), kind, detail }, 'Redis cannot be reached')
  }

  const isReady = () => client.status === 'ready' && !isMisplaced

  // What did not come in time leaves the rest of the queue waiting behind it: a new socket is the way out.
  function leave(): void {
    if (!isReady() || isGivenUp) return
    isGivenUp = true
    client.disconnect(true)
  }

  async function batch(commands: readonly Command[], timeoutMs: number, isTransaction: boolean) {
    if (!isReady()) throw new Error(refusal ?? 'Cannot ask Redis: it is not connected')
    if (inFlight >= maxInFlight) throw new Error('Cannot ask Redis: too many questions wait for their answer')
    const pipeline = isTransaction ? client.multi() : client.pipeline()
    for (const [name, ...rest] of commands) pipeline.call(name, ...rest)
    inFlight += 1
    const answer = pipeline.exec().finally(() => {
      inFlight -= 1
    })
    try {
      return repliesOf(await within(answer, timeoutMs, leave))
    } catch (error) {
      throw isAbandoned(error) ? new Error(whyAbandoned()) : error
    }
  }

  function whyAbandoned(): string {
    if (isGivenUp || lastKind === 'timeout') return 'Redis timed out: its connection was given up'
    return `Cannot ask Redis: ${lastMessage ?? 'the connection broke before its answer came'}`
  }

  async function counted(answer: Promise<readonly unknown[]>): Promise<readonly unknown[]> {
    try {
      return await answer
    } catch (error) {
      const cause = causeOf(error)
      observe.redisFailed(redisErrorKindOf(cause))
      throw cause
    }
  }

  return Object.freeze({
    open: async () => {
      const attempt = client.connect()
      try {
        // Sentinels are asked round after round, and an attempt that finds none does not end.
        const isEndless = parts.address.form === 'sentinel'
        await (isEndless
          ? Promise.race([attempt, once(client, 'error').then(([error]) => Promise.reject(error))])
          : attempt)
      } catch (error) {
        // ioredis rejects with "Connection is closed" and tells the reason as an event.
        throw new Error(lastMessage ?? messageOf(error))
      }
    },
    isReady,
    trouble: () => (isReady() ? undefined : lastMessage),
    session: () => session,
    whenReady: (timeoutMs) => {
      if (isReady()) return Promise.resolve()
      if (isClosed) return Promise.reject(new Error('Cannot ask Redis: the connection was closed'))
      if (refusal !== undefined) return Promise.reject(new Error(refusal))
      if (client.status === 'wait') client.connect().catch(() => {})
      return room.wait(timeoutMs)
    },
    send: (commands, timeoutMs) => counted(batch(commands, timeoutMs, false)),
    transact: (commands, timeoutMs) => counted(batch(commands, timeoutMs, true)),
    probe: (commands, timeoutMs) => batch(commands, timeoutMs, false),
    close: () => {
      isClosed = true
      clearTimeout(retry)
      room.close(new Error('Cannot ask Redis: the connection was closed'))
      return closeClient(client)
    },
  } satisfies RedisConnection)
}

function isRefusedSelect(error: unknown): boolean {
  if (!(error instanceof Error) || !('command' in error)) return false
  const { command } = error
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select'
}

// What ioredis says of a command whose connection is gone speaks of its own settings.
function isAbandoned(error: unknown): boolean {
  const cause = causeOf(error)
  return cause instanceof Error && ['AbortError', 'MaxRetriesPerRequestError'].includes(cause.name)
}

// ioredis answers a batch as pairs of an error and a reply.
function repliesOf(pairs: unknown): readonly unknown[] {
  if (!Array.isArray(pairs)) throw new Error('Redis discarded the transaction')
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw new Error('Redis answered with something that cannot be read')
    if (pair[0] instanceof Error) throw pair[0]
    return pair[1]
  })
}

// A transaction that was discarded says only that; the command that was refused says why.
function causeOf(error: unknown): unknown {
  const earlier: unknown = error instanceof Error && 'previousErrors' in error ? error.previousErrors : undefined
  const first: unknown = Array.isArray(earlier) ? earlier[0] : undefined
  return first instanceof Error ? first : error
}
