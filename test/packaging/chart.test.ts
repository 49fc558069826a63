// Does the chart render, whatever is asked of it, and does it say what to mend where it cannot?
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import { injectPod } from '../../src/kubernetes/injection/injection.ts'
import { buildSidecar, buildVolume, type SidecarSettings } from '../../src/kubernetes/injection/sidecar.ts'
import { readDefaults } from '../../src/kubernetes/injector/defaults.ts'
import { type Tree, textAt, treeAt, treesAt, valueAt } from '../../src/kubernetes/manifests/nested-values.ts'
import { chart, helms, render, runHelm, template, valuesFile } from '../support/helm.ts'
import { configOf } from '../support/settings.ts'
import { gateIn } from '../support/ways.ts'

const image = `registry.example.com/sidegate:${manifest.version}`
const settings = 'ConfigMap/sidegate'
const trial = ['Pod/sidegate-test']
const certificate = ['Certificate/sidegate-injector']
const ownCertificate = [
  'ClusterRole/sidegate-injector',
  'ClusterRoleBinding/sidegate-injector',
  'Role/sidegate-injector',
  'RoleBinding/sidegate-injector',
  'Secret/sidegate-injector-certificate',
]
const injector = [
  'ConfigMap/sidegate-injector',
  'Deployment/sidegate-injector',
  'MutatingWebhookConfiguration/sidegate',
  'PodDisruptionBudget/sidegate-injector',
  'Service/sidegate-injector',
  'ServiceAccount/sidegate-injector',
]
const redis = ['NetworkPolicy/sidegate-redis', 'Service/sidegate-redis', 'StatefulSet/sidegate-redis']
const demo = ['Deployment/sidegate-demo', 'Service/sidegate-demo']
const monitoring = [
  'ConfigMap/sidegate-dashboard',
  'PodMonitor/sidegate',
  'PrometheusRule/sidegate',
  'ServiceMonitor/sidegate-injector',
]
const policies = [
  'MutatingAdmissionPolicy/sidegate',
  'MutatingAdmissionPolicyBinding/sidegate',
  'ValidatingAdmissionPolicy/sidegate',
  'ValidatingAdmissionPolicyBinding/sidegate',
]

/** Each file of values, and the objects that it makes. */
const matrix: Readonly<Record<string, readonly string[]>> = {
  minimal: [settings, ...trial],
  webhook: [
    ...[settings, settings, settings, ...injector, ...ownCertificate, ...trial],
    ...['NetworkPolicy/sidegate-injector', 'NetworkPolicy/sidegate-gates'],
    ...['NetworkPolicy/sidegate-gates', 'NetworkPolicy/sidegate-gates'],
  ],
  certificate: [settings, ...injector, ...certificate, 'Issuer/sidegate-injector', ...trial],
  policy: [settings, ...policies, ...trial],
  redis: [settings, ...redis, ...demo, ...trial],
  monitoring: [settings, ...injector, ...ownCertificate, ...monitoring, ...trial],
  everything: [
    ...[settings, settings, ...injector, ...certificate, ...monitoring, ...redis, ...demo, ...trial],
    'NetworkPolicy/sidegate-demo',
    'NetworkPolicy/sidegate-gates',
    'NetworkPolicy/sidegate-gates',
    'NetworkPolicy/sidegate-injector',
  ],
}

const isPolicy = (object: Tree) => textAt(object, 'kind') === 'MutatingAdmissionPolicy'
const nameOf = (object: Tree) => `${textAt(object, 'kind')}/${textAt(object, 'metadata', 'name')}`

function find(objects: readonly Tree[], name: string): Tree {
  const found = objects.find((object) => nameOf(object) === name)
  if (found === undefined) throw new Error(`No ${name}`)
  return found
}

const podSpecOf = (object: Tree) => treeAt(object, 'spec', 'template', 'spec')

test('the chart has the version of the program', () => {
  const { version, appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Record<string, string>
  expect([version, appVersion]).toEqual([manifest.version, manifest.version])
})

test('every file of values is in the matrix', () => {
  const names = readdirSync(join(valuesFile('minimal'), '..')).map((name) => name.replace('.yaml', ''))
  expect(names.toSorted()).toEqual(Object.keys(matrix).toSorted())
})

if (helms.length === 0)
  test.skip('The chart is not rendered: there is no helm on the PATH, nor in the variable HELM', () => {})
if (helms.length === 1)
  test.skip('The chart is rendered by one helm alone: there is no second version (helm3, helm4) on the PATH', () => {})

for (const helm of helms)
  describe(`the chart in helm ${helm.version}`, () => {
    const minimal = ['--values', valuesFile('minimal')]

    test.each(Object.entries(matrix))('renders %s.yaml, and passes the lint with it', (name, expected) => {
      const values = ['--values', valuesFile(name)]
      expect(
        render(helm, ...values)
          .map(nameOf)
          .toSorted(),
      ).toEqual(expected.toSorted())
      const known = ['--kube-version', '1.36.0']
      const { status, output } = runHelm(helm, 'lint', '--strict', chart, ...known, ...values)
      // The lint knows of no operators, and has no option to tell it.
      const isWithOperators = expected.some((object) => /Monitor|Certificate\/|Rule/.test(object))
      if (!isWithOperators || !output.includes('the cluster does not know')) expect(status, output).toBe(0)
    })

    test('writes settings that load into each namespace, numbers as they were given', () => {
      const maps = render(helm, '--values', valuesFile('everything')).filter((object) => nameOf(object) === settings)
      expect(maps.map((map) => valueAt(map, 'metadata', 'namespace'))).toEqual(['gates', 'shop'])
      for (const map of maps) {
        const config = configOf(textAt(map, 'data', 'sidegate.yaml') ?? '')
        expect(config.limits.bodyBytes).toBe(10_485_760)
        expect(config.revocation.redis).toBe('redis://sidegate-redis.gates:6379/0')
        expect(config.revocation.maxStaleness).toBe(20_000)
      }
    })

    test.each<[string, string, SidecarSettings]>([
      ['minimal', 'demo.enabled=true', { image }],
      ['redis', 'demo.enabled=true', { image, secret: 'keys' }],
      [
        'everything',
        'demo.enabled=true',
        {
          image: 'registry.example.com/other/sidegate:1.2.3',
          imagePullPolicy: 'IfNotPresent',
          listenPort: 8443,
          adminPort: 9191,
          secret: 'keys',
          resources: { cpuRequest: '1', memoryRequest: '200Mi', memoryLimit: '400Mi' },
        },
      ],
    ])('gives the demo of %s.yaml the container of buildSidecar', (name, set, expected) => {
      const pod = podSpecOf(find(render(helm, '--values', valuesFile(name), '--set', set), 'Deployment/sidegate-demo'))
      const { container, volume } = gateIn(pod)
      expect(quantitiesAsTexts(container)).toEqual(buildSidecar(expected))
      expect(volume).toEqual(buildVolume(expected))
    })

    test.each<[string, SidecarSettings]>([
      ['webhook', { image, secret: 'keys' }],
      [
        'everything',
        {
          image: 'registry.example.com/other/sidegate:1.2.3',
          imagePullPolicy: 'IfNotPresent',
          listenPort: 8443,
          adminPort: 9191,
          secret: 'keys',
          resources: { cpuRequest: '1', memoryRequest: '200Mi', memoryLimit: '400Mi' },
        },
      ],
    ])('gives the injector of %s.yaml the defaults that make the container of buildSidecar', (name, expected) => {
      const map = find(render(helm, '--values', valuesFile(name)), 'ConfigMap/sidegate-injector')
      const read = readDefaults(textAt(map, 'data', 'defaults.yaml') ?? '', manifest.version)
      expect(read.problems).toEqual([])
      const { template: pod, problems } = injectPod(
        { metadata: {}, spec: { containers: [{ name: 'app', image: 'orders' }] } },
        read.defaults,
      )
      expect(problems).toEqual([])
      const { container, volume } = gateIn(pod.spec)
      expect(container).toEqual(buildSidecar(expected))
      expect(volume).toEqual(buildVolume(expected))
    })

    test('lets the injector read and write one Secret and one webhook configuration, and nothing with cert-manager', () => {
      const objects = render(helm, '--values', valuesFile('webhook'))
      expect(find(objects, 'Role/sidegate-injector').rules).toEqual([
        {
          apiGroups: [''],
          resources: ['secrets'],
          resourceNames: ['sidegate-injector-certificate'],
          verbs: ['get', 'update'],
        },
      ])
      expect(find(objects, 'ClusterRole/sidegate-injector').rules).toEqual([
        {
          apiGroups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations'],
          resourceNames: ['sidegate'],
          verbs: ['get', 'patch'],
        },
      ])
      const managed = render(helm, '--values', valuesFile('certificate'))
      expect(managed.filter(({ kind }) => /Role/.test(String(kind)))).toEqual([])
      const pod = podSpecOf(find(managed, 'Deployment/sidegate-injector'))
      expect(pod.automountServiceAccountToken).toBe(false)
    })

    test('fails for pods with the label alone, and asks again after other webhooks', () => {
      const objects = render(helm, '--values', valuesFile('webhook'))
      const [webhook] = treesAt(find(objects, 'MutatingWebhookConfiguration/sidegate'), 'webhooks')
      expect(webhook).toMatchObject({
        failurePolicy: 'Fail',
        reinvocationPolicy: 'IfNeeded',
        sideEffects: 'None',
        timeoutSeconds: 5,
        objectSelector: { matchLabels: { 'sidegate.dev/inject': 'true' } },
      })
      const policy = render(helm, '--values', valuesFile('policy')).find(isPolicy)
      expect(JSON.stringify(policy)).toContain('imagePullPolicy: \\"Always\\"')
      expect(policy?.spec).toMatchObject({
        failurePolicy: 'Fail',
        reinvocationPolicy: 'IfNeeded',
        matchConstraints: { objectSelector: { matchLabels: { 'sidegate.dev/inject': 'true' } } },
      })
    })

    test('carries the alerts and the dashboard as they are in its files', () => {
      const objects = render(helm, '--values', valuesFile('monitoring'))
      const read = (name: string) => readFileSync(join(chart, 'files', name), 'utf8')
      expect(find(objects, 'PrometheusRule/sidegate').spec).toEqual(parse(read('alerts.yaml')))
      const dashboard = textAt(find(objects, 'ConfigMap/sidegate-dashboard'), 'data', 'sidegate.json') ?? ''
      expect(JSON.parse(dashboard)).toEqual(JSON.parse(read('dashboard.json')))
    })

    test('gives every container of its own the restricted profile and bounded memory', () => {
      const pods = render(helm, '--values', valuesFile('everything')).flatMap((object) =>
        object.kind === 'Pod' ? [treeAt(object, 'spec')] : [podSpecOf(object)],
      )
      const containers = pods.flatMap((pod) => [...treesAt(pod, 'initContainers'), ...treesAt(pod, 'containers')])
      expect(containers.length).toBeGreaterThan(4)
      for (const container of containers) {
        expect(container.securityContext, String(container.name)).toMatchObject({
          runAsNonRoot: true,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        })
        expect(valueAt(container, 'resources', 'limits', 'memory'), String(container.name)).toBeDefined()
      }
    })

    test('leaves out the sleep before the end where Kubernetes does not know it', () => {
      const lifecycleIn = (version: string) => {
        const objects = render(helm, '--values', valuesFile('webhook'), '--kube-version', version)
        return treesAt(podSpecOf(find(objects, 'Deployment/sidegate-injector')), 'containers')[0]?.lifecycle
      }
      expect(lifecycleIn('1.29.4')).toBeUndefined()
      expect(lifecycleIn('1.30.0')).toEqual({ preStop: { sleep: { seconds: 5 } } })
    })

    // holds: app-mounts-keys
    test('lets only pods with a gate reach the Redis, and only monitoring the admin port of a gate', () => {
      const peersOf = (name: string, policy: string) =>
        treesAt(find(render(helm, '--values', valuesFile(name)), policy), 'spec', 'ingress').map(({ from, ports }) => [
          treesAt(ports)[0]?.port,
          from,
        ])
      const namespaces = (...values: readonly string[]) => ({
        namespaceSelector: {
          matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }],
        },
      })
      const gates = { namespaceSelector: {}, podSelector: { matchLabels: { 'sidegate.dev/inject': 'true' } } }
      expect(peersOf('everything', 'NetworkPolicy/sidegate-redis')).toEqual([
        [6379, [gates, { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'sidegate-demo' } } }]],
      ])
      expect(peersOf('redis', 'NetworkPolicy/sidegate-redis')).toEqual([[6379, [namespaces('gates')]]])
      expect(peersOf('everything', 'NetworkPolicy/sidegate-gates')).toEqual([
        [8443, undefined],
        [9191, [namespaces('monitoring')]],
      ])
    })

    test.each<[string, readonly string[], string]>([
      ['no issuer', [], 'issuers is empty. Set --set settings.issuers[0].issuer=https://'],
      [
        'an old Kubernetes',
        ['--set', 'injection.mode=policy', '--kube-version', '1.35.2'],
        'needs Kubernetes 1.36, and this is v1.35.2. Set --set injection.mode=webhook',
      ],
      [
        'a password without a Secret',
        ['--set', 'redis.enabled=true,redis.passwordKey=password'],
        'set --set secretName=',
      ],
      [
        'a Redis that any pod could write to',
        ['--set', 'redis.enabled=true,secretName=keys'],
        '--set redis.passwordKey=',
      ],
      [
        'a monitor of no injector',
        ['--set', 'monitoring.serviceMonitor.enabled=true'],
        'Set --set monitoring.serviceMonitor.enabled=false',
      ],
      [
        'a budget that lets no node be drained',
        ['--set', 'injection.mode=webhook,podDisruptionBudget.minAvailable=2'],
        'Set --set injector.replicas=3',
      ],
    ])('says how to mend %s', (name, given, expected) => {
      const { status, output } = template(helm, ...(name === 'no issuer' ? [] : minimal), ...given)
      expect(status).not.toBe(0)
      expect(output).toContain(expected)
    })

    test.each([
      ['certManager.enabled', 'cert-manager.io/v1'],
      ['monitoring.podMonitor.enabled', 'monitoring.coreos.com/v1'],
      ['monitoring.serviceMonitor.enabled', 'monitoring.coreos.com/v1'],
      ['monitoring.rules.enabled', 'monitoring.coreos.com/v1'],
    ])('says how to mend %s where its operator is absent', (value, group) => {
      const given = ['template', 'sidegate', chart, '--kube-version', '1.36.0', ...minimal]
      const { status, output } = runHelm(helm, ...given, '--set', `injection.mode=webhook,${value}=true`)
      expect(status).not.toBe(0)
      expect(output).toContain(`does not know ${group}. Install it, or set --set ${value}=false`)
    })

    test('refuses a value that it does not know, and a setting that the gate does not', () => {
      for (const value of ['injektion.mode=off', 'settings.isuers=1', 'injection.mode=sidecar']) {
        const { status } = template(helm, ...minimal, '--set', value)
        expect(status, value).not.toBe(0)
      }
      expect(template(helm, ...minimal, '--set-json', 'injection.mode=false').status).toBe(0)
    })

    test('is packed with its schema, its README and its files, and renders from there', () => {
      const folder = mkdtempSync(join(tmpdir(), 'sidegate-chart-'))
      const packed = runHelm(helm, 'package', chart, '--destination', folder)
      expect(packed.status, packed.output).toBe(0)
      const archive = join(folder, `sidegate-${manifest.version}.tgz`)
      const listed = spawnSync('tar', ['--list', '--file', archive], { encoding: 'utf8' }).stdout.split('\n')
      const rendered = runHelm(helm, 'template', 'sidegate', archive, '--kube-version', '1.36.0', ...minimal)
      rmSync(folder, { recursive: true })
      for (const file of ['values.schema.json', 'README.md', 'files/alerts.yaml', 'files/dashboard.json'])
        expect(listed).toContain(`sidegate/${file}`)
      expect(rendered.status, rendered.output).toBe(0)
    })
  })

/** Kubernetes takes a quantity as a number as well: 1 is "1". */
function quantitiesAsTexts(container: unknown): unknown {
  return JSON.parse(JSON.stringify(container), (name, value: unknown) =>
    name === 'cpu' || name === 'memory' ? String(value) : value,
  )
}
