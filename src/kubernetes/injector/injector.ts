// The injector: answers the reviews of the API server, its own probes and its metrics, all on one HTTPS port. It is ready only
// while it shows a certificate that the API server believes. Before there is one it shows a provisional one, which is enough
// for the kubelet, who verifies none.
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type Answer, problem, text } from '../../http/answer.ts'
import { listenOn } from '../../http/listener/listen.ts'
import { livez, readyz } from '../../http/probes.ts'
import type { Clock } from '../../model/clock.ts'
import type { SidecarDefaults } from '../injection/pod-settings.ts'
import { firstCertificate, type Pair } from './certificate-pair.ts'
import type { CertificateRound, CertificateSource } from './certificate-source.ts'
import { issuePair } from './issue.ts'
import { type CountedResult, writeMetrics } from './metrics.ts'
import type { Review } from './review.ts'
import { createReviewServer, REVIEW_PATH } from './review-server.ts'

/** How often the certificate, its authority in the cluster, and the defaults are looked at. */
const ROUND_MS = 10_000
/** How long reviews are answered after the end was told: until then, API servers may not have heard of it. */
const DRAIN_MS = 5000
const CLOSE_MS = 5000
const DAY_MS = 86_400_000
const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8'

export interface Place {
  readonly host: string
  readonly port: number
}

/** What the log of the process takes. */
export interface InjectorLog {
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
  readonly error: (fields: object, message: string) => void
}

export interface InjectorParts {
  readonly listen: Place
  readonly source: CertificateSource
  /** Reads the defaults of all pods again. Rejects where they are not right; the ones before then stay in force. */
  readonly readDefaults: () => Promise<SidecarDefaults>
  readonly log: InjectorLog
  readonly clock: Clock
  /** Default 10 s. */
  readonly roundMs?: number | undefined
  /** Default 5 s. */
  readonly drainMs?: number | undefined
}

export interface Injector {
  /** Resolves with its place when it listens. Rejects where it cannot, or where the first defaults are not right. */
  readonly start: () => Promise<Place>
  /** Looks at once at what may have changed. */
  readonly check: () => Promise<void>
  /** Answers what comes for a while, then ends. */
  readonly stop: () => Promise<void>
}

export function createInjector(parts: InjectorParts): Injector {
  const { log, clock, source, roundMs = ROUND_MS } = parts
  const counts: Record<CountedResult, number> = { injected: 0, unchanged: 0, refused: 0, failed: 0 }
  const provisional = issuePair({ names: ['sidegate-injector'], nowMs: clock(), lifetimeMs: DAY_MS })
  let defaults: SidecarDefaults
  let shown: Pair | undefined
  let missing: string | undefined
  let isStopping = false
  let timer: NodeJS.Timeout | undefined
  let lastTrouble = ''
  let running: Promise<void> = Promise.resolve()

  const { server, renew } = createReviewServer(provisional, {
    defaults: () => defaults,
    onReview,
    onFailure,
    answerOther,
    isStopping: () => isStopping,
  })

  function answerOther(path: string): Answer {
    const expiresMs = expiryOf(shown)
    if (path === '/livez') return livez()
    if (path === '/metrics') return { ...text(200, writeMetrics(counts, expiresMs)), contentType: EXPOSITION }
    if (path !== '/readyz') return problem(404, 'Not found', `Here are ${REVIEW_PATH}, /livez, /readyz and /metrics`)
    const isExpired = expiresMs !== undefined && expiresMs <= clock()
    const trouble = expiresMs === undefined ? 'There is none yet' : isExpired ? 'It has expired' : missing
    return readyz([
      { name: 'certificate', missing: trouble },
      { name: 'running', missing: isStopping ? 'Told to stop' : undefined },
    ])
  }

  /** One of the two in trouble does not keep the other from being renewed. Told is each trouble once, until it is another. */
  async function lookNow(): Promise<void> {
    const [taken, read] = await Promise.allSettled([source(shown).then(take), parts.readDefaults()])
    if (read.status === 'fulfilled') defaults = read.value
    const told = taken.status === 'fulfilled' ? taken.value : [messageOf(taken.reason)]
    const troubles = [...told, read.status === 'rejected' ? messageOf(read.reason) : undefined]
    const message = troubles.filter((each) => each !== undefined).join('. ')
    if (message !== lastTrouble) {
      if (message === '') log.info({}, 'Recovered')
      else log.error({}, message)
    }
    lastTrouble = message
  }

  /** Answers what is in trouble. Throws where the pair cannot be shown; it is offered again in the next round. */
  function take({ pair, missing: nowMissing, trouble }: CertificateRound): readonly (string | undefined)[] {
    missing = nowMissing
    if (pair !== undefined) show(pair)
    return [nowMissing, trouble]
  }

  /** Never rejects: a round that fails must not end the process, nor the rounds after it. */
  function check(): Promise<void> {
    running = running
      .then(lookNow)
      .catch((error) => log.error({}, `Cannot look at what may have changed: ${messageOf(error)}`))
    return running
  }

  function keepLooking(): void {
    timer = setTimeout(() => void check().then(() => isStopping || keepLooking()), roundMs)
  }

  function show(pair: Pair): void {
    try {
      renew({ ...pair, clientAuthority: undefined })
    } catch (error) {
      throw new Error(`Cannot show the certificate: ${messageOf(error)}`)
    }
    shown = pair
    log.info({ expires: new Date(expiryOf(pair) ?? 0).toISOString() }, 'Serving a new certificate')
  }

  function onReview({ pod, result, refusal, warnings }: Review): void {
    counts[result] += 1
    if (result === 'unchanged' && warnings.length === 0) return
    const fields = { pod, result, ...(warnings.length > 0 && { warnings }), ...(refusal !== undefined && { refusal }) }
    if (result === 'refused') log.warn(fields, 'A pod was refused')
    else log.info(fields, 'A pod was reviewed')
  }

  function onFailure(reason: string): void {
    counts.failed += 1
    log.error({ reason }, 'A request was not answered as a review')
  }

  async function start(): Promise<Place> {
    defaults = await parts.readDefaults()
    const { address: host, port } = await listenOn(server, parts.listen)
    log.info({ listen: { host, port } }, 'The injector is running')
    void check()
    keepLooking()
    return { host, port }
  }

  async function stop(): Promise<void> {
    isStopping = true
    clearTimeout(timer)
    await new Promise((resolve) => setTimeout(resolve, parts.drainMs ?? DRAIN_MS))
    await close(server)
  }

  return Object.freeze({ start, check, stop })
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}

function expiryOf(pair: Pair | undefined): number | undefined {
  return pair === undefined ? undefined : firstCertificate(pair.certificate)?.validToDate.getTime()
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  const late = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
  await closed
  clearTimeout(late)
}
