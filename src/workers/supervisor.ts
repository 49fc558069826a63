// The first process of several: it starts the workers, starts another where one ends, and answers for all of them. It holds
// the port that they share and hands out its connections in turn, but never reads one of a client.
import cluster, { type Worker } from 'node:cluster'
import type { Answer } from '../http/answer.ts'
import type { Check } from '../http/probes.ts'
import type { Clock } from '../model/clock.ts'
import type { Log } from '../telemetry/logs/log.ts'
import type { LogOutput } from '../telemetry/logs/log-output.ts'
import { createMetrics } from '../telemetry/metrics/metrics.ts'
import { createTotals, measurementsOf } from '../telemetry/metrics/totals.ts'
import { hasOtherSettings, mergeChecks } from './aggregate-metrics.ts'
import { type Channel, createChannel } from './channel.ts'
import {
  ANSWER_TIMEOUT_MS,
  API_TIMEOUT_MS,
  type FirstAnswers,
  type RelayedRequest,
  type SharedSettings,
  type WorkerAnswers,
} from './messages.ts'
import { eachLine } from './whole-lines.ts'

/** A worker that ends sooner than this after its start may do so again. */
const SHORT_LIFE_MS = 30_000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 10_000

export interface SupervisorParts {
  readonly count: number
  readonly log: Log
  readonly logOutput: LogOutput
  /** Lines on a terminal go there by themselves, in its colours. */
  readonly isTerminal: boolean
  /** Milliseconds that only move forward. */
  readonly monotonic: Clock
  /** What each worker, now or later, has in force. */
  readonly settings: () => SharedSettings
}

export interface Supervisor {
  /** Starts one worker and, once it runs, the others. Answers false where the first could not start: it has said why. */
  readonly start: () => Promise<boolean>
  /** Tells all workers that the settings have to be looked at again. */
  readonly tellNews: () => void
  readonly isAlive: () => Promise<boolean>
  readonly checks: () => Promise<readonly Check[]>
  /** Lets clients go to other pods. */
  readonly leave: () => Promise<void>
  /** The text of the metrics of all processes, and its type. */
  readonly metrics: () => Promise<string>
  readonly metricsType: string
  /** Has a worker answer a request to the API. Rejects where none does. */
  readonly relay: (request: RelayedRequest) => Promise<Answer | undefined>
  /** Tells all workers to stop, and resolves when the last has ended. */
  readonly stop: () => Promise<void>
}

interface Member {
  readonly worker: Worker
  readonly channel: Channel<WorkerAnswers>
  readonly ended: Promise<void>
  isRunning: boolean
}

/** How long to wait before the next start, after so many workers in a row that lived shortly. */
export function restartDelayMs(shortLives: number): number {
  return shortLives === 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (shortLives - 1), LONGEST_DELAY_MS)
}

/** Makes the supervisor; no process is started before `start`. */
export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { count, log, logOutput, isTerminal, monotonic, settings } = parts
  const metrics = createMetrics()
  metrics.workers.set(0)
  // Its output is that of all: what a slow reader costs is known here alone
  logOutput.onLost((lines) => metrics.logLinesLeftOut.inc({ cause: 'reader' }, lines))
  logOutput.onRecovered((lines) => log.warn({ lines }, 'Left out lines of the log, which could not be written'))
  const totals = createTotals()
  const members = new Map<number, Member>()
  const timers = new Set<NodeJS.Timeout>()
  let isReplacing = false
  let shortLives = 0
  let wasReady = false

  cluster.schedulingPolicy = cluster.SCHED_RR
  const output = isTerminal ? 'inherit' : 'pipe'
  cluster.setupPrimary({ serialization: 'advanced', stdio: ['ignore', output, 'inherit', 'ipc'] })

  const isPresent = (id: number) => members.get(id)?.worker.isConnected() === true
  const running = () => [...members.values()].filter(({ isRunning }) => isRunning)

  async function checks(): Promise<readonly Check[]> {
    const answers = await Promise.all(
      running().map(async ({ worker, channel }) => {
        const [own, settingsVersion] = await Promise.all([
          channel.ask('checks').catch(() => undefined),
          channel.ask('settingsVersion').catch(() => undefined),
        ])
        return { worker: worker.id, checks: own, settingsVersion }
      }),
    )
    // One that has ended meanwhile is away, not silent
    const present = answers.filter(({ worker }) => isPresent(worker))
    const merged = mergeChecks({ count, settingsVersion: settings().version, wasReady }, present)
    wasReady ||= merged.every(({ missing }) => missing === undefined)
    return merged
  }

  async function allMetrics(): Promise<string> {
    const all = running()
    const [versions] = await Promise.all([Promise.all(all.map(versionOf)), Promise.all(all.map(measure))])
    const { version } = settings()
    metrics.workersWithOtherSettings.set(versions.filter((answer) => hasOtherSettings(answer, version)).length)
    return totals.text(await measurementsOf(metrics.registry, isOfFirstProcess))
  }

  async function versionOf({ worker, channel }: Member) {
    const settingsVersion = await channel.ask('settingsVersion').catch(() => undefined)
    return { worker: worker.id, checks: undefined, settingsVersion }
  }

  /** The first that lives: what is asked once must not be asked of two. */
  async function relay(request: RelayedRequest): Promise<Answer | undefined> {
    const lives = running().map(async (member) => {
      await member.channel.ask('life')
      return member
    })
    const { channel } = await Promise.any(lives).catch(() => {
      throw new Error('no worker answers')
    })
    return channel.ask('api', { detail: request, timeoutMs: API_TIMEOUT_MS })
  }

  /** One that does not answer in time is counted as it was before. */
  async function measure({ worker, channel }: Member): Promise<void> {
    const measurements = await channel.ask('measurements').catch(() => undefined)
    if (measurements !== undefined && members.has(worker.id)) totals.put(worker.id, measurements)
  }

  /** Starts a worker. Resolves with whether it came to run, or ended before. */
  function begin(): Promise<boolean> {
    const worker = cluster.fork()
    const startedMs = monotonic()
    const runs = Promise.withResolvers<boolean>()
    const ended = Promise.withResolvers<void>()
    const port = {
      send: (message: object) => void worker.send(message, () => {}),
      onMessage: (listener: (message: unknown) => void) => void worker.on('message', listener),
    }
    const channel = createChannel<WorkerAnswers, FirstAnswers>(port, {
      timeoutMs: ANSWER_TIMEOUT_MS,
      answering: {
        settings,
        running: () => {
          member.isRunning = true
          runs.resolve(true)
          // Said again: what came while it started may have been said before it could hear
          tell(member)
          return undefined
        },
      },
    })
    const member: Member = { worker, channel, ended: ended.promise, isRunning: false }
    members.set(worker.id, member)
    if (worker.process.stdout !== null) eachLine(worker.process.stdout, logOutput.write)

    const onEnd = (code: number | null, signal: string | null, error?: Error) => {
      if (!members.delete(worker.id)) return
      totals.leave(worker.id)
      channel.close()
      runs.resolve(false)
      ended.resolve()
      const end = { ended: worker.id, code, signal, err: error }
      if (!isReplacing) {
        // One that ends by itself has said why
        if (code === null && signal !== 'SIGTERM') log.error(end, 'A worker was ended from outside')
        return
      }
      shortLives = monotonic() - startedMs < SHORT_LIFE_MS ? shortLives + 1 : 0
      const delayMs = restartDelayMs(shortLives)
      log.error({ ...end, delayMs }, 'A worker has ended; another takes its place')
      metrics.workerRestarts.inc()
      const timer = setTimeout(() => {
        timers.delete(timer)
        void begin()
      }, delayMs)
      timers.add(timer)
    }
    // After its last line, which "exit" would not wait for
    worker.process.once('close', onEnd)
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) onEnd(null, null, error)
    })
    return runs.promise
  }

  function tell({ channel }: Member): void {
    channel.ask('news').catch(() => {})
  }

  async function stop(): Promise<void> {
    isReplacing = false
    for (const timer of timers) clearTimeout(timer)
    const all = [...members.values()]
    for (const { worker, channel, isRunning } of all) {
      if (isRunning) channel.ask('stop').catch(() => {})
      else worker.process.kill('SIGTERM')
    }
    await Promise.all(all.map(({ ended }) => ended))
  }

  return {
    start: async () => {
      if (!(await begin())) return false
      isReplacing = true
      for (let others = count - 1; others > 0; others--) void begin()
      return true
    },
    tellNews: () => running().forEach(tell),
    isAlive: async () => {
      const lives = await Promise.all(
        running().map(({ worker, channel }) => channel.ask('life').catch(() => !isPresent(worker.id))),
      )
      return !lives.includes(false)
    },
    checks,
    leave: async () => {
      await Promise.all(running().map(({ channel }) => channel.ask('leave').catch(() => undefined)))
    },
    metrics: allMetrics,
    metricsType: metrics.registry.contentType,
    relay,
    stop,
  }
}

/** All else that this process could count is counted by the workers. */
function isOfFirstProcess(name: string): boolean {
  return /^(process_|sidegate_worker|sidegate_log_lines_left_out)/.test(name)
}
