// Which files of the repository are written by a program? Each with its path from the root and the function that makes it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonSchema } from '../src/config/schema.ts'
import { configurationPage } from './configuration-page.ts'
import { withRooms } from './documents/architecture.ts'
import { chartPage } from './documents/chart-page.ts'
import { chartSchema } from './documents/chart-schema.ts'
import { coveragePage } from './documents/coverage.ts'
import { dashboard } from './documents/dashboard.ts'
import { withHeaderNames } from './documents/header-names.ts'
import { metricsPage } from './documents/metrics.ts'
import { policyTemplate } from './documents/policy.ts'
import { reasonsPage } from './documents/reasons.ts'
import { withAttackCounts } from './documents/security.ts'

const pageAt = (name: string) => readFileSync(join(import.meta.dirname, '..', 'docs', name), 'utf8')

export interface GeneratedFile {
  readonly path: string
  readonly content: () => string
}

export const generatedFiles: readonly GeneratedFile[] = [
  { path: 'docs/configuration.md', content: configurationPage },
  { path: 'docs/sidegate.schema.json', content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
  { path: 'helm/sidegate/values.schema.json', content: () => `${JSON.stringify(chartSchema(), null, 2)}\n` },
  { path: 'helm/sidegate/README.md', content: chartPage },
  { path: 'helm/sidegate/templates/policy.yaml', content: policyTemplate },
  { path: 'docs/reasons.md', content: reasonsPage },
  { path: 'docs/metrics.md', content: metricsPage },
  { path: 'docs/coverage.md', content: coveragePage },
  { path: 'docs/architecture.md', content: () => withRooms(pageAt('architecture.md')) },
  { path: 'docs/security.md', content: () => withHeaderNames(withAttackCounts(pageAt('security.md'))) },
  { path: 'helm/sidegate/files/dashboard.json', content: dashboard },
]
