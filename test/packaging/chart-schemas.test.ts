// Would an API server take what the chart writes? Each object against the schema of its kind, with nothing in it that the
// schema does not know. The schemas come from a real API server, as no registry of them can be counted on.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { helms, template, valuesFile } from '../support/helm.ts'

const program = process.env.KUBECONFORM ?? 'kubeconform'
/** A folder of JSON Schemas, one for each kind, such as deployment-apps-v1.json. */
const schemas = process.env.KUBECONFORM_SCHEMAS
const isInstalled = spawnSync(program, ['-v']).status === 0
const isPossible = helms.length > 0 && isInstalled && schemas !== undefined
// The kinds of operators are none of the API server's: their schemas may be absent.
const OPERATORS = [
  ...['PodMonitor-monitoring', 'ServiceMonitor-monitoring', 'PrometheusRule-monitoring'],
  ...['Certificate-cert-manager', 'Issuer-cert-manager'],
]
const unknown = OPERATORS.filter((name) => !existsSync(`${schemas}/${name.toLowerCase()}-v1.json`))

if (!isPossible)
  test.skip('No object is held against its schema: it takes helm, kubeconform and KUBECONFORM_SCHEMAS', () => {})

describe.runIf(isPossible)('kubeconform', () => {
  const cases = helms.flatMap((helm) =>
    ['minimal', 'webhook', 'certificate', 'policy', 'redis', 'monitoring', 'everything'].map(
      (name) => [helm, name] as const,
    ),
  )

  test.each(cases)('$version finds nothing strange in %s', (helm, name) => {
    const { status, output } = template(helm, '--values', valuesFile(name))
    expect(status, output).toBe(0)
    const found = check(output)
    expect(found.status, found.output).toBe(0)
  })

  test('finds a member that no schema knows', () => {
    const [helm] = helms
    const rendered = helm === undefined ? '' : template(helm, '--values', valuesFile('webhook')).output
    expect(check(rendered.replace('timeoutSeconds', 'timeoutSecond')).status).not.toBe(0)
  })
})

function check(manifests: string): { readonly status: number | null; readonly output: string } {
  const location = `${schemas}/{{ .ResourceKind }}{{ .KindSuffix }}.json`
  const skipped = unknown.map((name) => name.slice(0, name.indexOf('-'))).join(',')
  const args = ['-strict', '-skip', skipped, '-schema-location', location, '-']
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input: manifests })
  return { status, output: `${stdout}${stderr}` }
}
