// The side of a worker: it does all that a gate does but the admin port, and answers for itself when the first process asks.
import cluster from 'node:cluster'
import type { AddressInfo } from 'node:net'
import type { Check } from '../http/probes.ts'
import type { AdminApi } from '../servers/admin/request.ts'
import type { Measurements } from '../telemetry/metrics/totals.ts'
import { createChannel } from './channel.ts'
import {
  ANSWER_TIMEOUT_MS,
  type FirstAnswers,
  type RelayedRequest,
  type SharedSettings,
  type WorkerAnswers,
} from './messages.ts'
import { unpackRequest } from './relayed-request.ts'

/** What a gate tells of itself alone. */
export interface OwnState {
  readonly api: AdminApi
  readonly checks: () => readonly Check[]
  readonly leave: () => void
  readonly measurements: () => Promise<Measurements>
}

/** The other processes of this gate, of which the first one has the admin port. */
export interface Siblings {
  readonly answer: (own: OwnState) => void
  /** Where the first process serves the admin port. */
  readonly admin: AddressInfo
}

export interface Joined {
  /** Which worker this is; one that takes another's place has a number of its own. */
  readonly number: number
  /** The settings that are in force. Rejects where the first process does not answer. */
  readonly settings: () => Promise<SharedSettings>
  readonly answer: (own: OwnState) => void
  /** Tells which settings are in force here. */
  readonly tookOver: (version: number) => void
  /** Calls back when the settings have to be looked at again, also where that was said before. */
  readonly onNews: (look: () => void) => void
  /** Tells that requests are served from now on. */
  readonly running: () => void
  readonly toldToStop: Promise<void>
}

/** Joins the first process; nothing where this process is no worker. */
export function joinWorkers(): Joined | undefined {
  const { worker } = cluster
  if (worker === undefined) return undefined
  const stop = Promise.withResolvers<void>()
  let own: OwnState = {
    api: async () => undefined,
    checks: () => [],
    leave: () => {},
    measurements: async () => [],
  }
  let version = 0
  let hasNews = false
  let look: (() => void) | undefined
  const channel = createChannel<FirstAnswers, WorkerAnswers>(
    {
      // A channel that is closed ends this process anyhow
      send: (message) => process.send?.(message, undefined, undefined, () => {}),
      onMessage: (listener) => process.on('message', listener),
    },
    {
      timeoutMs: 2 * ANSWER_TIMEOUT_MS,
      answering: {
        api: (detail) => {
          const { request, url } = unpackRequest(detail as RelayedRequest)
          return own.api(request, url)
        },
        checks: () => own.checks(),
        leave: () => own.leave() as undefined,
        life: () => true,
        measurements: () => own.measurements(),
        news: () => {
          hasNews = true
          look?.()
          return undefined
        },
        settingsVersion: () => version,
        stop: () => stop.resolve() as undefined,
      },
    },
  )
  return {
    number: worker.id,
    settings: () => channel.ask('settings'),
    answer: (given) => {
      own = given
    },
    tookOver: (taken) => {
      version = taken
    },
    onNews: (given) => {
      look = given
      if (hasNews) given()
    },
    running: () => void channel.ask('running').catch(() => {}),
    toldToStop: stop.promise,
  }
}
