// What would an upgrade change for these manifests, which were written for an older version? The settings of the gates have their
// own table.

import { listAt, treesAt } from '../../manifests/nested-values.ts'
import { ofKind, type Rule, type Survey, type Trouble } from '../survey.ts'
import { gateRules } from './gate.ts'

/** `doctor --upgrade` goes by these alone. */
export const upgradeRules: readonly Rule[] = [
  // Such a pod is not injected any more.
  ...gateRules.filter(({ name }) => name === 'gate-secret-shared'),
  { name: 'upgrade-chart-redis-password', severity: 'warning', find: openRedis },
]

/** The chart gave its Redis this argument where it had no password. */
function* openRedis(survey: Survey): Generator<Trouble> {
  for (const object of ofKind(survey, 'StatefulSet'))
    for (const [index, container] of treesAt(object.value, 'spec', 'template', 'spec', 'containers').entries()) {
      const words = listAt(container, 'args')
      if (words[0] !== 'redis-server' || words[words.indexOf('--protected-mode') + 1] !== 'no') continue
      if (words.includes('--requirepass')) continue
      yield {
        object,
        path: `spec.template.spec.containers[${index}].args`,
        message: 'The chart no longer renders a Redis without a password, as any pod could lift revocations there',
        mend: 'Put a password into a Secret, and set "secretName" and "redis.passwordKey"; or run this Redis outside of the chart',
      }
    }
}
