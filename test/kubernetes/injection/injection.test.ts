// A pod template before and after the gate was put into it.
import { describe, expect, test } from 'vitest'
import { variablesOf } from '../../../src/kubernetes/doctor/survey.ts'
import { injectPod } from '../../../src/kubernetes/injection/injection.ts'
import type { SidecarDefaults } from '../../../src/kubernetes/injection/pod-settings.ts'
import { buildSidecar, buildVolume } from '../../../src/kubernetes/injection/sidecar.ts'
import { listAt, type Tree, treeAt, valueAt } from '../../../src/kubernetes/manifests/nested-values.ts'
import { appTemplate, gateDefaults } from '../../support/pods.ts'
import { configOf, issuersLine } from '../../support/settings.ts'

const inject = (template: Tree) => injectPod(template, gateDefaults)
const messagesOf = (remarks: readonly { readonly message: string }[]) =>
  remarks.map(({ message }) => message).join('\n')
const container = (members: object) => ({ name: 'app', ports: [{ name: 'http', containerPort: 3000 }], ...members })

describe('the gate', () => {
  const migrate = { name: 'migrate', image: 'x' }
  const own = { name: 'data', emptyDir: {} }
  const { template, changes, problems } = inject(appTemplate({ initContainers: [migrate], volumes: [own] }))

  test('stands first among the init containers, with its volume, and the pod says which version wrote it', () => {
    const settings = {
      image: 'registry.example.com/sidegate:1.2.3',
      upstream: 'http://127.0.0.1:3000',
      appProbes: { app: { readiness: 'http://127.0.0.1:3000/health' } },
    }
    expect(problems).toEqual([])
    expect(valueAt(template, 'spec', 'initContainers')).toEqual([buildSidecar(settings), migrate])
    expect(valueAt(template, 'spec', 'volumes')).toEqual([own, buildVolume(settings)])
    expect(valueAt(template, 'metadata', 'annotations')).toEqual({ 'sidegate.dev/injected': '1.2.3' })
  })

  test('leaves everything else of the pod as it was', () => {
    const { initContainers: _gate, volumes: _volumes, containers, ...rest } = treeAt(template, 'spec')
    expect(rest).toEqual({})
    const { readinessProbe: _probe, ...app } = treeAt(containers, 0)
    expect(app).toEqual({
      name: 'app',
      image: 'registry.example.com/orders:1',
      ports: [{ name: 'http', containerPort: 3000 }],
    })
  })

  test('comes with a sentence for each change', () => {
    expect(changes.map(({ path }) => path)).toEqual([
      'spec.initContainers',
      'spec.volumes',
      'metadata.annotations["sidegate.dev/injected"]',
      'spec.containers[0].readinessProbe',
    ])
  })

  test('put in twice is put in once', () => {
    const again = inject(template)
    expect(again.template).toEqual(template)
    expect(again.changes).toEqual([])
  })
})

describe('a gate that is there', () => {
  test('is brought up to date in its place', () => {
    const mesh = { name: 'mesh', restartPolicy: 'Always' }
    const old = { ...buildSidecar({ image: 'registry.example.com/sidegate:0.9.0' }), securityContext: {} }
    const { template, changes } = inject(appTemplate({ initContainers: [mesh, old] }))
    expect(listAt(template, 'spec', 'initContainers').map((item) => valueAt(item, 'name'))).toEqual([
      'mesh',
      'sidegate',
    ])
    expect(valueAt(template, 'spec', 'initContainers', 1, 'image')).toBe('registry.example.com/sidegate:1.2.3')
    expect(valueAt(template, 'spec', 'initContainers', 1, 'securityContext', 'runAsNonRoot')).toBe(true)
    expect(messagesOf(changes)).toContain('Bring the gate up to date')
  })

  test('among the ordinary containers is moved to where it outlives the app', () => {
    const old = { name: 'sidegate', image: 'x' }
    const { template, changes } = inject(appTemplate({ containers: [container({}), old] }))
    expect(listAt(template, 'spec', 'containers')).toHaveLength(1)
    expect(listAt(template, 'spec', 'initContainers')).toHaveLength(1)
    expect(messagesOf(changes)).toContain('Take the gate out of the ordinary containers')
  })

  test('follows the app to another port, and so do the probes that were turned before', () => {
    const first = inject(appTemplate()).template
    const spec = treeAt(first, 'spec')
    const moved = {
      ...first,
      spec: { ...spec, containers: [{ ...treeAt(spec, 'containers', 0), ports: [{ containerPort: 4000 }] }] },
    }
    const { template } = inject(moved)
    expect(valueAt(template, 'spec', 'initContainers', 0, 'env')).toEqual([
      { name: 'SIDEGATE_ADMIN_APP_PROBES', value: '{"app":{"readiness":"http://127.0.0.1:4000/health"}}' },
      { name: 'SIDEGATE_UPSTREAM', value: 'http://127.0.0.1:4000' },
    ])
  })
})

describe('probes of the app', () => {
  const probed = (members: object, annotations: object = {}) =>
    inject(appTemplate({ containers: [container(members)] }, { annotations }))
  const targetsOf = (template: Tree) =>
    JSON.parse(
      String(
        valueAt(
          listAt(template, 'spec', 'initContainers', 0, 'env').find(
            (item) => valueAt(item, 'name') === 'SIDEGATE_ADMIN_APP_PROBES',
          ),
          'value',
        ) ?? '{}',
      ),
    ) as unknown

  test('are asked by the gate, with their own timings', () => {
    const { template } = probed({
      readinessProbe: { httpGet: { path: '/ready?full=1', port: 'http' }, periodSeconds: 3, timeoutSeconds: 2 },
      livenessProbe: { tcpSocket: { port: 3000 }, failureThreshold: 4 },
      startupProbe: { httpGet: { port: 3000, scheme: 'HTTPS', httpHeaders: [{ name: 'X-Probe', value: 'yes' }] } },
    })
    const app = treeAt(template, 'spec', 'containers', 0)
    expect(app.readinessProbe).toEqual({
      httpGet: { path: '/app-probe/app/readiness', port: 9090 },
      periodSeconds: 3,
      timeoutSeconds: 2,
    })
    expect(app.livenessProbe).toEqual({ httpGet: { path: '/app-probe/app/liveness', port: 9090 }, failureThreshold: 4 })
    expect(app.startupProbe).toEqual({ httpGet: { path: '/app-probe/app/startup', port: 9090 } })
    expect(targetsOf(template)).toEqual({
      app: {
        startup: { url: 'https://127.0.0.1:3000/', headers: { 'x-probe': 'yes' } },
        readiness: 'http://127.0.0.1:3000/ready?full=1',
        liveness: 'tcp://127.0.0.1:3000',
      },
    })
  })

  test('of another port, and those that run a program, stay', () => {
    const members = {
      readinessProbe: { httpGet: { path: '/', port: 9113 } },
      livenessProbe: { exec: { command: ['true'] } },
    }
    const { template, warnings } = probed({ ...members, ports: [{ containerPort: 3000 }, { containerPort: 9113 }] })
    expect(treeAt(template, 'spec', 'containers', 0)).toMatchObject(members)
    expect(targetsOf(template)).toEqual({})
    expect(messagesOf(warnings)).not.toContain('probe')
  })

  test('by grpc stay, with a warning', () => {
    const livenessProbe = { grpc: { port: 3000 } }
    const { template, warnings } = probed({ livenessProbe })
    expect(treeAt(template, 'spec', 'containers', 0)).toMatchObject({ livenessProbe })
    expect(messagesOf(warnings)).toContain('grpc')
  })

  test('stay with a warning where the pod says so', () => {
    const readinessProbe = { httpGet: { path: '/', port: 3000 } }
    const { template, warnings } = probed({ readinessProbe }, { 'sidegate.dev/rewrite-probes': 'false' })
    expect(treeAt(template, 'spec', 'containers', 0)).toMatchObject({ readinessProbe })
    expect(messagesOf(warnings)).toContain('The kubelet cannot reach port 3000')
  })

  test('are turned to another admin port, and keep what they ask', () => {
    const first = probed({ readinessProbe: { httpGet: { path: '/health', port: 3000 } } }).template
    const { template } = inject({ ...first, metadata: { annotations: { 'sidegate.dev/admin-port': '9191' } } })
    expect(valueAt(template, 'spec', 'containers', 0, 'readinessProbe', 'httpGet')).toEqual({
      path: '/app-probe/app/readiness',
      port: 9191,
    })
    expect(targetsOf(template)).toEqual({ app: { readiness: 'http://127.0.0.1:3000/health' } })
  })
})

test('the gate takes what is written for it', () => {
  const httpHeaders = [{ name: 'Host', value: 'orders.example' }]
  const { template } = inject(
    appTemplate(
      {
        containers: [
          container({
            startupProbe: { tcpSocket: { port: 'http' } },
            readinessProbe: { httpGet: { path: 'a b?c=ü', port: 3000, scheme: 'HTTPS' } },
            livenessProbe: { httpGet: { path: '/x', port: 3000, httpHeaders } },
          }),
        ],
      },
      { annotations: { 'sidegate.dev/listen-port': '8081', 'sidegate.dev/log-level': 'warn' } },
    ),
  )
  const config = configOf(issuersLine, {
    environment: { ...variablesOf(treeAt(template, 'spec', 'initContainers', 0)) },
  })
  expect(config.listen.port).toBe(8081)
  expect(config.upstream).toBe('http://127.0.0.1:3000')
  expect(config.admin.appProbes).toEqual({
    app: {
      startup: 'tcp://127.0.0.1:3000',
      readiness: 'https://127.0.0.1:3000/a%20b?c=%C3%BC',
      liveness: { url: 'http://127.0.0.1:3000/x', headers: { host: 'orders.example' } },
    },
  })
})

describe('what defeats the gate is told', () => {
  test.each([
    ['a pod in the network of its node', { hostNetwork: true }, "shares its node's network"],
    ['containers that see each other', { shareProcessNamespace: true }, "each other's processes"],
    ['a port that the app declares', {}, 'Let it listen on 127.0.0.1 alone'],
    ['a port of the node', { containers: [container({ ports: [{ containerPort: 3000, hostPort: 80 }] })] }, 'hostPort'],
  ])('%s', (_name, spec, expected) => {
    expect(messagesOf(inject(appTemplate(spec)).warnings)).toContain(expected)
  })
})

describe('a template that cannot be changed is given back as it was', () => {
  test.each([
    ['with an annotation that is wrong', appTemplate({}, { annotations: { 'sidegate.dev/mode': 'off' } })],
    ['without a container', appTemplate({ containers: [] })],
    ['with a volume of our name', appTemplate({ volumes: [{ name: 'sidegate', emptyDir: {} }] })],
    ['with nothing in it', {}],
  ])('%s', (_name, given) => {
    const { template, problems, changes } = inject(given)
    expect(template).toBe(given)
    expect(problems.length).toBeGreaterThan(0)
    expect(changes).toEqual([])
  })
})

describe('an app that could read the keys of the gate is refused', () => {
  const app = { name: 'app', ports: [{ containerPort: 3000 }] }
  const keys: SidecarDefaults = { ...gateDefaults, secret: 'keys' }
  const problemsOf = (spec: object, defaults = keys) =>
    injectPod(appTemplate({ containers: [app], ...spec }), defaults).problems.map(({ path }) => path)
  const mounting = (name: string) => ({ ...app, volumeMounts: [{ name, mountPath: '/keys' }] })
  const volume = (source: object) => [{ name: 'more', ...source }]

  test.each<[string, object, string]>([
    // holds: app-mounts-keys
    ['the volume of the gate', { containers: [mounting('sidegate')] }, 'spec.containers[0].volumeMounts[0]'],
    [
      'the volume of the gate, in an init container',
      { initContainers: [{ ...mounting('sidegate'), name: 'first' }] },
      'spec.initContainers[0].volumeMounts[0]',
    ],
    [
      'a volume of the same Secret',
      { containers: [mounting('more')], volumes: volume({ secret: { secretName: 'keys' } }) },
      'spec.containers[0].volumeMounts[0]',
    ],
    [
      'a projected volume with the same Secret',
      { containers: [mounting('more')], volumes: volume({ projected: { sources: [{ secret: { name: 'keys' } }] } }) },
      'spec.containers[0].volumeMounts[0]',
    ],
    [
      'a variable of the Secret',
      { containers: [{ ...app, env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'k' } } }] }] },
      'spec.containers[0].env[0]',
    ],
    [
      'all variables of the Secret',
      { containers: [{ ...app, envFrom: [{ secretRef: { name: 'keys' } }] }] },
      'spec.containers[0].envFrom[0]',
    ],
  ])('by %s', (_way, spec, path) => {
    expect(problemsOf(spec)).toEqual([path])
  })

  test('and one with a Secret and a volume without them is not', () => {
    const volumes = volume({ secret: { secretName: 'other' } })
    expect(problemsOf({ containers: [mounting('more')], volumes })).toEqual([])
    expect(
      problemsOf({ containers: [mounting('more')], volumes: volume({ secret: { secretName: 'keys' } }) }, gateDefaults),
    ).toEqual([])
  })
})

test('a pod of Knative is refused: its requests would bypass the gate', () => {
  const { problems } = inject(appTemplate({ containers: [{ name: 'app' }, { name: 'queue-proxy' }] }))
  expect(problems).toEqual([{ path: 'spec.containers[1]', message: expect.stringContaining('would be bypassed') }])
})
