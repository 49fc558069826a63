// What several workers say, as one answer: the pod is ready when every worker is, and what one of them lacks is told.
import type { Check } from '../admin/probes.ts'

/** The checks of one worker; nothing where it does not answer. */
export interface WorkerChecks {
  readonly worker: number
  readonly checks: readonly Check[] | undefined
}

/** Merges the checks of the workers that run, of `count` that should. */
export function mergeChecks(count: number, answers: readonly WorkerChecks[]): readonly Check[] {
  const all = answers.flatMap(({ checks = [] }) => checks)
  const silent = answers.flatMap(({ worker, checks }) =>
    checks === undefined ? [`worker ${worker} does not answer`] : [],
  )
  const fewer = answers.length < count ? [`${answers.length} of ${count} workers run`] : []
  const merged = [...new Set(all.map(({ name }) => name))].map((name): Check => {
    const same = all.filter((check) => check.name === name)
    return { name, missing: join(same.map(({ missing }) => missing)), detail: join(same.map(({ detail }) => detail)) }
  })
  return [...merged, { name: 'workers', missing: join([...fewer, ...silent]), detail: `${answers.length} run` }]
}

/** Each sentence once; nothing where there is none. */
function join(sentences: readonly (string | undefined)[]): string | undefined {
  const different = [...new Set(sentences.filter((sentence) => sentence !== undefined))]
  return different.length === 0 ? undefined : different.join('; ')
}
