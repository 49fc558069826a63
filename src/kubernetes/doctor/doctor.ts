// What is wrong with these manifests? Every rule looks at the survey; this is the table of them all.

import { nameOf } from '../manifests/workloads.ts'
import { adminRules } from './checks/admin-port.ts'
import { gateRules } from './checks/gate.ts'
import { lifeRules } from './checks/lifecycle.ts'
import { aroundRules } from './checks/network.ts'
import { redisRules } from './checks/redis.ts'
import { settingsRules } from './checks/settings.ts'
import type { Rule, Survey } from './survey.ts'

export const doctorRules: readonly Rule[] = [
  ...aroundRules,
  ...adminRules,
  ...gateRules,
  ...lifeRules,
  ...settingsRules,
  ...redisRules,
]

/** One thing that is wrong, as it is told. */
export interface Diagnosis {
  readonly rule: string
  readonly severity: Rule['severity']
  readonly file: string
  readonly line: number
  /** `Deployment/orders`. */
  readonly object: string
  readonly path: string
  readonly message: string
  readonly mend: string
}

/** What all rules find, errors first, and within them in the order of the rules. */
export function diagnose(survey: Survey, rules: readonly Rule[] = doctorRules): readonly Diagnosis[] {
  const found = rules.flatMap(({ name, severity, find }) =>
    [...find(survey)].map(({ object: { file, line, value }, path, message, mend }) => {
      return { rule: name, severity, file, line, object: nameOf(value), path, message, mend }
    }),
  )
  return found.toSorted((one, other) => rank(one) - rank(other))
}

function rank({ severity }: Diagnosis): number {
  return severity === 'error' ? 0 : 1
}
