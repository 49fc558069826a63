// How is Redis spoken to? Over one connection that queues nothing while it is down, bounds every answer in time, drops a socket
// that does not answer, and comes back for ever. Must never log or throw a credential, and never send a command to another
// database than the one that was asked for.
import { once } from 'node:events'
import { afterPatience } from '../outbound-http/stall-tolerant-timer.ts'
import { type ClientParts, closeClient, createClient, reconnectDelayMs } from './client.ts'
import { troubleOf } from './errors.ts'
import { whyLoading } from './loading.ts'
import { refusalOf } from './refusals.ts'
import { type RedisErrorKind, type RedisObserver, redisErrorKindOf, redisMessageOf } from './report.ts'
import { unsettledSlot } from './unsettled-slot.ts'
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
  /**
   * Sends commands in one round trip. Rejects at once while not connected, after `timeoutMs`, and with any error reply. In a
   * Cluster each finds its own way to the node of its key, so they may be executed in any order.
   */
  send(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same, each executed after the one before: in a Cluster that takes a round trip each. */
  sendInOrder(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same as one MULTI. */
  transact(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** The same as `send`, for what an ACL may deny without harm: an error reply is not counted. */
  probe(commands: readonly Command[], timeoutMs: number): Promise<readonly unknown[]>
  /** Asks the server something that names no key; in a Cluster the node that has the slot of this key. */
  probeAt(key: string, command: Command, timeoutMs: number): Promise<unknown>
  close(): Promise<void>
}

export interface ConnectionParts extends ClientParts {
  readonly observe: RedisObserver
  /** Reports why Redis cannot be reached: called for each failure of a connection. */
  readonly onTrouble: (kind: RedisErrorKind, detail: string) => void
  readonly onState?: (isReady: boolean) => void
}

/** From the connection to the last answer before commands are taken: a Redis that loads its data is asked anew after that. */
const greetingTimeoutMs = 5000
/** How long the first attempt may take, for a command line that has nothing else to do. */
const openTimeoutMs = 6000
const maxWaiting = 1000
const maxInFlight = 1000

/** Makes a connection that is not open yet. */
export function createConnection(parts: ConnectionParts): RedisConnection {
  const { address, observe, onState = () => {}, onTrouble } = parts
  const client = createClient(parts)
  const room = createWaitingRoom(maxWaiting)
  let lastKind: RedisErrorKind | undefined
  let lastMessage: string | undefined
  let hasFailedSinceConnect = false
  let session = 0
  let inFlight = 0
  let failedAttempts = 0
  let isGivenUp = false
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  // ioredis tells a refused SELECT as an event and goes on: every command would go to database 0.
  let isMisplaced = false
  let refusal: string | undefined
  let lostSession = 0

  // Each byte that trickles in counts as a sign of life to ioredis.
  let callOff = () => {}
  client.on('connect', () => {
    hasFailedSinceConnect = false
    callOff = afterPatience(greetingTimeoutMs, () => {
      const error = new Error(
        `Redis timed out: it takes no commands ${greetingTimeoutMs} ms after the connection was made`,
      )
      void whyLoading(client).then((loading) => {
        if (isReady()) return
        tell(error, loading ?? error.message)
        client.disconnect(true)
      })
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
    // The client says nothing of a server that hangs up, nor of a Cluster whose state is not "ok", which it asks for ever.
    if (!hasFailedSinceConnect && session === lostSession) tell(undefined, closedSilently(address))
    lostSession = session
    isMisplaced = false
    onState(false)
  })
  // An address that the Cluster or its URL names, and why its node cannot be asked.
  client.on('node error', (error: unknown, node: unknown) => {
    if (isReady()) return
    const isNamed = address.nodes.some(({ host, port }) => `${host}:${port}` === node)
    const whose = isNamed ? String(node) : `the Cluster announces ${String(node)}, which may need "natMap"`
    tell(error, `${whose}: ${troubleOf(error, address)}`)
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
      if (redisMessageOf(error).startsWith('NOAUTH')) return
      refusal = `Redis refuses database ${address.database}: ${redisMessageOf(error)}`
      tell(error, refusal)
      room.close(new Error(refusal))
      // Before it gets ready: after that, ioredis would begin its back-off anew.
      client.disconnect(true)
      return
    }
    // What ioredis could not do any more over the socket that was just given up.
    if (isMisplaced && refusal !== undefined) return
    refusal = undefined
    // What the client says of a whole Cluster is less than what was heard of its nodes.
    if (address.form === 'cluster' && hasFailedSinceConnect && isUnspecific(error)) return
    tell(error, troubleOf(error, address))
  })

  // The text alone: the error of a refused AUTH carries the password as `command.args`.
  function tell(error: unknown, detail: string): void {
    const kind = redisErrorKindOf(error)
    hasFailedSinceConnect = true
    lastKind = kind
    lastMessage = detail
    observe.redisFailed(kind)
    onTrouble(kind, detail)
  }

  const isReady = () => client.status === 'ready' && !isMisplaced

  // What did not come in time leaves the rest of the queue waiting behind it: a new socket is the way out.
  function leave(): void {
    if (!isReady() || isGivenUp) return
    isGivenUp = true
    client.disconnect(true)
  }

  function together(commands: readonly Command[], isTransaction: boolean): Promise<unknown> {
    const pipeline = isTransaction ? client.multi() : client.pipeline()
    for (const [name, ...rest] of commands) pipeline.call(name, ...rest)
    return pipeline.exec()
  }

  // A pipeline follows ASK as a whole: a node to which a slot moves would be asked for keys that have not come yet, and say that
  // there are none. A revoked token would be clear, and the log would be lost.
  function apart(commands: readonly Command[]): Promise<unknown> {
    return Promise.all(commands.map(async ([name, ...rest]) => pairOf(client.call(name, ...rest))))
  }

  async function oneByOne(commands: readonly Command[]): Promise<unknown> {
    const pairs: unknown[] = []
    for (const [name, ...rest] of commands) {
      const pair = await pairOf(client.call(name, ...rest))
      pairs.push(pair)
      if (pair[0] !== null) break
    }
    return pairs
  }

  const isCluster = address.form === 'cluster'
  const singly = (commands: readonly Command[]) => (isCluster ? apart(commands) : together(commands, false))
  const inOrder = (commands: readonly Command[]) => (isCluster ? oneByOne(commands) : together(commands, false))
  const atOnce = (commands: readonly Command[]) => together(commands, true)

  async function batch(
    commands: readonly Command[],
    timeoutMs: number,
    dispatch: (commands: readonly Command[]) => Promise<unknown>,
    read = repliesOf,
  ): Promise<readonly unknown[]> {
    if (!isReady()) throw new Error(refusal ?? whyNotConnected())
    if (inFlight >= maxInFlight) throw new Error('Cannot ask Redis: too many questions wait for their answer')
    inFlight += 1
    const answer = dispatch(commands).finally(() => {
      inFlight -= 1
    })
    try {
      return read(await within(answer, timeoutMs, leave))
    } catch (error) {
      // ioredis follows a redirection of a batch only where each of its commands reads keys, and else never looks for the new node.
      if ('refreshSlotsCache' in client && redisMessageOf(causeOf(error)).startsWith('MOVED '))
        client.refreshSlotsCache()
      throw isAbandoned(error) ? new Error(whyAbandoned()) : error
    }
  }

  function whyAbandoned(): string {
    if (isGivenUp || lastKind === 'timeout') return 'Redis timed out: its connection was given up'
    return `Cannot ask Redis: ${lastMessage ?? 'the connection broke before its answer came'}`
  }

  function whyNotConnected(): string {
    return `Cannot ask Redis: ${lastMessage ?? 'it is not connected'}`
  }

  async function counted(answer: Promise<readonly unknown[]>): Promise<readonly unknown[]> {
    try {
      return await answer
    } catch (error) {
      const cause = causeOf(error)
      observe.redisFailed(redisErrorKindOf(cause))
      throw (isCluster ? unsettledSlot(cause) : undefined) ?? (isReply(cause) ? refusalOf(cause) : undefined) ?? cause
    }
  }

  const send = (commands: readonly Command[], timeoutMs: number) => counted(batch(commands, timeoutMs, singly))

  async function probeAt(key: string, command: Command, timeoutMs: number): Promise<unknown> {
    if (!isCluster) return (await batch([command], timeoutMs, singly))[0]
    // By itself it learns where the slot is; beside the question it leads there. While the slot moves, the key may have gone
    // ahead: what the node says of itself counts all the same.
    const guide: Command = ['exists', key]
    await send([guide], timeoutMs)
    const ask = (commands: readonly Command[]) => together(commands, false)
    return (await batch([guide, command], timeoutMs, ask, (pairs) => repliesOf(lastOf(pairs))))[0]
  }

  return Object.freeze({
    open: async () => {
      const attempt = client.connect()
      try {
        // Sentinels are asked round after round, and a Cluster that is down for ever: such an attempt does not end.
        const signs = address.form === 'sentinel' ? ['error'] : address.form === 'cluster' ? ['close'] : []
        const failed = signs.map((sign) => once(client, sign).then(() => Promise.reject(new Error(sign))))
        await within(Promise.race([attempt, ...failed]), openTimeoutMs, () => {})
      } catch (error) {
        // ioredis rejects with "Connection is closed" and tells the reason as an event.
        throw new Error(lastMessage ?? troubleOf(error, address))
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
      return room.wait(timeoutMs, whyNotConnected)
    },
    send,
    sendInOrder: (commands, timeoutMs) => counted(batch(commands, timeoutMs, inOrder)),
    transact: (commands, timeoutMs) => counted(batch(commands, timeoutMs, atOnce)),
    probe: (commands, timeoutMs) => batch(commands, timeoutMs, singly),
    probeAt,
    close: () => {
      isClosed = true
      clearTimeout(retry)
      room.close(new Error('Cannot ask Redis: the connection was closed'))
      return closeClient(client)
    },
  } satisfies RedisConnection)
}

function closedSilently({ form, tls }: ConnectionParts['address']): string {
  if (form === 'cluster')
    return 'the Redis Cluster is down: its nodes answer, and CLUSTER INFO does not say "cluster_state:ok"; a part of the slots may have no node'
  return `the server closes the connection${tls ? '' : ', as a port with TLS does: begin the URL with rediss then'}`
}

function isUnspecific(error: unknown): boolean {
  return error instanceof Error && /^(?:Failed to refresh slots cache|None of startup nodes)/.test(error.message)
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

async function pairOf(answer: Promise<unknown>): Promise<readonly [Error | null, unknown]> {
  try {
    return [null, await answer]
  } catch (error) {
    return [error instanceof Error ? error : new Error(redisMessageOf(error)), undefined]
  }
}

const lastOf = (pairs: unknown) => (Array.isArray(pairs) ? pairs.slice(-1) : pairs)

// ioredis answers a batch as pairs of an error and a reply.
function repliesOf(pairs: unknown): readonly unknown[] {
  if (!Array.isArray(pairs)) throw new Error('Redis discarded the transaction')
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw new Error('Redis answered with something that cannot be read')
    if (pair[0] instanceof Error) throw pair[0]
    return pair[1]
  })
}

// What Redis answered, and not what was said before of a connection that is lost.
function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

// A transaction that was discarded says only that; the command that was refused says why.
function causeOf(error: unknown): unknown {
  const earlier: unknown = error instanceof Error && 'previousErrors' in error ? error.previousErrors : undefined
  const first: unknown = Array.isArray(earlier) ? earlier[0] : undefined
  return first instanceof Error ? first : error
}
