// `sidegate doctor`: each rule on the example of this repository with one fault put into it, and on the example as it is.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Diagnosis, doctorRules } from '../../../src/kubernetes/doctor/doctor.ts'
import { issuersLine } from '../../support/settings.ts'
import { sidegate } from '../../support/shell.ts'

const example = join(import.meta.dirname, '../../../deploy/example')
const clean = readdirSync(example)
  .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  .map((name) => readFileSync(join(example, name), 'utf8'))
  .join('---\n')

interface Answer {
  readonly ok: boolean
  readonly workloads: number
  readonly findings: readonly Diagnosis[]
}

async function diagnose(text: string, ...more: readonly string[]): Promise<Answer & { readonly exitCode: number }> {
  const { exitCode, printed } = await sidegate(['doctor', '-f', '-', '--json', ...more], { input: text })
  return { exitCode, ...(JSON.parse(printed.join('\n')) as Answer) }
}

type Change = readonly [string | RegExp, string]
/** A fault: the rule that finds it, what it is, and how it comes into the example. */
type Fault = readonly [rule: string, what: string, ...changes: Change[]]

const GRACE = '      terminationGracePeriodSeconds: 40\n'
const intoPod = (line: string): Change => [GRACE, `${GRACE}      ${line}\n`]
const intoService = (line: string): Change => [
  '    - { name: http, port: 80, targetPort: 8080, protocol: TCP }\n',
  `    - { name: http, port: 80, targetPort: 8080, protocol: TCP }\n${line}\n`,
]
const intoApp = (line: string): Change => [/( +)(args: \["-)/, `$1${line}\n$1$2`]
const intoSettings = (line: string): Change => ['  sidegate.yaml: |\n', `  sidegate.yaml: |\n    ${line}\n`]
const withLabel: Change = [
  '      labels: { app.kubernetes.io/name: orders }\n    spec:',
  "      labels: { app.kubernetes.io/name: orders, sidegate.dev/inject: 'true' }\n    spec:",
]
const ordinary: readonly Change[] = [
  ['      initContainers:\n', '      containers:\n'],
  ['      containers:\n        - name: app', '        - name: app'],
]
const withoutGate: readonly Change[] = [withLabel, [/ {6}initContainers:[\s\S]*?(?= {6}containers:)/, '']]
const route = (kind: string, backend: string) =>
  `---\nkind: ${kind}\nmetadata: { name: outside }\nspec: { rules: [${backend}] }\n`

const faults: readonly Fault[] = [
  ['service-around-gate', 'a Service sends to the app', ['targetPort: 8080', 'targetPort: 3000']],
  [
    'service-named-port',
    'a Service names the port of a native sidecar',
    ['{ containerPort: 8080, protocol: TCP }', '{ name: gate, containerPort: 8080, protocol: TCP }'],
    ['targetPort: 8080', 'targetPort: gate'],
  ],
  [
    'app-listens-for-all',
    'the app is told to listen on every address',
    ['-listen=127.0.0.1:3000', '-listen=0.0.0.0:3000'],
  ],
  [
    'app-port-declared',
    'the app declares its port and says nothing of 127.0.0.1',
    ['"-listen=127.0.0.1:3000", ', ''],
    intoApp('ports: [{ containerPort: 3000 }]'),
  ],
  ['app-host-port', 'the node hands a port to the app', intoApp('ports: [{ containerPort: 3000, hostPort: 80 }]')],
  ['host-network', 'the pod has the network of its node', intoPod('hostNetwork: true')],
  ['shared-processes', 'the containers see each other', intoPod('shareProcessNamespace: true')],
  [
    'network-policy-missing',
    'no policy speaks about the pod',
    [/kind: NetworkPolicy\nmetadata:\n {2}name: orders/, 'kind: Policy\nmetadata:\n  name: orders'],
  ],
  [
    'admin-port-public',
    'a load balancer hands out the admin port',
    intoService('    - { name: admin, port: 9090 }'),
    [
      'spec:\n  selector: { app.kubernetes.io/name: orders }',
      'spec:\n  type: LoadBalancer\n  selector: { app.kubernetes.io/name: orders }',
    ],
  ],
  ['admin-port-in-service', 'a Service has the admin port', intoService('    - { name: admin, port: 9090 }')],
  [
    'admin-port-in-route',
    'an Ingress leads to the admin port',
    intoService('    - { name: admin, port: 9090 }'),
    [/$/, route('Ingress', '{ http: { paths: [{ backend: { service: { name: orders, port: { name: admin } } } }] } }')],
  ],
  [
    'admin-port-in-route',
    'an HTTPRoute leads to the admin port',
    intoService('    - { name: admin, port: 9090 }'),
    [/$/, route('HTTPRoute', '{ backendRefs: [{ name: orders, port: 9090 }] }')],
  ],
  [
    'admin-host-port',
    'the node hands a port to the admin port',
    ['{ containerPort: 9090, protocol', '{ hostPort: 9090, containerPort: 9090, protocol'],
  ],
  [
    'admin-token-unusable',
    'the Secret has a short admin token',
    [/$/, '---\nkind: Secret\nmetadata: { name: sidegate }\nstringData: { admin-token: short }\n'],
  ],
  ['gate-missing', 'a pod asks for the gate and has none', ...withoutGate],
  [
    'label-misplaced',
    'the label stands on the Deployment, where nobody looks',
    ...withoutGate,
    [", sidegate.dev/inject: 'true'", ''],
    ['  name: orders\n  labels: { app', '  name: orders\n  labels: { sidegate.dev/inject: "true", app'],
  ],
  [
    'gate-bypassed-by-knative',
    'a Knative Service asks for the gate',
    withLabel,
    ['apiVersion: apps/v1\nkind: Deployment', 'apiVersion: serving.knative.dev/v1\nkind: Service'],
  ],
  [
    'label-unreached',
    'pods in an unknown place ask for the gate',
    [
      /$/,
      '---\nkind: JobSet\nspec: { jobs: [{ template: { metadata: { labels: { sidegate.dev/inject: "true" } }, spec: { containers: [{ name: app }] } } }] }\n',
    ],
  ],
  [
    'gate-secret-shared',
    'the app mounts the volume of the gate',
    intoApp('volumeMounts: [{ name: sidegate, mountPath: /keys }]'),
  ],
  [
    'gate-secret-shared',
    'the app reads the Secret that the injector would give the gate',
    [
      withLabel[0],
      String(withLabel[0]).replace('\n    spec', "\n      annotations: { sidegate.dev/secret: 'keys' }\n    spec"),
    ],
    intoApp('envFrom: [{ secretRef: { name: keys } }]'),
  ],
  [
    'annotation-wrong',
    'an annotation is spelled wrong',
    [
      withLabel[0],
      String(withLabel[0]).replace('\n    spec', "\n      annotations: { sidegate.dev/upstreem: 'x' }\n    spec"),
    ],
  ],
  ['annotation-wrong', 'the label says something else', [withLabel[0], withLabel[1].replace("'true'", 'yes')]],
  ['gate-not-native', 'the gate is an ordinary container', ...ordinary, ['          restartPolicy: Always\n', '']],
  ['gate-not-native', 'the gate is an ordinary init container', ['          restartPolicy: Always\n', '']],
  ...[
    'runAsNonRoot: true',
    'allowPrivilegeEscalation: false',
    'readOnlyRootFilesystem: true',
    'capabilities: { drop: [ALL] }',
    'seccompProfile: { type: RuntimeDefault }',
  ].map((line): Fault => ['gate-privileged', `the gate has no ${line}`, [`            ${line}\n`, '']]),
  ['gate-privileged', 'the gate is root', ['runAsUser: 65532', 'runAsUser: 0']],
  ['gate-privileged', 'the gate is privileged', ['runAsUser: 65532', 'privileged: true']],
  ['image-unpinned', 'the image has no version', ['sidegate:0.1.0', 'sidegate']],
  ['image-unpinned', 'the image is the latest', ['sidegate:0.1.0', 'sidegate:latest']],
  ['resources-missing', 'the memory has no limit', ['            limits: { memory: 256Mi }\n', '']],
  [
    'resources-missing',
    'no memory is asked for',
    ['requests: { cpu: 100m, memory: 128Mi }', 'requests: { cpu: 100m }'],
  ],
  [
    'gate-probes',
    'the gate is restarted when Redis is away',
    [/(livenessProbe:\n\s+httpGet: \{ path: )\/livez/, '$1/readyz'],
  ],
  ['gate-probes', 'the app does not wait for the gate', [/ {10}startupProbe:\n.*\n.*\n.*\n/, '']],
  ['gate-hook', 'nobody tells the gate that the pod is deleted', [/ {10}lifecycle:\n.*\n.*\/drain.*\n/, '']],
  ['gate-hook', 'the gate is told somewhere else', ['path: /drain', 'path: /leave']],
  ['settings-writable', 'the settings can be written to', [', readOnly: true }', ' }']],
  [
    'probe-fails',
    'the kubelet asks an app that it cannot reach',
    ['path: /app-probe/app/readiness, port: 9090', 'path: /health, port: 3000'],
  ],
  [
    'probe-unknown',
    'the gate knows nothing of a probe',
    ['path: /app-probe/app/readiness', 'path: /app-probe/app/liveness'],
  ],
  [
    'probe-unknown',
    'a probe asks another port than the admin port',
    ['path: /app-probe/app/readiness, port: 9090', 'path: /app-probe/app/readiness, port: 9091'],
  ],
  [
    'port-mismatch',
    'the settings have another port than the container',
    ["listen: '[::]:8080'", "listen: '[::]:8081'"],
  ],
  [
    'grace-too-short',
    'the pod is killed while the gate drains',
    ['terminationGracePeriodSeconds: 40', 'terminationGracePeriodSeconds: 20'],
  ],
  [
    'grace-tight',
    'the pod is killed when the app has waited and the gate drains',
    ['terminationGracePeriodSeconds: 40', 'terminationGracePeriodSeconds: 30'],
  ],
  [
    'upstream-elsewhere',
    'the app is in another pod',
    ['upstream: http://127.0.0.1:3000', 'upstream: http://orders:3000'],
  ],
  [
    'upstream-port-mismatch',
    'the gate forwards to another port',
    ['-listen=127.0.0.1:3000', '-listen=127.0.0.1:4000'],
    intoApp('ports: [{ containerPort: 4000 }]'),
  ],
  ['file-not-mounted', 'the volume has no Secret', ['              - secret: { name: sidegate }\n', '']],
  [
    'password-in-settings',
    'a password stands in the settings',
    [/ {6}passwordFile: .*\n/, ''],
    ['redis://sidegate-redis', 'redis://:geheim@sidegate-redis'],
  ],
  [
    'key-in-config-map',
    'a private key stands in the ConfigMap',
    ['  sidegate.yaml: |\n', '  signing.pem: "-----BEGIN PRIVATE KEY-----"\n  sidegate.yaml: |\n'],
  ],
  ['list-in-memory', 'there is no Redis', [/ {4}revocation:\n( {6}.*\n)+/, '']],
  ['stale-allowed', 'an old list is good enough', ['whenStale: deny', 'whenStale: allow']],
  ['staleness-long', 'the list may be old', ['maxStaleness: 30s', 'maxStaleness: 1h']],
  ['not-enforcing', 'nothing is refused', intoSettings('mode: shadow')],
  ['redis-evicts', 'the Redis of the list throws rules away', ['- noeviction', '- allkeys-lru']],
  [
    'some-redis-evicts',
    'some Redis throws keys away',
    ['- noeviction', '- allkeys-lru'],
    ['redis://sidegate-redis', 'redis://elsewhere'],
  ],
  [
    'redis-not-durable',
    'the Redis of the list keeps nothing',
    ['            - --appendonly\n            - "yes"\n', ''],
  ],
]

function changed(text: string, changes: readonly Change[]): string {
  return changes.reduce((before, [from, to]) => {
    const after = before.replace(from, to)
    if (after === before) throw new Error(`Nothing to change: ${from}`)
    return after
  }, text)
}

describe('one fault in the example is found', () => {
  test.each(faults.map(([rule, what, ...changes]) => ({ rule, what, changes })))(
    '$rule: $what',
    async ({ rule, changes }) => {
      const { findings, ok, exitCode } = await diagnose(changed(clean, changes))
      expect(findings.map((finding) => finding.rule)).toContain(rule)
      const severity = doctorRules.find(({ name }) => name === rule)?.severity
      const [found] = findings.filter((finding) => finding.rule === rule)
      expect(found).toMatchObject({ severity, file: 'standard input', mend: expect.stringMatching(/./) })
      expect([ok, exitCode]).toEqual(findings.some((finding) => finding.severity === 'error') ? [false, 1] : [true, 0])
    },
  )

  test('and every rule has a fault here', () => {
    expect(doctorRules.map(({ name }) => name).filter((name) => !faults.some(([rule]) => rule === name))).toEqual([])
  })
})

test('the example as it is has nothing wrong', async () => {
  expect(await diagnose(clean)).toEqual({ exitCode: 0, ok: true, workloads: 1, findings: [] })
})

describe('settings', () => {
  test('are judged by the loader of the gate, with the place in the ConfigMap', async () => {
    const { findings, exitCode } = await diagnose(
      changed(clean, [[/window: .*/, 'window: 1h'], intoSettings('upstraem: x')]),
    )
    expect(exitCode).toBe(1)
    expect(findings.filter(({ rule }) => rule === 'settings-wrong')).toMatchObject([
      {
        object: 'ConfigMap/sidegate',
        path: expect.stringMatching(/^sidegate\.yaml:\d+:\d+/),
        message: expect.stringContaining('"upstraem"'),
      },
      { object: 'ConfigMap/sidegate', message: expect.stringContaining('Expected less than "refresh.lifetime"') },
    ])
  })

  test('that a container sets beat those of the ConfigMap', async () => {
    const variable = '          env: [{ name: SIDEGATE_MODE, value: shadow }]\n          restartPolicy: Always\n'
    const { findings } = await diagnose(changed(clean, [['          restartPolicy: Always\n', variable]]))
    expect(findings.map(({ rule }) => rule)).toEqual(['not-enforcing'])
  })

  test('that come from a Secret are not guessed', async () => {
    const without: Change = [/ {4}issuers:\n( {6}.*\n)+/, '']
    const secret = 'valueFrom: { secretKeyRef: { name: issuers, key: yaml } }'
    const variable = `          env: [{ name: SIDEGATE_ISSUERS, ${secret} }]\n          restartPolicy: Always\n`
    expect((await diagnose(changed(clean, [without]))).findings.map(({ rule }) => rule)).toContain('settings-wrong')
    const { findings } = await diagnose(changed(clean, [without, ['          restartPolicy: Always\n', variable]]))
    expect(findings).toEqual([])
  })

  test('from --config hold where the ConfigMap is not among the manifests', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidegate-doctor-'))
    const path = join(folder, 'sidegate.yaml')
    writeFileSync(path, `mode: shadow\n${issuersLine}\n`)
    const without = changed(clean, [['  name: sidegate\ndata', '  name: elsewhere\ndata']])
    expect((await diagnose(without)).findings).toEqual([])
    expect((await diagnose(without, '--config', path)).findings.map(({ rule }) => rule)).toContain('not-enforcing')
    rmSync(folder, { recursive: true })
  })
})

describe('the command', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sidegate-doctor-'))
    writeFileSync(join(folder, 'app.yaml'), changed(clean, [['targetPort: 8080', 'targetPort: 3000']]))
    writeFileSync(join(folder, 'broken.yaml'), 'a: [1\nb: 2\n')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('prints each finding with its place and its mend, and counts them', async () => {
    const { exitCode, printed } = await sidegate(['doctor', '-f', join(folder, 'app.yaml')])
    expect(exitCode).toBe(1)
    expect(printed).toEqual([
      expect.stringMatching(
        /^error: .*app\.yaml:\d+ Service\/orders spec\.ports\[0\]\.targetPort: It sends to port 3000 of Deployment\/orders, which is the app \[service-around-gate\]$/,
      ),
      '  Set targetPort to 8080, the port of the gate',
      '1 error, 0 warnings in 1 workload that has a gate or asks for one',
    ])
  })

  test('looks at all manifests of a folder and of several files together', async () => {
    expect((await sidegate(['doctor', '-f', example])).text).toBe(
      '0 errors, 0 warnings in 1 workload that has a gate or asks for one',
    )
    const files = readdirSync(example).map((name) => join(example, name))
    expect((await sidegate(['doctor', '-f', ...files])).exitCode).toBe(0)
    expect((await sidegate(['doctor', ...files.flatMap((file) => ['-f', file])])).exitCode).toBe(0)
  })

  test('says that nothing was there to look at', async () => {
    const { exitCode, text } = await sidegate(['doctor', '-f', '-'], { input: 'kind: Namespace\n' })
    expect([exitCode, text]).toEqual([0, expect.stringContaining('nothing here has a gate')])
  })

  test('does not judge what it cannot read', async () => {
    const { exitCode, complained, printed } = await sidegate(['doctor', '-f', folder])
    expect([exitCode, printed]).toEqual([1, []])
    expect(complained.join()).toMatch(/broken\.yaml:2:1: Cannot read YAML/)
    expect((await sidegate(['doctor', '-f', join(folder, 'none.yaml')])).exitCode).toBe(1)
    expect((await sidegate(['doctor'])).exitCode).toBe(2)
  })

  test('survives manifests of any shape', async () => {
    const odd = [
      'kind: Deployment',
      'kind: Pod\nspec: 1',
      'kind: Service\nspec: { selector: 1, ports: [1] }',
      '[]',
      '3',
      'kind: List\nitems: 3',
    ]
    const gate =
      'kind: Pod\nmetadata: { labels: [] }\nspec: { initContainers: [{ name: sidegate, env: 3, ports: {} }], containers: [null] }'
    const { workloads } = await diagnose([...odd, gate].join('\n---\n'))
    expect(workloads).toBe(1)
  })
})
