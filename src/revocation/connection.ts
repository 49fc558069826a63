// How is Redis reached? The only door to ioredis: one connection that queues nothing while it is down, bounds every answer
// in time, drops a socket that does not answer, and comes back for ever. Must never log or throw a credential, and never send
// a command to another database than the one that was asked for.
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import { describeAddress, type RedisAddress } from './address.ts'
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

/** What opens the door of a server. Passwords are asked for again with each new connection. */
export interface Credentials {
  /** Beats the password in the URL. */
  readonly password?: string | (() => string | undefined) | undefined
  /** The password of the Sentinels, which have one of their own. */
  readonly sentinelPassword?: string | (() => string | undefined) | undefined
  /** Certificates (PEM) that vouch for the server, instead of those of the system. */
  readonly authority?: string | undefined
}

export interface ConnectionParts {
  readonly address: RedisAddress
  readonly credentials: Credentials
  /** An answer that is due and does not come for so long means that the socket is dead: it is destroyed. */
  readonly silenceMs: number
  readonly observe: RevocationObserver
  readonly log: RevocationLog
  readonly onState?: (isReady: boolean) => void
}

const maxWaiting = 1000
const maxInFlight = 1000

/** Reconnects after 50 ms, doubled up to one second, each time between half and all of it so that a fleet spreads out. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(1000, 25 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2)
}

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
  let isLeaving = false
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  // ioredis tells a refused SELECT as an event and goes on: every command would go to database 0.
  let isMisplaced = false
  let refusal: string | undefined

  client.on('ready', () => {
    if (isMisplaced) {
      client.disconnect(true)
      return
    }
    lastKind = undefined
    refusal = undefined
    failedAttempts = 0
    session += 1
    room.open()
    onState(true)
  })
  client.on('close', () => {
    isLeaving = false
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
    if (!isReady() || isLeaving) return
    isLeaving = true
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
    return repliesOf(await within(answer, timeoutMs, leave))
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
    open: () =>
      client.connect().catch((error: unknown) => {
        // ioredis rejects with "Connection is closed" and tells the reason as an event.
        throw new Error(lastMessage ?? messageOf(error))
      }),
    isReady,
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

function createClient({ address, credentials, silenceMs }: ConnectionParts): Redis | Cluster {
  const tls = credentials.authority === undefined ? {} : { ca: credentials.authority }
  const options = {
    username: address.username,
    // RESP2: the same shapes from every server, and no HELLO that an older managed store refuses.
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: 500,
    connectTimeout: 1000,
    disconnectTimeout: 100,
    keepAlive: 5000,
    // A time-out of a command alone leaves it in the queue, which grows; silence destroys the socket.
    socketTimeout: silenceMs,
    // After a failover the old master answers as a replica: look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(address.tls && { tls }),
  } satisfies CommonRedisOptions & { disconnectTimeout: number; tls?: object }
  const password = () => textOf(credentials.password) ?? address.password
  if (address.form === 'cluster') {
    const cluster = new Cluster([...address.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: reconnectDelayMs,
      slotsRefreshTimeout: 2000,
      redisOptions: options,
    })
    return cluster.on('+node', (node: Redis) => askAnew(node.options, 'password', password))
  }
  const shared = { ...options, db: address.database, retryStrategy: reconnectDelayMs }
  if (address.form === 'standalone') {
    const client = new Redis({ ...shared, ...address.nodes[0] })
    askAnew(client.options, 'password', password)
    return client
  }
  const client = new Redis({
    ...shared,
    sentinels: [...address.nodes],
    ...(address.masterName !== undefined && { name: address.masterName }),
    failoverDetector: true,
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelCommandTimeout: 1000,
    enableTLSForSentinelMode: address.tls,
    ...(address.tls && { sentinelTLS: tls }),
  })
  askAnew(client.options, 'password', password)
  askAnew(client.options, 'sentinelPassword', () => textOf(credentials.sentinelPassword))
  return client
}

// ioredis reads its options with each connection; a value there would be the one from the start for ever.
function askAnew(options: object, name: string, value: () => string | undefined): void {
  Object.defineProperty(options, name, { get: value, enumerable: true, configurable: true })
}

function textOf(given: string | (() => string | undefined) | undefined): string | undefined {
  return typeof given === 'function' ? given() : given
}

function closeClient(client: Redis | Cluster): Promise<void> {
  if (client.status === 'end') return Promise.resolve()
  return new Promise((resolve) => {
    // A cluster whose nodes never answered may not say that it ended.
    const timer = setTimeout(resolve, 500)
    client.once('end', () => {
      clearTimeout(timer)
      resolve()
    })
    client.disconnect()
  })
}

function isRefusedSelect(error: unknown): boolean {
  if (!(error instanceof Error) || !('command' in error)) return false
  const { command } = error
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select'
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
