// What several workers say, as one answer. Before the gate was ready once, what one worker lacks is missing; afterwards what all of
// them lack is. A worker that is replaced must not take a gate out of its Service whose others serve.
import type { Check } from '../http/probes.ts'

/** The checks of one worker; nothing where it does not answer. */
export interface WorkerChecks {
  readonly worker: number
  readonly checks: readonly Check[] | undefined
  /** Which settings it has in force; nothing where it does not answer. */
  readonly settingsVersion?: number | undefined
}

export interface Expected {
  /** How many workers should run. */
  readonly count: number
  /** Which settings each should have in force. */
  readonly settingsVersion: number
  /** Whether all of them have been ready before. */
  readonly wasReady: boolean
}

/** Merges the checks of the workers that run. */
export function mergeChecks(
  { count, settingsVersion, wasReady }: Expected,
  answers: readonly WorkerChecks[],
): readonly Check[] {
  const all = answers.flatMap(({ checks = [] }) => checks)
  const silent = answers.flatMap(({ worker, checks }) =>
    checks === undefined ? [`worker ${worker} does not answer`] : [],
  )
  const fewer = answers.length < count ? [`${answers.length} of ${count} workers run`] : []
  const isEnough = wasReady && answers.some(({ checks = [] }) => checks.every(({ missing }) => missing === undefined))
  const merged = [...new Set(all.map(({ name }) => name))].map((name): Check => {
    const same = all.filter((check) => check.name === name)
    const missing = join(same.map((check) => check.missing))
    const detail = join(same.map((check) => check.detail))
    // Draining is of the pod: one worker is a moment earlier than the others
    return isEnough && name !== 'draining'
      ? { name, missing: undefined, detail: missing ?? detail }
      : { name, missing, detail }
  })
  const others = answers.flatMap((answer) => (hasOtherSettings(answer, settingsVersion) ? [answer.worker] : []))
  return [
    ...merged,
    {
      name: 'workers',
      missing: join(isEnough ? silent : [...fewer, ...silent]),
      detail: join(fewer) ?? `${answers.length} run`,
    },
    {
      name: 'settings',
      missing: undefined,
      detail: join(others.map((worker) => `worker ${worker} has other settings than the first process`)),
    },
  ]
}

/** One that does not answer is told for that already. */
export function hasOtherSettings({ settingsVersion }: WorkerChecks, expected: number): boolean {
  return settingsVersion !== undefined && settingsVersion !== expected
}

/** Each sentence once; nothing where there is none. */
function join(sentences: readonly (string | undefined)[]): string | undefined {
  const different = [...new Set(sentences.filter((sentence) => sentence !== undefined))]
  return different.length === 0 ? undefined : different.join('; ')
}
