// How is a client of Redis set up, for one server, for Sentinels or for a Cluster? The only door to ioredis: every option that
// it is given is here, and what each of them prevents.

import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import { within } from '../model/within.ts'
import type { RedisAddress } from './address.ts'

/** A client of one server, found by its address or by Sentinels, or of a whole Cluster. */
export type RedisClient = Redis | Cluster

/** What opens the door of a server. Passwords are asked for again with each new connection. */
export interface Credentials {
  /** Beats the password in the URL. */
  readonly password?: string | (() => string | undefined) | undefined
  /** The password of the Sentinels, which have one of their own. */
  readonly sentinelPassword?: string | (() => string | undefined) | undefined
  /** Certificates (PEM) that vouch for the server, instead of those of the system. */
  readonly authority?: string | undefined
  /** From `host:port` as nodes announce themselves to `host:port` as they are reached. */
  readonly natMap?: Readonly<Record<string, string>> | undefined
}

/** Reconnects after 50 ms, doubled up to one second, each time between half and all of it so that a fleet spreads out. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(1000, 25 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2)
}

export interface ClientParts {
  readonly address: RedisAddress
  readonly credentials: Credentials
  /** An answer that is due and does not come for so long means that the socket is dead: it is destroyed. */
  readonly silenceMs: number
}

/** Makes a client that is not connected yet, and that connects again for ever once it was asked to. */
export function createClient({ address, credentials, silenceMs }: ClientParts): RedisClient {
  const tls = secureOptions(credentials)
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
  const natMap = natMapOf(credentials.natMap)
  if (address.form === 'cluster') {
    const cluster = new Cluster([...address.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: reconnectDelayMs,
      slotsRefreshTimeout: 2000,
      ...natMap,
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
    ...natMap,
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelCommandTimeout: 1000,
    enableTLSForSentinelMode: address.tls,
    ...(address.tls && { sentinelTLS: tls }),
  })
  askAnew(client.options, 'password', password)
  askAnew(client.options, 'sentinelPassword', () => textOf(credentials.sentinelPassword))
  return client
}

/**
 * A TLS socket of Node may tell of a second error after it was destroyed for its first, and ioredis listens for one alone: the
 * second would end the process, and whoever stands in for Redis could send it. A socket with a signal always has a listener.
 * Each connection reads a signal of its own, as a signal holds on to every socket that it was ever given.
 */
function secureOptions({ authority }: Credentials) {
  return {
    get signal(): AbortSignal {
      return new AbortController().signal
    },
    ...(authority !== undefined && { ca: authority }),
  }
}

function natMapOf(given: Credentials['natMap']) {
  if (given === undefined) return {}
  const entries = Object.entries(given).map(([announced, reached]) => {
    const colon = reached.lastIndexOf(':')
    const host = reached.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    return [announced.replace(/^\[(.*)\]:/, '$1:'), { host, port: Number(reached.slice(colon + 1)) }] as const
  })
  return { natMap: Object.fromEntries(entries) }
}

// ioredis reads its options with each connection; a value there would be the one from the start for ever.
function askAnew(options: object, name: string, value: () => string | undefined): void {
  Object.defineProperty(options, name, { get: value, enumerable: true, configurable: true })
}

function textOf(given: string | (() => string | undefined) | undefined): string | undefined {
  return typeof given === 'function' ? given() : given
}

/** Ends a client for good. */
export function closeClient(client: RedisClient): Promise<void> {
  if (client.status === 'end') return Promise.resolve()
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  client.disconnect()
  // A cluster whose nodes never answered may not say that it ended.
  return within(ended, 500, () => undefined)
}
