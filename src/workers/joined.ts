// The side of a worker: it does all that a gate does, and answers for itself when the first process asks. Whoever asks it on
// the admin port is told of all workers.
import cluster from 'node:cluster'
import type { Check } from '../admin/probes.ts'
import type { Measurements } from '../telemetry/totals.ts'
import { createChannel } from './channel.ts'
import { ANSWER_TIMEOUT_MS, type FirstAnswers, type WorkerAnswers } from './questions.ts'

/** What a gate tells of itself alone. */
export interface OwnState {
  readonly checks: () => readonly Check[]
  readonly leave: () => void
  readonly measurements: () => Promise<Measurements>
}

/** All workers together, as one of them sees them. Each promise rejects where the first process does not answer. */
export interface Siblings {
  readonly answer: (own: OwnState) => void
  readonly checks: () => Promise<readonly Check[]>
  readonly leave: () => Promise<void>
  readonly isAlive: () => Promise<boolean>
  readonly metrics: () => Promise<string>
}

export interface Joined extends Siblings {
  /** Which worker this is; one that takes another's place has a number of its own. */
  readonly number: number
  /** Tells that requests are served from now on. */
  readonly running: () => void
  readonly toldToStop: Promise<void>
}

/** Joins the first process; nothing where this process is no worker. */
export function joinWorkers(): Joined | undefined {
  const { worker } = cluster
  if (worker === undefined) return undefined
  const stop = Promise.withResolvers<void>()
  let own: OwnState = { checks: () => [], leave: () => {}, measurements: async () => [] }
  const channel = createChannel<FirstAnswers, WorkerAnswers>(
    {
      // A channel that is closed ends this process anyhow
      send: (message) => process.send?.(message, undefined, undefined, () => {}),
      onMessage: (listener) => process.on('message', listener),
    },
    {
      timeoutMs: 2 * ANSWER_TIMEOUT_MS,
      answering: {
        checks: () => own.checks(),
        leave: () => own.leave() as undefined,
        life: () => true,
        measurements: () => own.measurements(),
        stop: () => stop.resolve() as undefined,
      },
    },
  )
  return {
    number: worker.id,
    answer: (given) => {
      own = given
    },
    checks: () => channel.ask('checks'),
    leave: () => channel.ask('leave'),
    isAlive: () => channel.ask('life').catch(() => false),
    metrics: () => channel.ask('metrics'),
    running: () => void channel.ask('running').catch(() => {}),
    toldToStop: stop.promise,
  }
}
