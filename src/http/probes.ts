// What Kubernetes asks: is the process alive, and may it get traffic? Liveness never depends on anything outside: a
// Redis outage must not restart the fleet.
import { type Answer, json, text } from './answer.ts'

/** One thing that has to be there before traffic may come, and what is missing of it. */
export interface Check {
  readonly name: string
  /** Nothing where all is well, else a sentence for the operator. */
  readonly missing: string | undefined
  /** What there is to say where all is well; "ok" by itself. */
  readonly detail?: string | undefined
}

/** 503 where a process of this gate does not answer: its event loop is stuck. */
export function livez(isAlive = true): Answer {
  return isAlive ? text(200, 'ok') : text(503, 'a worker does not answer')
}

/** 200 where nothing is missing, else 503; both name every check. */
export function readyz(checks: readonly Check[]): Answer {
  const isReady = checks.every((check) => check.missing === undefined)
  const entries = checks.map((check) => [check.name, check.missing ?? check.detail ?? 'ok'] as const)
  return json(isReady ? 200 : 503, { ready: isReady, checks: Object.fromEntries(entries) })
}
