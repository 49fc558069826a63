// Which files of the repository are written by a program? Each with its path from the root and the function that makes it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonSchema } from '../src/config/schema.ts'
import { configurationPage } from './configuration-page.ts'
import { coveragePage } from './documents/coverage.ts'
import { metricsPage } from './documents/metrics.ts'
import { reasonsPage } from './documents/reasons.ts'
import { withAttackCounts } from './documents/security.ts'

const securityPage = join(import.meta.dirname, '..', 'docs', 'security.md')

export interface GeneratedFile {
  readonly path: string
  readonly content: () => string
}

export const generatedFiles: readonly GeneratedFile[] = [
  { path: 'docs/configuration.md', content: configurationPage },
  { path: 'docs/sidegate.schema.json', content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
  { path: 'docs/reasons.md', content: reasonsPage },
  { path: 'docs/metrics.md', content: metricsPage },
  { path: 'docs/coverage.md', content: coveragePage },
  { path: 'docs/security.md', content: () => withAttackCounts(readFileSync(securityPage, 'utf8')) },
]
