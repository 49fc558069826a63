// How is Redis reached? The only door to ioredis: one connection that queues nothing while it is down, bounds every answer
// in time, notices a half-open socket by its silence, and comes back for ever. Must never log or throw a credential.
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import { describeAddress, type RedisAddress } from './address.ts'
import { type RevocationLog, type RevocationObserver, redisErrorKindOf } from './report.ts'

/** A command and its arguments, as they go over the wire. */
export type Command = readonly [name: string, ...parts: (string | number)[]]

export interface RedisConnection {
  /** Connects. Rejects where the first attempt fails; it goes on trying until `close`. */
  open(): Promise<void>
  /** Answers as soon as commands can be sent; rejects after `timeoutMs`. */
  whenReady(timeoutMs: number): Promise<void>
  isReady(): boolean
  /** Sends commands in one round trip. Rejects at once while not connected, after `timeoutMs`, and with any error reply. */
  send(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same as one MULTI. */
  transact(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  close(): Promise<void>
}

export interface ConnectionParts {
  readonly address: RedisAddress
  /** Beats the password in the URL. */
  readonly password?: string | undefined
  /** An answer that is due and does not come for so long means that the socket is dead: it is destroyed. */
  readonly silenceMs: number
  readonly observe: RevocationObserver
  readonly log: RevocationLog
  readonly onState?: (isReady: boolean) => void
}

/** Reconnects after 50 ms, doubled up to one second, each time between half and all of it so that a fleet spreads out. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(1000, 25 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2)
}

/** Makes a connection that is not open yet. */
export function createConnection(parts: ConnectionParts): RedisConnection {
  const { log, observe, onState = () => {} } = parts
  const client = createClient(parts)
  let lastKind: string | undefined
  let lastMessage: string | undefined
  let isClosed = false

  client.on('ready', () => {
    lastKind = undefined
    onState(true)
  })
  client.on('close', () => onState(false))
  client.on('reconnecting', () => observe.redisReconnecting())
  client.on('error', (error: unknown) => {
    const kind = redisErrorKindOf(error)
    lastMessage = messageOf(error)
    observe.redisFailed(kind)
    if (kind === lastKind) return
    lastKind = kind
    // The message alone: the error of a refused AUTH carries the password as `command.args`.
    log.warn({ redis: describeAddress(parts.address), kind, detail: messageOf(error) }, 'Redis cannot be reached')
  })

  const isReady = () => client.status === 'ready'

  async function run(answer: Promise<unknown>, timeoutMs: number): Promise<readonly unknown[]> {
    try {
      return repliesOf(await within(answer, timeoutMs))
    } catch (error) {
      observe.redisFailed(redisErrorKindOf(error))
      throw error
    }
  }

  function batch(commands: readonly Command[], isTransaction: boolean, timeoutMs: number) {
    if (!isReady()) return Promise.reject(new Error('Cannot ask Redis: it is not connected'))
    const pipeline = isTransaction ? client.multi() : client.pipeline()
    for (const [name, ...rest] of commands) pipeline.call(name, ...rest)
    return run(pipeline.exec(), timeoutMs)
  }

  return Object.freeze({
    open: () =>
      client.connect().catch((error: unknown) => {
        // ioredis rejects with "Connection is closed" and tells the reason as an event.
        throw new Error(lastMessage ?? messageOf(error))
      }),
    isReady,
    whenReady: (timeoutMs) => {
      if (isReady()) return Promise.resolve()
      if (isClosed) return Promise.reject(new Error('Cannot ask Redis: the connection was closed'))
      if (client.status === 'wait') client.connect().catch(() => {})
      return untilReady(client, timeoutMs)
    },
    send: (commands, timeoutMs) => batch(commands, false, timeoutMs),
    transact: (commands, timeoutMs) => batch(commands, true, timeoutMs),
    close: () => {
      isClosed = true
      return closeClient(client)
    },
  } satisfies RedisConnection)
}

function createClient({ address, password, silenceMs }: ConnectionParts): Redis | Cluster {
  const options = {
    username: address.username,
    password: password ?? address.password,
    // RESP2: the same shapes from every server, and no HELLO that an older managed store refuses.
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    disconnectTimeout: 100,
    keepAlive: 5000,
    // A time-out of a command alone leaves it in the queue, which grows; silence destroys the socket.
    socketTimeout: silenceMs,
    // After a failover the old master answers as a replica: look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(address.tls && { tls: {} }),
  } satisfies CommonRedisOptions & { disconnectTimeout: number; tls?: object }
  if (address.form === 'cluster') {
    return new Cluster([...address.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: reconnectDelayMs,
      slotsRefreshTimeout: 2000,
      redisOptions: options,
    })
  }
  const shared = { ...options, db: address.database, retryStrategy: reconnectDelayMs }
  if (address.form === 'sentinel') {
    return new Redis({
      ...shared,
      sentinels: [...address.nodes],
      ...(address.masterName !== undefined && { name: address.masterName }),
      failoverDetector: true,
      sentinelRetryStrategy: reconnectDelayMs,
      sentinelCommandTimeout: 1000,
      enableTLSForSentinelMode: address.tls,
      ...(address.tls && { sentinelTLS: {} }),
    })
  }
  return new Redis({ ...shared, ...address.nodes[0] })
}

function untilReady(client: Redis | Cluster, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(timer)
      client.off('ready', onReady)
      client.off('end', onEnd)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onReady = () => settle()
    const onEnd = () => settle(new Error('Cannot ask Redis: the connection was closed'))
    const timer = setTimeout(() => settle(new Error('Cannot ask Redis: it is not connected')), timeoutMs)
    client.once('ready', onReady)
    client.once('end', onEnd)
  })
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

function within(answer: Promise<unknown>, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Redis timed out: no answer in ${timeoutMs} ms`)), timeoutMs)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
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

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error'
}
