import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import { configOf } from '../support/settings.ts'

const root = join(import.meta.dirname, '..', '..')
const chart = join(root, 'helm', 'sidegate')
const issuers = JSON.stringify([{ issuer: 'https://id.example.com', audiences: ['orders'], keys: { discovery: true } }])
const withIssuer = ['--set-json', `settings.issuers=${issuers}`]
const isInstalled = spawnSync('helm', ['version']).status === 0
const describeWithHelm = isInstalled ? describe : describe.skip

interface Rendered {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
  readonly spec: {
    readonly ports: readonly object[]
    readonly template: { readonly spec: { initContainers: object[]; volumes: object[]; containers: object[] } }
  }
}

function helm(...args: string[]): { readonly status: number | null; readonly output: string } {
  const given = ['template', 'orders', chart, '--kube-version', '1.32.0', ...args]
  const { status, stdout, stderr } = spawnSync('helm', given, { encoding: 'utf8' })
  return { status, output: status === 0 ? stdout : stderr }
}

function render(...args: string[]): readonly Rendered[] {
  const { status, output } = helm(...args)
  expect(status, output).toBe(0)
  return parseAllDocuments(output).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as Rendered
  })
}

test('the chart has the version of the program', () => {
  const { version, appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Record<string, string>
  expect([version, appVersion]).toEqual([manifest.version, manifest.version])
})

test.skipIf(isInstalled)('helm is not on this machine, so the chart is not rendered here', () => {})

describeWithHelm('the chart', () => {
  test('passes the lint of helm', () => {
    const { status, stdout } = spawnSync('helm', ['lint', chart, ...withIssuer], { encoding: 'utf8' })
    expect(status, stdout).toBe(0)
  })

  test('makes a ConfigMap with settings that load, numbers as they were given', () => {
    const [map, ...others] = render(...withIssuer, '--set-json', 'settings.limits={"bodyBytes":10485760}')
    expect(others).toEqual([])
    const config = configOf(map?.data['sidegate.yaml'] ?? '')
    expect(config.issuers[0]?.issuer).toBe('https://id.example.com')
    expect(config.limits.bodyBytes).toBe(10_485_760)
  })

  test('says what is missing where no issuer is given', () => {
    const { status, output } = helm()
    expect(status).not.toBe(0)
    expect(output).toContain('settings.issuers is empty')
  })

  test('writes the container and the volume of the pod-spec snippet', () => {
    const snippet = parse(readFileSync(join(root, 'deploy/sidecar.yaml'), 'utf8'))
    const rendered = render(...withIssuer, '--set', 'demo.enabled=true', '--set', 'secretName=sidegate')
    const pod = rendered.find(({ kind }) => kind === 'Deployment')?.spec.template.spec
    expect(pod?.initContainers).toEqual(snippet.initContainers)
    const [volume] = snippet.volumes
    volume.projected.sources[0].configMap.name = 'orders-sidegate'
    expect(pod?.volumes).toEqual([volume])
  })

  test('follows other ports in the settings', () => {
    const ports = ['--set', 'settings.listen=0.0.0.0:8443', '--set', 'settings.admin.listen=0.0.0.0:9191']
    const rendered = render(...withIssuer, '--set', 'demo.enabled=true', ...ports)
    const [sidecar] = rendered.find(({ kind }) => kind === 'Deployment')?.spec.template.spec.initContainers ?? []
    expect(sidecar).toMatchObject({
      ports: [{ containerPort: 8443 }, { containerPort: 9191 }],
      readinessProbe: { httpGet: { port: 9191 } },
    })
    expect(rendered.find(({ kind }) => kind === 'Service')?.spec.ports).toMatchObject([{ targetPort: 8443 }])
  })
})
