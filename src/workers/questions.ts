// What the first process and its workers ask each other.
import type { Check } from '../admin/probes.ts'
import type { Measurements } from '../telemetry/totals.ts'

/** A little less than what the kubelet waits for a probe, so that it is told who is silent. */
export const ANSWER_TIMEOUT_MS = 800

/** What a worker answers, for itself. */
export interface WorkerAnswers {
  readonly checks: readonly Check[]
  /** Lets clients go to other pods. */
  readonly leave: undefined
  readonly life: boolean
  readonly measurements: Measurements
  /** Begins to stop; answers at once. */
  readonly stop: undefined
}

/** What the first process answers, for all workers. */
export interface FirstAnswers {
  readonly checks: readonly Check[]
  readonly leave: undefined
  readonly life: boolean
  /** The text of the metrics. */
  readonly metrics: string
  /** Takes note that the worker serves requests. */
  readonly running: undefined
}
