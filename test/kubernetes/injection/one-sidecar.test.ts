// One sidecar, many ways: whatever writes it, the same container and volume come out as buildSidecar makes.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { injectPod } from '../../../src/kubernetes/injection/injection.ts'
import { buildSidecar, buildVolume } from '../../../src/kubernetes/injection/sidecar.ts'
import { reviewAdmission } from '../../../src/kubernetes/injector/review.ts'
import { treeAt } from '../../../src/kubernetes/manifests/nested-values.ts'
import { version } from '../../../src/runtime/version.ts'
import { applied, reviewOf } from '../../support/admission-review.ts'
import { helms, render, valuesFile } from '../../support/helm.ts'
import { sidegate } from '../../support/shell.ts'
import { gateIn, patched, podSpecIn, read, type WrittenGate } from '../../support/ways.ts'

const image = `registry.example.com/sidegate:${version}`
const secret = 'sidegate'
const manifest = `apiVersion: apps/v1
kind: Deployment
metadata: { name: orders, labels: { sidegate.dev/inject: "true" } }
spec:
  template:
    metadata: { labels: { sidegate.dev/inject: "true" } }
    spec:
      initContainers: [{ name: migrate, image: orders }]
      containers: [{ name: app, image: orders }]
`
const component = parse(read('deploy/component/gate.yaml')) as unknown

/** Each way with what it writes for one image and one Secret and nothing else. A new way is a new row. */
const ways: readonly (readonly [string, () => WrittenGate | Promise<WrittenGate>])[] = [
  ['the snippet', () => gateIn(parse(read('deploy/sidecar.yaml')))],
  ['the example', () => gateIn(podSpecIn(read('deploy/example/app.yaml')))],
  [
    'the patch of the component',
    () => gateIn(patched(treeAt(podSpecIn(manifest)), treeAt(component, 'spec', 'template', 'spec'))),
  ],
  [
    'sidegate inject',
    async () => {
      const given = ['inject', '-f', '-', '--image', image, '--secret', secret]
      const { printed } = await sidegate(given, { input: manifest })
      return gateIn(podSpecIn(printed.join('\n')))
    },
  ],
  [
    'the injection itself',
    () => {
      const template = treeAt(parse(manifest), 'spec', 'template')
      return gateIn(injectPod(template, { image, secret, version }).template.spec)
    },
  ],
  [
    'the injector',
    () => {
      const pod = treeAt(parse(manifest), 'spec', 'template')
      const review = reviewAdmission(reviewOf(pod), { image, secret, version })
      if (typeof review === 'string') throw new Error(review)
      return gateIn(applied(pod, review).spec)
    },
  ],
  ...helms.map((helm): readonly [string, () => WrittenGate] => [
    `the chart in helm ${helm.version}`,
    () => {
      const values = ['--values', valuesFile('redis'), '--set', `secretName=${secret}`]
      return gateIn(
        render(helm, ...values)
          .map((object) => treeAt(object, 'spec', 'template', 'spec'))
          .find(hasGate),
      )
    },
  ]),
]

function hasGate(podSpec: unknown): boolean {
  return gateIn(podSpec).container !== undefined
}

describe('the same sidecar comes out of', () => {
  test.each(ways)('%s', async (_name, write) => {
    expect(await write()).toEqual({
      container: buildSidecar({ image, secret }),
      volume: buildVolume({ image, secret }),
      place: 0,
    })
  })

  test.skipIf(spawnSync('kubectl', ['kustomize', '--help']).status !== 0)('kustomize, where kubectl is here', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidegate-kustomize-'))
    writeFileSync(join(folder, 'app.yaml'), manifest)
    mkdirSync(join(folder, 'component'))
    for (const name of ['gate.yaml', 'kustomization.yaml'])
      writeFileSync(join(folder, 'component', name), read(`deploy/component/${name}`))
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: [app.yaml]\ncomponents: [component]\n')
    const built = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect(built.stderr).toBe('')
    expect(gateIn(podSpecIn(built.stdout))).toEqual({
      container: buildSidecar({ image, secret }),
      volume: buildVolume({ image, secret }),
      place: 0,
    })
  })
})

describe('the sidecar', () => {
  test('has a variable for each thing that differs from the default, in the order of their names', () => {
    const { env } = buildSidecar({
      image,
      upstream: 'http://127.0.0.1:4000',
      listenPort: 8081,
      adminPort: 9091,
      mode: 'shadow',
      logLevel: 'warn',
      appProbes: { app: { readiness: 'tcp://127.0.0.1:4000' } },
    })
    expect(env).toEqual([
      { name: 'SIDEGATE_ADMIN_APP_PROBES', value: '{"app":{"readiness":"tcp://127.0.0.1:4000"}}' },
      { name: 'SIDEGATE_ADMIN_LISTEN', value: '[::]:9091' },
      { name: 'SIDEGATE_LISTEN', value: '[::]:8081' },
      { name: 'SIDEGATE_LOG_LEVEL', value: 'warn' },
      { name: 'SIDEGATE_MODE', value: 'shadow' },
      { name: 'SIDEGATE_UPSTREAM', value: 'http://127.0.0.1:4000' },
    ])
    expect(buildSidecar({ image, listenPort: 8080, adminPort: 9090, appProbes: {} })).not.toHaveProperty('env')
  })

  test('asks its probes on the admin port that it has', () => {
    const { ports, startupProbe, readinessProbe, livenessProbe } = buildSidecar({ image, listenPort: 1, adminPort: 2 })
    expect(ports.map(({ containerPort }) => containerPort)).toEqual([1, 2])
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) expect(probe.httpGet.port).toBe(2)
  })

  test('asks for as much as its pod says', () => {
    const resources = { cpuRequest: '1', memoryRequest: '200Mi', memoryLimit: '1Gi' }
    expect(buildSidecar({ image, resources }).resources).toEqual({
      requests: { cpu: '1', memory: '200Mi' },
      limits: { memory: '1Gi' },
    })
  })
})
