// The manifests of this repository against the schemas of a real API server. The schemas stay in KUBECONFORM_SCHEMAS where that
// names a folder: `npm run test:chart` then holds the chart against them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSchemas } from '../support/api-schemas.ts'
import { type Cluster, clusterMissing, startCluster } from '../support/cluster.ts'
import { read } from '../support/ways.ts'

const program = process.env.KUBECONFORM ?? 'kubeconform'

describe.skipIf(clusterMissing !== undefined)('the schemas of an API server', () => {
  let cluster: Cluster
  const kept = process.env.KUBECONFORM_SCHEMAS
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'sidegate-schemas-'))
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(async () => {
    await cluster?.stop()
    if (kept === undefined) rmSync(folder, { recursive: true })
  })

  test('are written, one for each kind', async () => {
    const written = await writeSchemas(cluster, folder)
    expect(written).toContain('deployment-apps-v1.json')
    expect(written).toContain('pod-v1.json')
    expect(written).toContain('mutatingadmissionpolicy-admissionregistration-v1.json')
  })

  test.skipIf(spawnSync(program, ['-v']).status !== 0)('fit the example of this repository', () => {
    const files = readdirSync('deploy/example').filter((name) => /\.yaml$/.test(name) && name !== 'kustomization.yaml')
    for (const name of files) expect(check(read(`deploy/example/${name}`)), name).toMatchObject({ status: 0 })
    const broken = read('deploy/example/app.yaml').replace('initContainers:', 'initContainer:')
    expect(check(broken).output).toContain('initContainer')
  })

  function check(manifests: string) {
    const location = `${folder}/{{ .ResourceKind }}{{ .KindSuffix }}.json`
    const given = ['-strict', '-schema-location', location, '-']
    const { status, stdout, stderr } = spawnSync(program, given, { encoding: 'utf8', input: manifests })
    return { status, output: `${stdout}${stderr}` }
  }
})
