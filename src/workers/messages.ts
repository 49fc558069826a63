// What the first process and its workers ask each other.
import type { AddressInfo } from 'node:net'
import type { Answer } from '../http/answer.ts'
import type { Check } from '../http/probes.ts'
import type { Measurements } from '../telemetry/metrics/totals.ts'

/** A little less than what the kubelet waits for a probe, so that it is told who is silent. */
export const ANSWER_TIMEOUT_MS = 800
/** Longer than a write waits for Redis and its replicas. */
export const API_TIMEOUT_MS = 30_000

/** What a worker answers, for itself. */
export interface WorkerAnswers {
  /** Answers a request to the API of the admin port; the detail is a `RelayedRequest`. */
  readonly api: Answer | undefined
  readonly checks: readonly Check[]
  /** Lets clients go to other pods. */
  readonly leave: undefined
  readonly life: boolean
  readonly measurements: Measurements
  /** Looks at the settings of the first process again; answers at once. */
  readonly news: undefined
  /** Which settings are in force. */
  readonly settingsVersion: number
  /** Begins to stop; answers at once. */
  readonly stop: undefined
}

/** What the first process answers. */
export interface FirstAnswers {
  /** Takes note that the worker serves requests. */
  readonly running: undefined
  readonly settings: SharedSettings
}

/** Bytes of files, by the path that the settings name. */
type Files = ReadonlyMap<string, Uint8Array>

/** The settings that are in force, as bytes: no worker reads a file, or two of them could read different ones. */
export interface SharedSettings {
  /** Another number for each version that was taken over. */
  readonly version: number
  /** Those of the start, which say what only a start reads. */
  readonly start: Files
  /** Those that were right when they were last read. */
  readonly latest: Files
  /** When that was: what has expired since is in force on the other workers as well. */
  readonly readAtMs: number
  /** Counts the readings; a change of it with problems is a failed reload. */
  readonly readings: number
  /** What was wrong with the last reading. */
  readonly problems: readonly string[]
  readonly admin: AddressInfo
}

/** A request to the admin port, as it goes to a worker. */
export interface RelayedRequest {
  readonly method: string
  /** The path and the query. */
  readonly target: string
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly peer: string | undefined
  readonly body: Uint8Array
}
